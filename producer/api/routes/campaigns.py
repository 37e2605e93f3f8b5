"""Campaigns: planned, submitted, listed, watched, paused, resumed, cancelled, made more urgent, tried again."""

from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field

from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import CampaignState
from producer.api.access import PRODUCER, VIEWER, Me
from producer.api.answers import (
    CampaignAnswer,
    CampaignPage,
    CancelledAnswer,
    JobId,
    ProgressAnswer,
    RetriedAnswer,
    SubmittedAnswer,
)
from producer.api.cursors import Cursor, Limit, cursor_of, moment_after
from producer.api.describe import refusals
from producer.api.incoming import IdempotencyKey, Received, body_of_campaign, submit_once
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnCampaign
from producer.api.streams import STREAM, progress_events
from producer.estimate import estimate
from producer.plan import Plan
from producer.progress import snapshot
from producer.submit import ring_for
from schemas.campaigns import Campaign, Priority
from schemas.frozen import Frozen
from schemas.jobs import JobState

router = APIRouter(prefix="/v1", tags=["campaigns"])

# A list of ids in one statement: databases take no more than some ten thousand.
IDS_AT_ONCE = 500
MOST_JOBS_IN_A_CALL = 1000

Workers = Annotated[int, Query(ge=1, le=10_000, description="How many workers share the work.")]
Price = Annotated[float | None, Query(ge=0, le=1e9, description="What an hour of a device costs.")]


class PriorityOrder(Frozen):
    """How urgent a campaign shall be; a better class always goes first."""

    priority: Priority


class RetryOrder(Frozen):
    """Which dead letters shall wait again: these, or all when none is named."""

    jobs: Annotated[tuple[JobId, ...], Field(max_length=MOST_JOBS_IN_A_CALL)] = ()


@router.post(
    "/plans", dependencies=[PRODUCER], openapi_extra=body_of_campaign(), responses=refusals(413, 415), tags=["plans"]
)
def plan_campaign(
    factory: Factory,
    received: Received,
    workers: Workers = 1,
    device: Annotated[str | None, Query(pattern="^[a-z]{1,20}$", description="cpu or cuda; else as set.")] = None,
    price: Price = None,
) -> Plan:
    """Check a campaign, count its jobs and estimate time and money; start nothing."""
    measured = factory.ledger.assets.measured_rates()
    return estimate(received.read(), factory.settings, measured, workers, device, price)


@router.post(
    "/campaigns",
    status_code=201,
    dependencies=[PRODUCER],
    openapi_extra=body_of_campaign(),
    responses=refusals(409, 413, 415) | {200: {"model": SubmittedAnswer, "description": "It was there already."}},
)
def submit_campaign(
    factory: Factory, me: Me, received: Received, response: Response, key: IdempotencyKey = None
) -> SubmittedAnswer:
    """Have a campaign made. The same campaign twice is one, with or without an Idempotency-Key."""
    submitted = submit_once(factory, me, received.read(), key, "submit_campaign", received.body)
    response.headers["Location"] = f"/v1/campaigns/{submitted.id}"
    response.status_code = 201 if submitted.is_new else 200
    return SubmittedAnswer(
        campaign=_answer(factory, submitted.id), is_new=submitted.is_new, tickets_rung=submitted.tickets_rung
    )


@router.get("/campaigns", dependencies=[VIEWER], responses=refusals())
def list_campaigns(
    factory: Factory,
    me: Me,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[CampaignState | None, Query(description="Only campaigns in this state.")] = None,
) -> CampaignPage:
    """List campaigns, newest first."""
    found = factory.ledger.campaigns.page(me.tenant, limit + 1, moment_after(cursor), state)
    shown = found[:limit]
    following = cursor_of(shown[-1].created_at, shown[-1].id) if len(found) > limit else None
    return CampaignPage(campaigns=tuple(map(CampaignAnswer.of, shown)), next_cursor=following)


@router.get("/campaigns/{campaign}", dependencies=[VIEWER], responses=refusals(404))
def get_campaign(factory: Factory, campaign: OwnCampaign) -> CampaignAnswer:
    """Show where a campaign stands."""
    return _answer(factory, campaign)


@router.get("/campaigns/{campaign}/definition", dependencies=[VIEWER], responses=refusals(404))
def get_definition(factory: Factory, campaign: OwnCampaign) -> Campaign:
    """Show a campaign as it was submitted."""
    return factory.ledger.campaigns.definition(campaign)


@router.get("/campaigns/{campaign}/progress", dependencies=[VIEWER], responses=refusals(404))
def get_progress(factory: Factory, campaign: OwnCampaign) -> ProgressAnswer:
    """Show how a campaign goes at this moment: counts by channel, rate, what is left, the newest assets."""
    return ProgressAnswer.of(snapshot(factory.ledger, campaign))


@router.get(
    "/campaigns/{campaign}/watch",
    dependencies=[VIEWER, STREAM],
    response_class=EventSourceResponse,
    responses=refusals(404),
)
async def watch_campaign(factory: Factory, campaign: OwnCampaign) -> AsyncIterator[ServerSentEvent]:
    """Follow a campaign as server-sent events until nothing more happens without a person.

    `progress` comes with each change, at most once a second, and holds what `/progress` answers; `end` is the last
    event of a campaign that is over. A stream that ends without it was long: connect again.
    """
    async for event in progress_events(factory, campaign):
        yield event


@router.post("/campaigns/{campaign}/pause", dependencies=[PRODUCER], responses=refusals(404, 409))
def pause_campaign(factory: Factory, me: Me, campaign: OwnCampaign) -> CampaignAnswer:
    """Stop making a campaign; batches in hand end normally. Twice is no error."""
    factory.ledger.campaigns.pause(campaign, me.actor)
    return _answer(factory, campaign)


@router.post("/campaigns/{campaign}/resume", dependencies=[PRODUCER], responses=refusals(404, 409))
def resume_campaign(factory: Factory, me: Me, campaign: OwnCampaign) -> CampaignAnswer:
    """Go on with a paused campaign; one that its budget stopped gets the budget lifted. Twice is no error."""
    factory.ledger.campaigns.resume(campaign, me.actor)
    answer = _answer(factory, campaign)
    ring_for(factory.broker, answer.waiting, factory.settings.batch_size)
    return answer


@router.post("/campaigns/{campaign}/cancel", dependencies=[PRODUCER], responses=refusals(404, 409))
def cancel_campaign(factory: Factory, me: Me, campaign: OwnCampaign) -> CancelledAnswer:
    """End every open job of a campaign. What is done stays. Twice is no error."""
    ended = factory.ledger.campaigns.cancel(campaign, me.actor)
    return CancelledAnswer(campaign=_answer(factory, campaign), ended_jobs=ended)


@router.put("/campaigns/{campaign}/priority", dependencies=[PRODUCER], responses=refusals(404, 409))
def set_priority(factory: Factory, me: Me, campaign: OwnCampaign, order: PriorityOrder) -> CampaignAnswer:
    """Make a campaign more or less urgent, from the next batch on."""
    status = factory.ledger.campaigns.status(campaign)
    if status.is_settled:
        raise StateError(f"campaign {campaign} is {status.state}: nothing of it waits any more")
    factory.ledger.campaigns.set_priority(campaign, order.priority, me.actor)
    return _answer(factory, campaign)


@router.post("/campaigns/{campaign}/retry", dependencies=[PRODUCER], responses=refusals(404, 409))
def retry_dead_letters(factory: Factory, me: Me, campaign: OwnCampaign, order: RetryOrder) -> RetriedAnswer:
    """Let dead letters wait again, with all their attempts. Jobs that did not fail stay as they are."""
    if strangers := factory.ledger.jobs.strangers(campaign, order.jobs):
        raise UnknownIdError(f"job {strangers[0]} is none of campaign {campaign}")
    named = order.jobs or tuple(one.job.id for one in factory.ledger.jobs.of_campaign(campaign, (JobState.FAILED,)))
    return RetriedAnswer(campaign=campaign, retried=retry(factory, me.actor, named))


def retry(factory: Opened, actor: str, jobs: Sequence[str]) -> int:
    """Let failed jobs wait again and ring for them; return how many."""
    retried, left = 0, iter(dict.fromkeys(jobs))
    while part := list(islice(left, IDS_AT_ONCE)):
        retried += factory.ledger.jobs.retry(part, actor)
    if retried:
        ring_for(factory.broker, retried, factory.settings.batch_size)
    return retried


def _answer(factory: Opened, campaign: str) -> CampaignAnswer:
    return CampaignAnswer.of(factory.ledger.campaigns.status(campaign))
