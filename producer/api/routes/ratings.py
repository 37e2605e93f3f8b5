"""Ratings: said one by one or many at once, listed, added up, followed by a job that makes an asset anew, forgotten."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from core.errors import FeedbackError, StateError
from core.ledger.feedback import MOST_AT_ONCE
from producer.api.access import ADMIN, PRODUCER, RATER, VIEWER, Caller, Me
from producer.api.cursors import Cursor, Limit, cursor_of, moment_after
from producer.api.describe import refusals
from producer.api.opened import Factory, Opened
from producer.api.opinions import (
    AssetScoreAnswer,
    ComparisonOrder,
    ForgottenAnswer,
    GroupAnswer,
    ManySaidAnswer,
    RatingAnswer,
    RatingLine,
    RatingOrder,
    RatingPage,
    RefusedLine,
    RegeneratedAnswer,
    RegenerateOrder,
    SaidAnswer,
    ScoresAnswer,
)
from producer.api.owned import OwnCampaign, OwnJob
from producer.api.problems import Fault, fault_of
from producer.rate import comparison_of, message_of, post, rating_of
from producer.regenerate import regenerate
from producer.submit import ring_for
from schemas.access import Role
from schemas.jobs import JobState
from schemas.ratings import Comparison, Feedback, Rater, Rating, what_is_wrong

router = APIRouter(prefix="/v1", tags=["ratings"])

MOST_LINES = 1000
MOST_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.1

Wait = Annotated[
    float, Query(ge=0, le=MOST_WAIT_SECONDS, description="Answer only when it is recorded, or after so long.")
]
Lines = Annotated[
    tuple[dict[str, JsonValue], ...],
    Body(
        max_length=MOST_LINES,
        description="Each as the body of `POST /v1/jobs/{job}/ratings`, and the field `job`.",
        examples=[[{"job": "spring-roast-3b63ba18-000007", "stars": 4}]],
    ),
]


@router.post("/jobs/{job}/ratings", status_code=202, dependencies=[RATER], responses=refusals(404, 409))
async def rate_job(factory: Factory, me: Me, job: OwnJob, order: RatingOrder, wait_seconds: Wait = 0.0) -> SaidAnswer:
    """Say what you think of an asset. A later rating of the same person takes the place of the former one."""
    content = rating_of(job, **order.model_dump(exclude={"rater"}))
    return await _say(factory, job, content, rater_of(me, order.rater), wait_seconds)


@router.post("/jobs/{job}/comparisons", status_code=202, dependencies=[RATER], responses=refusals(404, 409))
async def compare_job(
    factory: Factory, me: Me, job: OwnJob, order: ComparisonOrder, wait_seconds: Wait = 0.0
) -> SaidAnswer:
    """Say how an asset compares with another one of its kind."""
    content = comparison_of(job, other_job_id=order.other_job, outcome=order.outcome, comment=order.comment)
    return await _say(factory, job, content, rater_of(me, order.rater), wait_seconds)


@router.post("/ratings", status_code=202, dependencies=[RATER], responses=refusals(413))
def rate_jobs(factory: Factory, me: Me, lines: Lines) -> ManySaidAnswer:
    """Say what you think of many assets. What cannot be recorded is refused by its place; all others are accepted."""
    accepted: list[Feedback] = []
    refused: list[RefusedLine] = []
    for start in range(0, len(lines), MOST_AT_ONCE):
        part = enumerate(lines[start : start + MOST_AT_ONCE], start)
        read = [(index, _message(me, line)) for index, line in part]
        messages = [(index, one) for index, one in read if isinstance(one, Feedback)]
        refused += [RefusedLine(index=index, problem=one) for index, one in read if isinstance(one, Fault)]
        reasons = factory.ledger.intake.why_not_each([one for _, one in messages])
        for (index, one), why in zip(messages, reasons, strict=True):
            if why:
                refused.append(RefusedLine(index=index, problem=fault_of(why)))
            else:
                accepted.append(one)
    is_sent = not accepted or post(factory.ledger, factory.broker, accepted)
    refused.sort(key=lambda one: one.index)
    return ManySaidAnswer(accepted=len(accepted), refused=tuple(refused), is_sent=is_sent)


@router.get("/jobs/{job}/ratings", dependencies=[VIEWER], responses=refusals(404))
def list_ratings(factory: Factory, job: OwnJob, limit: Limit = 50, cursor: Cursor = None) -> RatingPage:
    """List every rating that an asset ever got, newest first, and whether it is approved."""
    found = factory.ledger.ratings.page(job, limit + 1, moment_after(cursor))
    shown = found[:limit]
    following = cursor_of(shown[-1].rated_at, shown[-1].message_id) if len(found) > limit else None
    standing = factory.ledger.ratings.standing(job)
    return RatingPage(job=job, standing=standing, ratings=tuple(map(RatingAnswer.of, shown)), next_cursor=following)


@router.get("/campaigns/{campaign}/scores", dependencies=[VIEWER], responses=refusals(404))
def get_scores(
    factory: Factory,
    campaign: OwnCampaign,
    assets: Annotated[int, Query(ge=0, le=1000, description="List so many assets of each kind.")] = 0,
    worst: Annotated[bool, Query(description="With `assets`: the worst first.")] = False,  # noqa: FBT002
) -> ScoresAnswer:
    """Show what the ratings of a campaign add up to, by kind, channel, audience and style, and how sure that is."""
    scores = factory.ledger.scores
    listed = scores.of_assets(campaign, assets, worst=worst) if assets else []
    return ScoresAnswer(
        campaign=campaign,
        groups=tuple(map(GroupAnswer.of, scores.groups(campaign))),
        reasons=scores.reasons(campaign),
        assets=tuple(map(AssetScoreAnswer.of, listed)),
    )


@router.post(
    "/jobs/{job}/regenerate",
    status_code=201,
    dependencies=[PRODUCER],
    responses=refusals(404, 409) | {200: {"model": RegeneratedAnswer, "description": "It was asked for before."}},
)
def regenerate_job(
    factory: Factory, me: Me, job: OwnJob, order: RegenerateOrder, response: Response
) -> RegeneratedAnswer:
    """Make a rejected asset anew, as another job; it and what is nearly like it do not come again."""
    made = regenerate(factory.ledger, job, order.reason, rater_of(me, order.rater))
    if made.is_new:
        ring_for(factory.broker, 1, factory.settings.batch_size)
    response.headers["Location"] = f"/v1/jobs/{made.job_id}"
    response.status_code = 201 if made.is_new else 200
    return RegeneratedAnswer.of(made)


# A name may hold a slash; one that holds the end of a line, which no name does, is at no address.
@router.delete("/raters/{name:path}", dependencies=[ADMIN], responses=refusals(404))
def forget_rater(
    factory: Factory, me: Me, name: Annotated[Rater, Path(description="The person, as ratings name them.")]
) -> ForgottenAnswer:
    """Delete all that a person said of assets of yours. It cannot be undone."""
    return ForgottenAnswer(deleted=factory.ledger.intake.forget(me.tenant, name, me.actor))


def rater_of(me: Caller, named: str | None) -> str:
    """Return who says it; raises HTTPException when the caller may not speak for others."""
    if named in {None, me.name}:
        return me.name
    if not me.role.may(Role.PRODUCER):
        raise HTTPException(
            403, f"to rate for somebody else needs the role producer; leave out `rater` to be {me.name}"
        )
    return str(named)


async def _say(factory: Opened, job: str, content: Rating | Comparison, rater: str, wait_seconds: float) -> SaidAnswer:
    ends_at = time.monotonic() + wait_seconds
    message, is_sent = await run_in_threadpool(_send, factory, job, content, rater)
    is_recorded = await run_in_threadpool(factory.ledger.intake.is_recorded, message.id)
    while is_sent and not is_recorded and time.monotonic() < ends_at:
        await asyncio.sleep(POLL_SECONDS)
        is_recorded = await run_in_threadpool(factory.ledger.intake.is_recorded, message.id)
    return SaidAnswer(message=message.id, job=job, rater=rater, is_sent=is_sent, is_recorded=is_recorded)


def _send(factory: Opened, job: str, content: Rating | Comparison, rater: str) -> tuple[Feedback, bool]:
    state = factory.ledger.jobs.status(job).state
    if state != JobState.DONE:
        raise StateError(f"job {job} is {state}: only what is done can be rated")
    message = message_of(content, rater, factory.ledger.jobs.tenant(job))
    if refusal := factory.ledger.intake.why_not(message):
        raise FeedbackError(refusal)
    return message, post(factory.ledger, factory.broker, [message])


def _message(me: Caller, line: dict[str, JsonValue]) -> Feedback | Fault:
    """Return the message that one of many ratings is, or what is wrong with it."""
    try:
        order = RatingLine.model_validate(line)
        content = rating_of(order.job, **order.model_dump(exclude={"job", "rater"}))
        return message_of(content, rater_of(me, order.rater), me.tenant)
    except ValidationError as error:
        return fault_of(what_is_wrong(error))
    except FeedbackError as error:
        return fault_of(str(error))
    except HTTPException as error:
        return Fault(field="rater", message=error.detail)
