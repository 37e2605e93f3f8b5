"""Jobs: ordered one by one, listed, shown, cancelled; dead letters mended and tried again; assets and their links."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from core.ledger import Ledger
from core.ledger.jobs import JobStatus
from producer.api.access import PRODUCER, VIEWER, Me
from producer.api.answers import (
    ActionAnswer,
    AssetAnswer,
    AssetPage,
    FailureAnswer,
    JobAnswer,
    JobDetails,
    JobPage,
    LinkAnswer,
)
from producer.api.cursors import Cursor, Limit, cursor_of, name_after
from producer.api.describe import refusals
from producer.api.incoming import IdempotencyKey, submit_once
from producer.api.opened import Factory
from producer.api.orders import JobOrder, campaign_of, in_its_words
from producer.api.owned import OwnCampaign, OwnJob
from producer.api.routes.campaigns import retry
from producer.edit import edited
from schemas.frozen import Frozen
from schemas.jobs import JobState
from schemas.rates import rates

router = APIRouter(prefix="/v1", tags=["jobs"])

MOST_LINK_SECONDS = 604_800
LINK_SECONDS = 3600
MOST_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.2
OPEN = {JobState.WAITING, JobState.LEASED}

Change = Annotated[str, StringConstraints(max_length=4000)]
FieldPath = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}(\.[a-z_]{1,40}){0,3}$")]


class EditOrder(Frozen):
    """New values for fields of a brief; an empty value takes a field away. A list is written as JSON."""

    changes: Annotated[
        dict[FieldPath, Change],
        Field(min_length=1, max_length=50, examples=[{"product.description": "Dark roast with cocoa"}]),
    ]
    retry: Annotated[bool, Field(description="Let it wait again at once.")] = False


@router.post(
    "/jobs",
    status_code=201,
    dependencies=[PRODUCER],
    responses=refusals(409, 413) | {200: {"model": JobAnswer, "description": "It was there already."}},
)
async def submit_job(
    factory: Factory, me: Me, order: JobOrder, request: Request, response: Response, key: IdempotencyKey = None
) -> JobAnswer:
    """Have one asset made, before all that is not as urgent. Ask for it by its id until it is done."""
    body = await request.body()
    with in_its_words():
        source = await run_in_threadpool(campaign_of, order, me.tenant)
        submitted = await run_in_threadpool(submit_once, factory, me, source, key, "submit_job", body)
    (status,) = await run_in_threadpool(factory.ledger.jobs.page, submitted.id, 1)
    response.headers["Location"] = f"/v1/jobs/{status.job.id}"
    response.status_code = 201 if submitted.is_new else 200
    return JobAnswer.of(status)


@router.get("/campaigns/{campaign}/jobs", dependencies=[VIEWER], responses=refusals(404))
def list_jobs(
    factory: Factory,
    campaign: OwnCampaign,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
) -> JobPage:
    """List the jobs of a campaign in the order of its plan."""
    states = (state,) if state else tuple(JobState)
    return _page(factory.ledger.jobs.page(campaign, limit + 1, name_after(cursor), states), limit)


@router.get("/dead-letters", dependencies=[VIEWER], responses=refusals())
def list_dead_letters(factory: Factory, me: Me, limit: Limit = 50, cursor: Cursor = None) -> JobPage:
    """List the jobs that failed, of all campaigns, and why."""
    return _page(factory.ledger.jobs.dead_letters_of(me.tenant, limit + 1, name_after(cursor)), limit)


@router.get("/jobs/{job}", dependencies=[VIEWER], responses=refusals(404))
async def get_job(
    factory: Factory,
    job: OwnJob,
    wait_seconds: Annotated[
        float, Query(ge=0, le=MOST_WAIT_SECONDS, description="Answer only when it is at its end, or after so long.")
    ] = 0.0,
) -> JobDetails:
    """Show one job: its brief, where it stands, its line, every failure, and what was done to it."""
    ends_at = time.monotonic() + wait_seconds
    status = await run_in_threadpool(factory.ledger.jobs.status, job)
    while status.state in OPEN and time.monotonic() < ends_at:
        await asyncio.sleep(POLL_SECONDS)
        status = await run_in_threadpool(factory.ledger.jobs.status, job)
    return await run_in_threadpool(_details, factory.ledger, status)


@router.patch("/jobs/{job}", dependencies=[PRODUCER], responses=refusals(404, 409))
def edit_dead_letter(factory: Factory, me: Me, job: OwnJob, order: EditOrder) -> JobAnswer:
    """Mend the brief of a job that failed, by the rules of campaigns; `retry` lets it wait again."""
    assignments = [f"{path}={value}" for path, value in order.changes.items()]
    brief = edited(factory.ledger.jobs.status(job).job, assignments, rates())
    factory.ledger.jobs.edit(job, brief, me.actor)
    if order.retry:
        retry(factory, me.actor, [job])
    return JobAnswer.of(factory.ledger.jobs.status(job))


@router.post("/jobs/{job}/cancel", dependencies=[PRODUCER], responses=refusals(404))
def cancel_job(factory: Factory, me: Me, job: OwnJob) -> JobAnswer:
    """End an open job; the jobs made of it fail. One that is at its end stays as it is."""
    factory.ledger.jobs.cancel(job, me.actor)
    return JobAnswer.of(factory.ledger.jobs.status(job))


@router.post("/jobs/{job}/retry", dependencies=[PRODUCER], responses=refusals(404, 409))
def retry_job(factory: Factory, me: Me, job: OwnJob) -> JobAnswer:
    """Let a dead letter wait again, with all its attempts. A job that did not fail stays as it is."""
    retry(factory, me.actor, [job])
    return JobAnswer.of(factory.ledger.jobs.status(job))


@router.get("/campaigns/{campaign}/assets", dependencies=[VIEWER], responses=refusals(404), tags=["assets"])
def list_assets(factory: Factory, campaign: OwnCampaign, limit: Limit = 50, cursor: Cursor = None) -> AssetPage:
    """List what a campaign has made, in the order of its plan."""
    found = factory.ledger.assets.page(campaign, limit + 1, name_after(cursor))
    shown = found[:limit]
    following = cursor_of(shown[-1].asset.job_id) if len(found) > limit else None
    return AssetPage(assets=tuple(map(AssetAnswer.of, shown)), next_cursor=following)


@router.get("/jobs/{job}/link", dependencies=[VIEWER], responses=refusals(404), tags=["assets"])
def get_link(
    factory: Factory,
    job: OwnJob,
    seconds: Annotated[int, Query(ge=1, le=MOST_LINK_SECONDS, description="How long the link works.")] = LINK_SECONDS,
) -> LinkAnswer:
    """Give a link to the object that holds a job's asset, for anybody, until it ends."""
    asset = factory.ledger.assets.stored_of_job(job)
    location = asset.location
    return LinkAnswer(
        link=factory.storage.link(location.key, seconds),
        seconds=seconds,
        first_byte=location.offset_bytes,
        last_byte=location.offset_bytes + location.length_bytes - 1,
        content_type=asset.content_type,
        sha256=location.sha256,
    )


def _page(found: list[JobStatus], limit: int) -> JobPage:
    shown = found[:limit]
    following = cursor_of(shown[-1].job.id) if len(found) > limit else None
    return JobPage(jobs=tuple(map(JobAnswer.of, shown)), next_cursor=following)


def _details(ledger: Ledger, status: JobStatus) -> JobDetails:
    job = status.job.id
    failures = (
        FailureAnswer(at=at, attempt=attempt, code=code, message=message)
        for at, attempt, _, code, message in ledger.jobs.failures(job)
    )
    actions = (ActionAnswer(at=at, actor=who, action=what) for at, who, what, _ in ledger.campaigns.history(job))
    return JobDetails(
        job=JobAnswer.of(status),
        preview=ledger.assets.of_job(job).preview if status.state == JobState.DONE else None,
        failures=tuple(failures),
        actions=tuple(actions),
    )
