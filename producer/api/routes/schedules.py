"""Schedules: campaigns that are submitted by the clock; added, listed, changed, paused, run at once, removed."""

import json
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field, JsonValue, StringConstraints

from core.errors import Problem
from core.ledger.runs import Run
from core.ledger.schedules import Schedule, ScheduleState
from producer.api.access import PRODUCER, VIEWER, Caller, Me
from producer.api.answers import Moment
from producer.api.cursors import Cursor, Limit, cursor_of, moment_after, name_after
from producer.api.describe import refusals
from producer.api.opened import Factory, Opened
from producer.api.owned import OwnSchedule
from producer.api.problems import renamed
from producer.schedules import templates
from producer.schedules.cron import NEVER, next_after
from producer.schedules.keep import Owner, Wish, add, change
from producer.schedules.scheduler import run_now
from producer.schedules.templates import Taken
from schemas.campaigns import Name, Priority, Window
from schemas.frozen import Frozen
from schemas.schedules import CatchUp, RunState

router = APIRouter(prefix="/v1", tags=["schedules"])

Cron = Annotated[
    str,
    StringConstraints(min_length=9, max_length=100),
    Field(description="Minute, hour, day of the month, month, day of the week.", examples=["0 6 * * 1"]),
]
Zone = Annotated[
    str, StringConstraints(min_length=1, max_length=64), Field(description="Whose clock.", examples=["Europe/Berlin"])
]
Definition = Annotated[
    dict[str, JsonValue], Field(description="A campaign, as the body of `POST /v1/campaigns` in JSON has it.")
]
Missed = Annotated[CatchUp, Field(description="What is run of what was missed: nothing, the newest, the newest ten.")]


class ScheduleOrder(Frozen):
    """A campaign, and when it shall be submitted."""

    campaign: Definition
    cron: Cron
    timezone: Annotated[Zone | None, Field(description="If not given that of the campaign, or UTC.")] = None
    name: Annotated[Name | None, Field(description="If not given that of the campaign.")] = None
    catch_up: Missed = CatchUp.SKIP
    window: Annotated[Window | None, Field(description="Made only at these times of day, by the same clock.")] = None
    priority: Annotated[Priority | None, Field(description="Instead of the campaign's own.")] = None


class ScheduleChange(Frozen):
    """What shall be otherwise from now on; what is not given stays."""

    campaign: Definition | None = None
    cron: Cron | None = None
    timezone: Zone | None = None
    catch_up: CatchUp | None = None
    window: Annotated[Window | None, Field(description="Null leaves it as it is.")] = None
    priority: Priority | None = None
    is_paused: Annotated[bool | None, Field(strict=True, description="Pause it, or go on with it.")] = None


class ScheduleAnswer(Frozen):
    """A schedule."""

    schedule: Annotated[str, Field(description="Its id.")]
    name: str
    state: ScheduleState
    cron: str
    timezone: str
    catch_up: CatchUp
    window: Annotated[str, Field(description="Empty: as the campaign says.")]
    priority: Priority | None
    next_at: Annotated[Moment | None, Field(description="When it is due next; null while it is paused.")]
    created_at: Moment
    created_by: str

    @classmethod
    def of(cls, one: Schedule) -> "ScheduleAnswer":
        """Return a schedule as it is answered."""
        is_coming = one.state == ScheduleState.ACTIVE and one.next_at < NEVER
        names = cls.model_fields.keys() - {"schedule", "next_at"}
        plain = {name: getattr(one, name) for name in names}
        return cls(schedule=one.id, next_at=one.next_at if is_coming else None, **plain)


class ScheduleDetails(Frozen):
    """A schedule and the campaign that it submits, as it was when it was taken."""

    schedule: ScheduleAnswer
    definition: str
    files: Annotated[tuple[str, ...], Field(description="What lay beside the campaign file.")]


class SchedulePage(Frozen):
    """Schedules, in the order of their names."""

    schedules: tuple[ScheduleAnswer, ...]
    next_cursor: str | None


class RunAnswer(Frozen):
    """A moment that a schedule was due at, and what became of it."""

    due_at: Moment
    state: RunState
    cause: Annotated[str, Field(description="The clock, or who asked for it.")]
    campaign: str | None
    reason: Annotated[str, Field(description="Why it was skipped, failed, or is not submitted yet.")]
    decided_at: Moment
    ended_at: Moment | None

    @classmethod
    def of(cls, one: Run) -> "RunAnswer":
        """Return a run as it is answered."""
        plain = {name: getattr(one, name) for name in cls.model_fields if name != "campaign"}
        return cls(campaign=one.campaign_id, **plain)


class RunPage(Frozen):
    """Runs, newest first."""

    runs: tuple[RunAnswer, ...]
    next_cursor: str | None


@router.get("/schedules", dependencies=[VIEWER], responses=refusals())
def list_schedules(factory: Factory, me: Me, limit: Limit = 50, cursor: Cursor = None) -> SchedulePage:
    """List schedules in the order of their names."""
    found = factory.ledger.schedules.page(me.tenant, limit + 1, name_after(cursor))
    shown = found[:limit]
    following = cursor_of(shown[-1].name) if len(found) > limit else None
    return SchedulePage(schedules=tuple(map(ScheduleAnswer.of, shown)), next_cursor=following)


@router.post("/schedules", status_code=201, dependencies=[PRODUCER], responses=refusals(409, 413))
def add_schedule(factory: Factory, me: Me, order: ScheduleOrder, response: Response) -> ScheduleAnswer:
    """Have a campaign submitted by the clock; it is checked at once, as a plan is. A name is given once."""
    wish = Wish(order.cron, order.timezone, order.catch_up, order.window, order.priority)
    with in_its_words():
        taken = _taken(order.campaign, me)
        made = add(factory.ledger, factory.settings, taken, wish, owner_of(me), order.name, time.time())
    response.headers["Location"] = f"/v1/schedules/{made.id}"
    return ScheduleAnswer.of(made)


@router.get("/schedules/{schedule}", dependencies=[VIEWER], responses=refusals(404))
def get_schedule(factory: Factory, schedule: OwnSchedule) -> ScheduleDetails:
    """Show a schedule and its campaign."""
    kept = factory.ledger.schedules.template(schedule.template_id)
    return ScheduleDetails(
        schedule=ScheduleAnswer.of(schedule), definition=kept.definition, files=tuple(sorted(kept.files))
    )


@router.patch("/schedules/{schedule}", dependencies=[PRODUCER], responses=refusals(404, 413))
def change_schedule(factory: Factory, me: Me, schedule: OwnSchedule, order: ScheduleChange) -> ScheduleAnswer:
    """Change a schedule from now on, pause it, or go on with it. What has come due is decided already."""
    wish = Wish(order.cron, order.timezone, order.catch_up, order.window, order.priority)
    changed = schedule
    if order.campaign is not None or wish != Wish():
        with in_its_words():
            taken = None if order.campaign is None else _taken(order.campaign, me)
            changed = change(factory.ledger, factory.settings, schedule, wish, owner_of(me), taken, time.time())
    if order.is_paused is not None:
        _pause(factory, changed, me, is_paused=order.is_paused)
    return ScheduleAnswer.of(factory.ledger.schedules.find(me.tenant, schedule.id))


@router.delete("/schedules/{schedule}", status_code=204, dependencies=[PRODUCER], responses=refusals(404))
def remove_schedule(factory: Factory, me: Me, schedule: OwnSchedule) -> None:
    """Submit nothing by it any more. Campaigns that it has submitted stay as they are."""
    factory.ledger.schedules.remove(schedule, me.actor)


@router.post("/schedules/{schedule}/run", status_code=201, dependencies=[PRODUCER], responses=refusals(404))
def run_schedule(factory: Factory, me: Me, schedule: OwnSchedule) -> RunAnswer:
    """Submit its campaign once now, besides what the clock says; also while it is paused."""
    return RunAnswer.of(run_now(factory.ledger, factory.settings, factory.broker, schedule, me.actor))


@router.get("/schedules/{schedule}/runs", dependencies=[VIEWER], responses=refusals(404))
def list_runs(factory: Factory, schedule: OwnSchedule, limit: Limit = 50, cursor: Cursor = None) -> RunPage:
    """List the moments that a schedule was due at, newest first, and what became of them."""
    after = moment_after(cursor)
    found = factory.ledger.runs.history(schedule.id, limit + 1, after[0] if after else None)
    shown = found[:limit]
    following = cursor_of(shown[-1].due_at, "") if len(found) > limit else None
    return RunPage(runs=tuple(map(RunAnswer.of, shown)), next_cursor=following)


def _taken(definition: dict[str, JsonValue], me: Caller) -> Taken:
    return templates.received(json.dumps(definition).encode(), "campaign.json", me.tenant)


def owner_of(me: Caller) -> Owner:
    """Return whose a schedule is that a caller makes or changes."""
    return Owner(me.tenant, me.actor, is_limited=True)


def _pause(factory: Opened, schedule: Schedule, me: Caller, *, is_paused: bool) -> None:
    if is_paused:
        factory.ledger.schedules.pause(schedule, me.actor)
    else:
        next_at = next_after(schedule.cron, schedule.timezone, time.time())
        factory.ledger.schedules.resume(schedule, next_at, me.actor)


def in_its_words() -> AbstractContextManager[None]:
    """Tell what is wrong with the campaign of a schedule by the fields of the call, which has no lines."""
    return renamed(_renamed)


def _renamed(problem: Problem) -> Problem:
    return replace(problem, file="", field=f"campaign.{problem.field}" if problem.field else "campaign")
