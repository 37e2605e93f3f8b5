"""The page of a new campaign: typed or pasted, planned as often as wanted, and submitted once."""

import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from core.errors import ImpossibleWorkError, Problem, ReusedKeyError, UnknownIdError
from core.windows import opening_after, written
from producer import campaigns
from producer.api.incoming import EXAMPLE, submit_once
from producer.api.opened import Factory, Opened
from producer.api.routes.campaigns import Price, Workers
from producer.campaigns import CampaignSource
from producer.estimate import estimate
from producer.pages.faults import FAULTY, TAKEN, Told, told_of
from producer.pages.forms import Form, Sent
from producer.pages.person import STEERS, Person, Visitor
from producer.pages.render import go_to, page
from producer.plan import Plan

router = APIRouter(dependencies=[STEERS])

T = TypeVar("T")

# A campaign that came without a folder has no name of its own; problems name their lines alone.
FILE = "campaign.yaml"
SUBMITTED_ALREADY = "This page was submitted with another text. Plan this one, then submit it as a campaign of its own."
# As the page makes it.
_KEY = re.compile(r"[0-9a-f]{32}")
_WORKERS: TypeAdapter[int] = TypeAdapter(Workers)
_PRICE: TypeAdapter[float | None] = TypeAdapter(Price)


@dataclass(frozen=True)
class Planned:
    """A plan, and what else is good to know before one submits."""

    plan: Plan
    # When its work may be done, and when that begins next unless it may be done now.
    window: str
    opens_at: float | None
    # The very same campaign was submitted before.
    is_known: bool


@dataclass(frozen=True)
class Typed:
    """What somebody has typed so far, what came of it, and the word that makes two clicks one campaign."""

    text: str = ""
    workers: str = "1"
    price: str = ""
    planned: Planned | None = None
    told: Told | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


@router.get("/campaigns/new")
def show_new_campaign(request: Request, visitor: Visitor) -> Response:
    """Show where a campaign is typed."""
    return _page(request, visitor, Typed())


@router.post("/campaigns/new")
def plan_or_submit(request: Request, factory: Factory, visitor: Visitor, form: Sent) -> Response:
    """Plan what was typed, or have it made; what is wrong with it is told by field and line, and nothing is lost."""
    text, workers, price = form.get("campaign"), form.get("workers") or "1", form.get("price").strip()
    try:
        source = campaigns.received(text.encode(), FILE, visitor.caller.tenant)
        if form.get("then") == "submit":
            return _submitted(factory, visitor, source, form)
        planned = _planned(factory, visitor, source, _number(_WORKERS, "workers", workers), _price(price))
    except ReusedKeyError:
        # Somebody went back in the browser and typed on.
        return _page(request, visitor, Typed(text, workers, price, told=Told((), SUBMITTED_ALREADY, TAKEN)))
    except FAULTY as error:
        return _page(request, visitor, Typed(text, workers, price, told=told_of(error)))
    return _page(request, visitor, Typed(text, workers, price, planned))


def _submitted(factory: Opened, visitor: Person, source: CampaignSource, form: Form) -> Response:
    body, key = form.get("campaign").encode(), form.get("key")
    sent = key if _KEY.fullmatch(key) else None
    submitted = submit_once(factory, visitor.caller, source, sent, "submit_campaign", body)
    return go_to(f"/campaigns/{submitted.id}?said={'submitted' if submitted.is_new else 'known'}")


def _planned(factory: Opened, visitor: Person, source: CampaignSource, workers: int, price: float | None) -> Planned:
    window = written(source.campaign.window, source.campaign.timezone)
    measured = factory.ledger.assets.measured_rates()
    return Planned(
        estimate(source, factory.settings, measured, workers, price=price),
        window,
        opening_after(window, time.time()),
        _is_known(factory, visitor, source.id),
    )


def _is_known(factory: Opened, visitor: Person, campaign: str) -> bool:
    try:
        factory.ledger.campaigns.require(visitor.caller.tenant, campaign)
    except UnknownIdError:
        return False
    return True


def _price(text: str) -> float | None:
    return _number(_PRICE, "price", text.replace(",", ".")) if text else None


def _number(adapter: TypeAdapter[T], name: str, text: str) -> T:
    """Return a number that was typed, by the rule of the API."""
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise ImpossibleWorkError.of(Problem("", 1, 1, name, f"{message[:1].lower()}{message[1:]}")) from error


def _page(request: Request, visitor: Person, typed: Typed) -> Response:
    status = typed.told.status if typed.told else 200
    return page(request, "new_campaign.html", visitor, status, typed=typed, example=EXAMPLE)
