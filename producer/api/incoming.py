"""Campaigns in the body of a call: YAML or JSON, read by the rules of campaign files, submitted once."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.exceptions import HTTPException

from core.ledger.tenants import Admission
from producer import campaigns
from producer.api.access import Caller, Me
from producer.api.opened import Opened
from producer.campaigns import CampaignSource
from producer.submit import Submitted, submit

JSON = {"application/json"}
YAML = {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="Any word of yours for this call, a UUID say: the same word with another body is refused.",
    ),
]

EXAMPLE = """\
name: spring-roast
brand: {name: Northbeam Coffee}
products:
  - {sku: NB-001, name: Ember Espresso, description: Dark roast with cocoa and smoke}
audiences:
  - {id: commuters, description: people who need coffee before eight}
deliverables:
  - {kind: copy, channel: google_search.headline, variants: 3}
"""


async def _received(request: Request, me: Me) -> "Incoming":
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in JSON | YAML:
        raise HTTPException(415, "send a campaign as application/yaml or application/json")
    body = await request.body()
    return Incoming(body, "campaign.json" if content_type in JSON else "campaign.yaml", me)


class Incoming:
    """A campaign that was sent, not read yet."""

    def __init__(self, body: bytes, name: str, caller: Caller) -> None:
        self._name = name
        self._caller = caller
        self.body = body

    def read(self) -> CampaignSource:
        """Read and check it; raises CampaignFileError with every problem found."""
        return campaigns.received(self.body, self._name, self._caller.tenant)


Received = Annotated[Incoming, Depends(_received)]


def submit_once(
    opened: Opened, caller: Caller, source: CampaignSource, key: str | None, operation: str, body: bytes
) -> Submitted:
    """Submit a campaign within the limits of its tenant; an idempotency key stands for this body alone."""
    if key is not None:
        fingerprint = sha256(f"{operation}\n".encode() + body).hexdigest()
        opened.ledger.calls.remember(caller.tenant, key, fingerprint)
    admission = Admission(caller.tenant, limits=opened.limits)
    return submit(source, opened.settings, opened.ledger, opened.broker, admission)


def body_of_campaign() -> dict[str, Any]:
    """Return the description of a body that is a campaign."""
    described = {"schema": {"$ref": "#/components/schemas/CampaignFile"}}
    content = {
        "application/yaml": {"schema": {"type": "string"}, "example": EXAMPLE},
        "application/json": described,
    }
    return {"requestBody": {"required": True, "description": "A campaign, as in a campaign file.", "content": content}}
