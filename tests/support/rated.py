"""Assets to be rated, recorded without bytes or models, and messages about them."""

import hashlib
import itertools
from collections.abc import Iterable

from core.ledger import Ledger
from core.ledger.leases import Lease
from schemas.assets import Asset, Location
from schemas.campaigns import Audience, Brand, Campaign, CopyDeliverable, ImageDeliverable, Kind, Product
from schemas.jobs import Brief, Job
from schemas.ratings import Feedback
from schemas.styles import Style

CAMPAIGN = "spring"
BRAND = Brand(name="Northbeam")
PRODUCT = Product(sku="NB-1", name="Ember Espresso")
AUDIENCES = (Audience(id="commuters", description="in a hurry"), Audience(id="home", description="at home"))
CHANNELS = {Kind.COPY: "google_search.headline", Kind.IMAGE: "instagram.square"}
_numbers = itertools.count()


def job_id(number: int, campaign: str = CAMPAIGN) -> str:
    """Return the id of the job with this number."""
    return f"{campaign}-{number:06d}"


def make_assets(
    ledger: Ledger, count: int, images: int = 0, campaign: str = CAMPAIGN, *, is_done: bool = True
) -> list[Job]:
    """Submit a campaign and record an asset for each of its jobs: lines first, then pictures."""
    jobs = [_job(campaign, number, Kind.COPY if number < count else Kind.IMAGE) for number in range(count + images)]
    ledger.campaigns.submit(campaign, _campaign(campaign), jobs)
    if is_done:
        finish_waiting(ledger)
    return jobs


def finish_waiting(ledger: Ledger) -> None:
    """Make everything that waits, as a worker would."""
    while pick := ledger.leases.pick(list(Kind)):
        lease = ledger.leases.claim(pick.bucket, 1000, "w@test#1")
        assert isinstance(lease, Lease)
        ledger.leases.finish(lease, [an_asset(job, f"Line of {job.id}") for job in lease.jobs])


def an_asset(job: Job, text: str) -> Asset:
    """Return an asset that no store holds."""
    place = Location(key="x", offset_bytes=0, length_bytes=1, sha256="0" * 64)
    return Asset(
        job_id=job.id,
        campaign_id=job.campaign_id,
        sku=job.brief.product.sku,
        location=place,
        manifest=place,
        content_type="text/plain",
        preview=text,
        fingerprint=hashlib.sha256(text.encode()).hexdigest(),
        model="starter",
        device_seconds=0.1,
    )


def message(content: dict[str, object], rater: str = "ada", at: float = 1000.0, id: str | None = None) -> Feedback:  # noqa: A002
    """Return a message; each has an id of its own unless one is given."""
    name = id or f"message-{next(_numbers):06d}"
    return Feedback.model_validate({"id": name, "rater": rater, "at": at, "content": content})


def a_rating(number: int = 0, rater: str = "ada", at: float = 1000.0, id: str | None = None, **fields: object):  # noqa: A002
    """Return a message that rates the asset with this number."""
    return message({"type": "rating", "job_id": job_id(number)} | fields, rater, at, id)


def rate(ledger: Ledger, messages: Iterable[Feedback]) -> None:
    """Record messages, each of which is new and right."""
    receipts = ledger.intake.record(list(messages))
    assert [one.refusal for one in receipts if not one.is_new] == []


def _campaign(name: str) -> Campaign:
    return Campaign(
        name=name,
        brand=BRAND,
        products=(PRODUCT,),
        audiences=AUDIENCES,
        deliverables=(
            CopyDeliverable(kind=Kind.COPY, channel=CHANNELS[Kind.COPY]),
            ImageDeliverable(kind=Kind.IMAGE, channel=CHANNELS[Kind.IMAGE]),
        ),
    )


def _job(campaign: str, number: int, kind: Kind) -> Job:
    brief = Brief(
        brand=BRAND,
        product=PRODUCT,
        audience=AUDIENCES[number % 2],
        channel=CHANNELS[kind],
        style=Style.BENEFIT if number % 3 else Style.DETAIL,
    )
    bucket = {Kind.COPY: "copy/starter+house/short", Kind.IMAGE: "image/starter/1080x1080"}
    return Job(
        id=job_id(number, campaign),
        campaign_id=campaign,
        kind=kind,
        bucket=bucket[kind],
        brief=brief,
        variant=number,
        seed=number,
    )
