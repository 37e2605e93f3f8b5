"""Schedules in the ledger: campaigns that are submitted by the clock, and the templates that these are made of."""

import json
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import record
from core.tables import IS_DUE, IS_KEPT, IS_SCHEDULED, schedule_runs, schedules, templates
from schemas.assets import Location
from schemas.campaigns import Priority
from schemas.schedules import CatchUp, RunState

MOST_SCHEDULES = 500


class ScheduleState(StrEnum):
    """Where a schedule stands. A removed one stays with its history and frees its name."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True)
class Template:
    """All that the campaigns of a schedule follow from, as it was when it was taken; never changed."""

    id: str
    timezone: str
    # What runs have instead of what the campaign says; empty, and None: as it says.
    window: str
    priority: Priority | None
    file_name: str
    definition: str
    # Where the files beside the campaign file lie, by their names.
    files: dict[str, Location]


@dataclass(frozen=True)
class Schedule:
    """A campaign that is submitted by the clock."""

    id: str
    tenant: str
    name: str
    state: ScheduleState
    cron: str
    timezone: str
    catch_up: CatchUp
    window: str
    priority: Priority | None
    template_id: str
    is_limited: bool
    # When it is due; while it is paused, when it would have been.
    next_at: float
    created_at: float
    created_by: str


class Schedules:
    """The schedules of the ledger and their runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, schedule: Schedule, template: Template) -> None:
        """Record a schedule; raises StateError when its tenant has one of that name, or too many."""
        mine = select(func.count()).where(schedules.c.tenant == schedule.tenant, IS_KEPT)
        row = {column.name: getattr(schedule, column.name) for column in schedules.c}
        try:
            with self._database.write() as connection:
                if connection.execute(mine).scalar_one() >= MOST_SCHEDULES:
                    raise StateError(f"tenant {schedule.tenant} has {MOST_SCHEDULES} schedules, which is the most")
                connection.execute(insert(schedules).values(row))
                connection.execute(insert(templates).values(_template_row(schedule.id, template)))
                record(connection, schedule.created_by, "schedule", schedule.id, schedule.cron)
        except IntegrityError as error:
            raise StateError(
                f"there is a schedule '{schedule.name}' already: give another name, or update or remove that one"
            ) from error

    def find(self, tenant: str, name: str) -> Schedule:
        """Return the schedule of a tenant with this id or name; raises UnknownIdError when there is none."""
        query = _SCHEDULES.where(
            schedules.c.tenant == tenant, IS_KEPT, or_(schedules.c.id == name, schedules.c.name == name)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownIdError(f"there is no schedule '{name}' of yours: list the schedules to see their names")
        return _schedule(row)

    def page(self, tenant: str, limit: int, after: str = "") -> list[Schedule]:
        """Return the schedules of a tenant, in the order of their names, from after that name on."""
        query = _SCHEDULES.where(schedules.c.tenant == tenant, IS_KEPT, schedules.c.name > after)
        with self._database.read() as connection:
            return [_schedule(row) for row in connection.execute(query.order_by(schedules.c.name).limit(limit))]

    def template(self, template_id: str) -> Template:
        """Return a template."""
        with self._database.read() as connection:
            row = connection.execute(select(templates).where(templates.c.id == template_id)).one()
        return Template(
            id=row.id,
            timezone=row.timezone,
            window=row.time_window,
            priority=_priority(row),
            file_name=row.file_name,
            definition=row.definition,
            files={name: Location.model_validate(one) for name, one in json.loads(row.files).items()},
        )

    def update(self, changed: Schedule, template: Template, actor: str) -> None:
        """Change when it is due and what its runs make. What is decided already is made of its former template."""
        values = {"cron": changed.cron, "catch_up": changed.catch_up, "next_at": changed.next_at}
        with self._database.write() as connection:
            row = _template_row(changed.id, template)
            connection.execute(self._database.insert_new(templates).values(row))
            _change(connection, changed, values | {"template_id": template.id}, "update", actor, changed.cron)

    def pause(self, schedule: Schedule, actor: str) -> None:
        """Run it no more until it is resumed; what falls into that time is not made up for. Twice is no error."""
        if schedule.state == ScheduleState.ACTIVE:
            with self._database.write() as connection:
                _change(connection, schedule, {"state": ScheduleState.PAUSED}, "pause", actor)

    def resume(self, schedule: Schedule, next_at: float, actor: str) -> None:
        """Run it again, from the next moment on; one that is active stays as it is."""
        if schedule.state == ScheduleState.PAUSED:
            values = {"state": ScheduleState.ACTIVE, "next_at": next_at}
            with self._database.write() as connection:
                _change(connection, schedule, values, "resume", actor)

    def remove(self, schedule: Schedule, actor: str) -> None:
        """Run it no more for ever. Its campaigns and its history stay; what is decided and not submitted is skipped."""
        ended = {"state": RunState.SKIPPED, "reason": "the schedule was removed", "ended_at": time.time()}
        with self._database.write() as connection:
            _change(connection, schedule, {"state": ScheduleState.REMOVED}, "remove", actor)
            open_runs = and_(schedule_runs.c.schedule_id == schedule.id, IS_DUE)
            connection.execute(update(schedule_runs).where(open_runs).values(ended))

    def due(self, now: float) -> list[Schedule]:
        """Return the active schedules whose moment has come."""
        query = _SCHEDULES.where(IS_SCHEDULED, schedules.c.next_at <= now).order_by(schedules.c.next_at)
        with self._database.read() as connection:
            return [_schedule(row) for row in connection.execute(query)]


def new_id() -> str:
    """Return an id for a new schedule."""
    return f"sch_{uuid.uuid4().hex}"


# All but the campaign, which may be large.
_SCHEDULES: Select[Any] = select(schedules, templates.c.timezone, templates.c.time_window, templates.c.priority).join(
    templates, templates.c.id == schedules.c.template_id
)


def schedule_of(connection: Connection, schedule_id: str) -> Schedule:
    """Return a schedule by its id, also one that was removed."""
    return _schedule(connection.execute(_SCHEDULES.where(schedules.c.id == schedule_id)).one())


def _change(
    connection: Connection, schedule: Schedule, values: dict[str, Any], action: str, actor: str, detail: str = ""
) -> None:
    """Change a schedule that was not removed meanwhile, and keep who did it."""
    kept = and_(schedules.c.id == schedule.id, IS_KEPT)
    if not connection.execute(update(schedules).where(kept).values(values)).rowcount:
        raise UnknownIdError(f"there is no schedule '{schedule.name}' of yours any more: it was removed")
    record(connection, actor, action, schedule.id, detail)


def _template_row(schedule_id: str, template: Template) -> dict[str, object]:
    files = {name: one.model_dump() for name, one in template.files.items()}
    return {
        "id": template.id,
        "schedule_id": schedule_id,
        "timezone": template.timezone,
        "time_window": template.window,
        "priority": template.priority or "",
        "file_name": template.file_name,
        "definition": template.definition,
        "files": json.dumps(files, ensure_ascii=False),
        "taken_at": time.time(),
    }


def _priority(row: Row[Any]) -> Priority | None:
    return Priority(row.priority) if row.priority else None


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        state=ScheduleState(row.state),
        cron=row.cron,
        timezone=row.timezone,
        catch_up=CatchUp(row.catch_up),
        window=row.time_window,
        priority=_priority(row),
        template_id=row.template_id,
        is_limited=row.is_limited,
        next_at=row.next_at,
        created_at=row.created_at,
        created_by=row.created_by,
    )
