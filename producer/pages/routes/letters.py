"""Dead letters: the jobs that failed and why, their briefs to be mended, and trying them again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from core.errors import ImpossibleWorkError, StateError
from core.ledger.jobs import JobStatus
from producer.api.cursors import Cursor, cursor_of, name_after
from producer.api.opened import Factory
from producer.api.owned import OwnJob
from producer.api.routes.campaigns import retry
from producer.edit import edited
from producer.pages.forms import Form, Sent
from producer.pages.person import SEES, STEERS, Person, Visitor
from producer.pages.render import go_to, page
from schemas.jobs import Brief, JobState
from schemas.rates import rates

router = APIRouter()

ROWS = 50
# Above this many characters a field has room for lines.
LONG = 60
# What a brief says only of its kind.
ORDERS = {"picture", "creative", "music"}
# What is most often to be mended comes first.
ROOMS = ("product", "audience", "brand")
OfCampaign = Annotated[str, Query(max_length=80, pattern=r"^[a-z0-9-]*$")]


@dataclass(frozen=True)
class Field:
    """A field of a brief: its path, its value as one types it, and whether it takes lines."""

    path: str
    value: str
    is_long: bool
    is_list: bool


@router.get("/dead-letters", dependencies=[SEES])
def show_letters(
    request: Request, factory: Factory, visitor: Visitor, campaign: OfCampaign = "", cursor: Cursor = None
) -> Response:
    """Show the jobs that failed, of one campaign or of all."""
    jobs, after = factory.ledger.jobs, name_after(cursor)
    if campaign:
        factory.ledger.campaigns.require(visitor.caller.tenant, campaign)
        found = jobs.page(campaign, ROWS + 1, after, (JobState.FAILED,))
    else:
        found = jobs.dead_letters_of(visitor.caller.tenant, ROWS + 1, after)
    return page(
        request,
        "dead_letters.html",
        visitor,
        letters=found[:ROWS],
        campaign=factory.ledger.campaigns.status(campaign) if campaign else None,
        following=cursor_of(found[ROWS - 1].job.id) if len(found) > ROWS else None,
        is_first=cursor is None,
    )


@router.get("/dead-letters/{job}", dependencies=[SEES])
def show_letter(request: Request, factory: Factory, visitor: Visitor, job: OwnJob) -> Response:
    """Show a job that failed: what it was to make, how each attempt ended, and its brief to be mended."""
    return _letter(request, factory, visitor, factory.ledger.jobs.status(job))


@router.post("/dead-letters/{job}", dependencies=[STEERS])
def mend(request: Request, factory: Factory, visitor: Visitor, job: OwnJob, form: Sent) -> Response:
    """Give a dead letter the brief that was typed, and let it wait again where that is wanted."""
    status = factory.ledger.jobs.status(job)
    if status.state != JobState.FAILED:
        raise StateError(f"job {job} is {status.state}: only a failed one can be mended or tried again")
    changes = _changes(status.job.brief, form)
    if changes:
        assignments = [f"{path}={value}" for path, value in changes.items()]
        try:
            brief = edited(status.job, assignments, rates())
        except ImpossibleWorkError as error:
            return _letter(request, factory, visitor, status, str(error), changes)
        factory.ledger.jobs.edit(job, brief, visitor.caller.actor)
    if form.get("then") == "retry":
        retry(factory, visitor.caller.actor, [job])
        return go_to(f"/dead-letters?campaign={status.job.campaign_id}")
    return go_to(f"/dead-letters/{job}")


def _letter(
    request: Request,
    factory: Factory,
    visitor: Person,
    status: JobStatus,
    told: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    typed = typed or {}
    fields = [
        Field(one.path, typed.get(one.path, one.value), one.is_long, one.is_list)
        for one in _fields(status.job.brief.model_dump(mode="json"))
    ]
    fields.sort(key=lambda one: next((i for i, room in enumerate(ROOMS) if one.path.startswith(f"{room}.")), 9))
    return page(
        request,
        "dead_letter.html",
        visitor,
        status_code=422 if told else 200,
        letter=status,
        failures=factory.ledger.jobs.failures(status.job.id),
        history=list(factory.ledger.campaigns.history(status.job.id)),
        fields=fields,
        told=told,
    )


def _fields(room: Mapping[str, Any], path: str = "") -> Iterator[Field]:
    """Yield every field of a brief that has a value of its own."""
    for name, value in room.items():
        # What a revision says of former assets is history; what is no picture has no order for one.
        if name == "revision" or (name in ORDERS and value is None):
            continue
        if isinstance(value, dict):
            yield from _fields(value, f"{path}{name}.")
            continue
        is_list = isinstance(value, list)
        text = "" if value is None else json.dumps(value, ensure_ascii=False) if is_list else str(value)
        yield Field(f"{path}{name}", text, len(text) > LONG or name == "description", is_list)


def _changes(brief: Brief, form: Form) -> dict[str, str]:
    """Return the fields whose values were changed."""
    now = {one.path: one.value for one in _fields(brief.model_dump(mode="json"))}
    typed = dict(form.beginning_with("brief."))
    return {path: value for path, value in typed.items() if value.strip() != now.get(path, "").strip()}
