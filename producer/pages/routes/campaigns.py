"""The pages of campaigns: all of them, one with its live progress, what can be done with it, and its exports."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from core.errors import ImpossibleWorkError
from core.ledger.campaigns import CampaignState
from producer.api.cursors import Cursor, cursor_of, moment_after
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnCampaign
from producer.api.routes import campaigns as calls
from producer.api.routes.exports import export_campaign
from producer.exports.formats import Format
from producer.pages.forms import Sent
from producer.pages.person import SEES, STEERS, Visitor
from producer.pages.render import go_to, page
from producer.progress import snapshot
from schemas.campaigns import Priority

router = APIRouter()

ROWS = 30
# What was done, said once on the page that follows; the words stand in the template.
Said = Annotated[Literal["paused", "resumed", "cancelled", "hurried", "retried", "submitted", "known", ""], Query()]


@router.get("/campaigns", dependencies=[SEES])
def show_campaigns(
    request: Request, factory: Factory, visitor: Visitor, state: CampaignState | None = None, cursor: Cursor = None
) -> Response:
    """Show the campaigns, newest first."""
    found = factory.ledger.campaigns.page(visitor.caller.tenant, ROWS + 1, moment_after(cursor), state)
    shown = found[:ROWS]
    following = cursor_of(shown[-1].created_at, shown[-1].id) if len(found) > ROWS else None
    return page(
        request,
        "campaigns.html",
        visitor,
        campaigns=shown,
        states=tuple(CampaignState),
        state=state,
        following=following,
        is_first=cursor is None,
    )


@router.get("/campaigns/{campaign}", dependencies=[SEES])
def show_campaign(
    request: Request, factory: Factory, visitor: Visitor, campaign: OwnCampaign, said: Said = ""
) -> Response:
    """Show how a campaign goes, as long as it goes anew every other second."""
    current = snapshot(factory.ledger, campaign)
    return page(
        request,
        "campaign.html",
        visitor,
        current=current,
        campaign=current.status,
        budget=factory.ledger.campaigns.budget(campaign),
        history=list(factory.ledger.campaigns.history(campaign))[-10:],
        priorities=tuple(Priority),
        formats=(Format.ZIP, Format.CSV, Format.JSONL, Format.GOOGLE_ADS_EDITOR, Format.META_BULK),
        flower=_flower(factory),
        said=said,
    )


@router.post("/campaigns/{campaign}/pause", dependencies=[STEERS])
def pause(factory: Factory, visitor: Visitor, campaign: OwnCampaign) -> Response:
    """Stop making a campaign."""
    calls.pause_campaign(factory, visitor.caller, campaign)
    return go_to(f"/campaigns/{campaign}?said=paused")


@router.post("/campaigns/{campaign}/resume", dependencies=[STEERS])
def resume(factory: Factory, visitor: Visitor, campaign: OwnCampaign) -> Response:
    """Go on with a paused campaign."""
    calls.resume_campaign(factory, visitor.caller, campaign)
    return go_to(f"/campaigns/{campaign}?said=resumed")


@router.post("/campaigns/{campaign}/cancel", dependencies=[STEERS])
def cancel(factory: Factory, visitor: Visitor, campaign: OwnCampaign) -> Response:
    """End every open job of a campaign."""
    calls.cancel_campaign(factory, visitor.caller, campaign)
    return go_to(f"/campaigns/{campaign}?said=cancelled")


@router.post("/campaigns/{campaign}/priority", dependencies=[STEERS])
def hurry(factory: Factory, visitor: Visitor, campaign: OwnCampaign, form: Sent) -> Response:
    """Make a campaign more or less urgent."""
    priority = form.get("priority")
    if priority not in set(Priority):
        raise ImpossibleWorkError(f"priority: is one of {', '.join(Priority)}")
    calls.set_priority(factory, visitor.caller, campaign, calls.PriorityOrder(priority=Priority(priority)))
    return go_to(f"/campaigns/{campaign}?said=hurried")


@router.post("/campaigns/{campaign}/retry", dependencies=[STEERS])
def retry_all(factory: Factory, visitor: Visitor, campaign: OwnCampaign) -> Response:
    """Let all dead letters of a campaign wait again."""
    calls.retry_dead_letters(factory, visitor.caller, campaign, calls.RetryOrder())
    return go_to(f"/campaigns/{campaign}?said=retried")


@router.get("/campaigns/{campaign}/export", dependencies=[SEES])
def export_file(
    factory: Factory,
    campaign: OwnCampaign,
    form: Annotated[
        Literal[Format.CSV, Format.JSONL, Format.ZIP, Format.GOOGLE_ADS_EDITOR, Format.META_BULK],
        Query(alias="format"),
    ],
) -> StreamingResponse:
    """Give all that a campaign made as one file."""
    return export_campaign(factory, campaign, form)


def _flower(factory: Opened) -> str | None:
    """Return where Flower is; it listens on this machine alone, so elsewhere a link would lead nowhere."""
    return f"http://127.0.0.1:{factory.settings.flower_port}" if factory.is_loopback else None
