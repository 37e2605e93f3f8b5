"""The rating page: one asset at a time, and the next one after each thing that is said of it.

What is said goes the way of `factory rate`. Stars, and a yes or no, may be said one after the other: who says the one
keeps what he said of the other before.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from core.errors import FeedbackError, UnknownIdError
from core.ledger.gallery import Shown, Viewer, Wanted
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnCampaign
from producer.pages.filters import Filter, Filters
from producer.pages.forms import Form, Sent
from producer.pages.person import RATES, Visitor
from producer.pages.render import go_to, page
from producer.pages.trails import Trail
from producer.pages.views import View
from producer.rate import rating_of, send, taken_back
from schemas.ratings import Rating
from schemas.reasons import reasons_for

router = APIRouter(dependencies=[RATES])

# Whoever rates shall not wait: what is not recorded by then counts as rated all the same.
PATIENCE_SECONDS = 0.15

JobInQuery = Annotated[str, Query(max_length=96, pattern=r"^[a-z0-9-]*$")]


@router.get("/campaigns/{campaign}/rate")
def show_rating(  # noqa: PLR0913 - each part of the address is an argument
    request: Request,
    factory: Factory,
    visitor: Visitor,
    campaign: OwnCampaign,
    filters: Filters,
    *,
    job: JobInQuery = "",
    after: JobInQuery = "",
    trail: Annotated[str, Query(max_length=3000)] = "",
    every: bool = False,
) -> Response:
    """Show the asset that is to be rated next: this one, the first after that one, or the first of all."""
    gallery, viewer = factory.ledger.gallery, visitor.viewer
    unrated = filters.wanted(factory.ledger, viewer, only_unrated=True)
    all_of_them = filters.wanted(factory.ledger, viewer, only_unrated=False)
    walked = all_of_them if every else unrated
    shown = _named(factory, campaign, job, viewer) if job else _next(factory, campaign, walked, viewer, after)
    place = shown.delivered.asset.job_id if shown else after
    following = _next(factory, campaign, walked, viewer, place)
    before = gallery.before(campaign, all_of_them, viewer, place) if place else None
    return page(
        request,
        "rate.html",
        visitor,
        campaign=factory.ledger.campaigns.status(campaign),
        one=View.of(shown) if shown else None,
        reasons=list(reasons_for(shown.delivered.kind).values()) if shown else [],
        following=View.of(following) if following and following != shown else None,
        before=before.delivered.asset.job_id if before else None,
        left=gallery.count(campaign, unrated, viewer),
        total=gallery.count(campaign, all_of_them, viewer),
        filters=filters,
        every=every,
        trail=Trail.parse(trail),
    )


@router.post("/campaigns/{campaign}/rate")
def rate(factory: Factory, visitor: Visitor, campaign: OwnCampaign, filters: Filters, form: Sent) -> Response:
    """Send what was said of an asset, and show the next one."""
    job = form.get("job")
    shown = _named(factory, campaign, job, visitor.viewer)
    sent = send(factory.ledger, factory.broker, _said(shown, form), visitor.rater, PATIENCE_SECONDS)
    trail = Trail.parse(form.get("trail")).and_then(job, sent.id)
    return go_to(_address(campaign, filters, form, after=job, trail=str(trail)))


@router.post("/campaigns/{campaign}/undo")
def undo(factory: Factory, visitor: Visitor, campaign: OwnCampaign, filters: Filters, form: Sent) -> Response:
    """Take back what was said last, and show that asset again."""
    trail = Trail.parse(form.get("trail"))
    last = trail.last
    if last is None:
        raise FeedbackError("there is nothing to take back: nothing was said on this page yet")
    _named(factory, campaign, last.job_id, visitor.viewer)
    back = taken_back(factory.ledger, visitor.caller.tenant, visitor.rater, last.job_id, last.message_id)
    send(factory.ledger, factory.broker, back, visitor.rater, PATIENCE_SECONDS)
    return go_to(_address(campaign, filters, form, job=last.job_id, trail=str(trail.without_last)))


def _named(factory: Opened, campaign: str, job: str, viewer: Viewer) -> Shown:
    """Return the asset of a job of this campaign; one of another campaign is as good as none."""
    if factory.ledger.jobs.strangers(campaign, [job]):
        raise UnknownIdError(f"job '{job}' is none of campaign {campaign}")
    return factory.ledger.gallery.one(job, viewer)


def _next(factory: Opened, campaign: str, wanted: Wanted, viewer: Viewer, after: str) -> Shown | None:
    """Return the first asset after that job, or else the first of all: nothing is left behind."""
    gallery = factory.ledger.gallery
    for place in dict.fromkeys((after, "")):
        if found := gallery.page(campaign, wanted, viewer, 1, place):
            return found[0]
    return None


def _said(shown: Shown, form: Form) -> Rating:
    """Return the rating that a form says, with what the person said before and does not say otherwise now."""
    what, _, value = form.get("say").partition(":")
    mine, job, comment = shown.mine, shown.delivered.asset.job_id, form.get("comment").strip()
    stars = mine.stars if mine else None
    match what:
        case "stars":
            said = {"approves": mine.approves, "reason": mine.reason} if mine else {}
            return rating_of(job, stars=int(value) if value.isdecimal() else value, comment=comment, **said)
        case "approve":
            return rating_of(job, stars=stars, approves=True, comment=comment)
        case "reject":
            return rating_of(job, stars=stars, approves=False, reason=value or None, comment=comment)
        case _:
            raise FeedbackError("say: is one of stars:1 to stars:5, approve, reject and reject:REASON")


def _address(campaign: str, filters: Filter, form: Form, **more: str) -> str:
    every = "true" if form.get("every") else ""
    return f"/campaigns/{campaign}/rate?{filters.query(every=every, **more)}"
