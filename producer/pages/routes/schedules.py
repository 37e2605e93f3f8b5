"""The pages of schedules: all of them with what is due next, one with its history, and a new one."""

import time
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from core.errors import ScheduleError, StateError
from core.ledger.schedules import Schedule, ScheduleState
from producer.api.cursors import Cursor, cursor_of, moment_after, name_after
from producer.api.incoming import EXAMPLE
from producer.api.opened import Factory
from producer.api.owned import OwnSchedule
from producer.api.routes import schedules as calls
from producer.pages.faults import FAULTY, Told, told_of
from producer.pages.forms import Form, Sent
from producer.pages.person import SEES, STEERS, Person, Visitor
from producer.pages.render import go_to, page
from producer.pages.routes.plans import FILE
from producer.schedules import templates
from producer.schedules.cron import NEVER, moments_after
from producer.schedules.keep import Wish, add
from schemas.campaigns import Priority
from schemas.schedules import CatchUp

router = APIRouter()

ROWS = 50
RUNS = 20
COMING = 3
FIELDS = ("campaign", "cron", "timezone", "name", "catch_up", "window", "priority")
Said = Annotated[Literal["added", "paused", "resumed", "run", ""], Query()]


@dataclass(frozen=True)
class Row:
    """A schedule as a page shows it."""

    schedule: Schedule
    # Nothing while it is paused.
    coming: tuple[float, ...]

    @classmethod
    def of(cls, one: Schedule, moments: int = 1) -> "Row":
        """Return a schedule with the moments at which it is due next."""
        if one.state != ScheduleState.ACTIVE or one.next_at >= NEVER:
            return cls(one, ())
        later = moments_after(one.cron, one.timezone, one.next_at)
        return cls(one, (one.next_at, *islice(later, moments - 1)))


@router.get("/schedules", dependencies=[SEES])
def show_schedules(
    request: Request, factory: Factory, visitor: Visitor, cursor: Cursor = None, *, removed: bool = False
) -> Response:
    """Show the schedules in the order of their names."""
    found = factory.ledger.schedules.page(visitor.caller.tenant, ROWS + 1, name_after(cursor))
    following = cursor_of(found[ROWS - 1].name) if len(found) > ROWS else None
    rows = [Row.of(one) for one in found[:ROWS]]
    return page(request, "schedules.html", visitor, rows=rows, following=following, removed=removed)


@router.get("/schedules/new", dependencies=[STEERS])
def show_new_schedule(request: Request, visitor: Visitor) -> Response:
    """Show where a schedule is typed."""
    return _new(request, visitor, dict.fromkeys(FIELDS, ""))


@router.post("/schedules/new", dependencies=[STEERS])
def add_schedule(request: Request, factory: Factory, visitor: Visitor, form: Sent) -> Response:
    """Have a campaign submitted by the clock; what is wrong is told by field and line, and nothing is lost."""
    typed = {name: form.get(name) if name == "campaign" else form.get(name).strip() for name in FIELDS}
    try:
        taken = templates.received(typed["campaign"].encode(), FILE, visitor.caller.tenant)
        owner, name = calls.owner_of(visitor.caller), typed["name"] or None
        made = add(factory.ledger, factory.settings, taken, _wish(form), owner, name, time.time())
    except (*FAULTY, StateError) as error:
        return _new(request, visitor, typed, told_of(error))
    return go_to(f"/schedules/{made.id}?said=added")


@router.get("/schedules/{schedule}", dependencies=[SEES])
def show_schedule(
    request: Request,
    factory: Factory,
    visitor: Visitor,
    schedule: OwnSchedule,
    cursor: Cursor = None,
    said: Said = "",
) -> Response:
    """Show a schedule, what it submits, and what became of each moment that it was due at."""
    after = moment_after(cursor)
    runs = factory.ledger.runs.history(schedule.id, RUNS + 1, after[0] if after else None)
    return page(
        request,
        "schedule.html",
        visitor,
        row=Row.of(schedule, COMING),
        kept=factory.ledger.schedules.template(schedule.template_id),
        runs=runs[:RUNS],
        following=cursor_of(runs[RUNS - 1].due_at, "") if len(runs) > RUNS else None,
        history=list(factory.ledger.campaigns.history(schedule.id))[-10:],
        said=said,
    )


@router.post("/schedules/{schedule}/pause", dependencies=[STEERS])
def pause_schedule(factory: Factory, visitor: Visitor, schedule: OwnSchedule) -> Response:
    """Submit nothing by it until it goes on."""
    calls.change_schedule(factory, visitor.caller, schedule, calls.ScheduleChange(is_paused=True))
    return go_to(f"/schedules/{schedule.id}?said=paused")


@router.post("/schedules/{schedule}/resume", dependencies=[STEERS])
def resume_schedule(factory: Factory, visitor: Visitor, schedule: OwnSchedule) -> Response:
    """Go on with it, from the next moment on."""
    calls.change_schedule(factory, visitor.caller, schedule, calls.ScheduleChange(is_paused=False))
    return go_to(f"/schedules/{schedule.id}?said=resumed")


@router.post("/schedules/{schedule}/run", dependencies=[STEERS])
def run_schedule_now(factory: Factory, visitor: Visitor, schedule: OwnSchedule) -> Response:
    """Submit its campaign once now, besides what the clock says."""
    calls.run_schedule(factory, visitor.caller, schedule)
    return go_to(f"/schedules/{schedule.id}?said=run")


@router.post("/schedules/{schedule}/remove", dependencies=[STEERS])
def remove_schedule(factory: Factory, visitor: Visitor, schedule: OwnSchedule) -> Response:
    """Submit nothing by it any more."""
    calls.remove_schedule(factory, visitor.caller, schedule)
    return go_to("/schedules?removed=true")


def _wish(form: Form) -> Wish:
    """Return what was typed; what nothing was typed in is left to the campaign, or to its default."""
    catch_up, priority = form.get("catch_up"), form.get("priority")
    for name, value, known in (("catch_up", catch_up, CatchUp), ("priority", priority, Priority)):
        if value and value not in set(known):
            raise ScheduleError(f"{name}: is one of {', '.join(known)}")
    return Wish(
        cron=form.get("cron"),
        timezone=form.get("timezone").strip() or None,
        catch_up=CatchUp(catch_up) if catch_up else None,
        window=form.get("window").strip() or None,
        priority=Priority(priority) if priority else None,
    )


def _new(request: Request, visitor: Person, typed: dict[str, str], told: Told | None = None) -> Response:
    status = told.status if told else 200
    choices = {"catch_ups": tuple(CatchUp), "priorities": tuple(Priority)}
    return page(request, "new_schedule.html", visitor, status, typed=typed, told=told, example=EXAMPLE, **choices)
