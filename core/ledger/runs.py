"""Runs in the ledger: every moment that a schedule was due at, decided once, submitted once, and what became of it.

A schedule says when it is due next. Whoever moves that on records what was due in the same transaction, and only if
nobody has moved it before: so of any number of schedulers one decides, and its decision is there before anybody acts.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, insert, select, update

from core.database import Database
from core.ledger.outbox import tell_run_failed
from core.ledger.schedules import Schedule, schedule_of
from core.tables import IS_DUE, IS_SCHEDULED, schedule_runs, schedules
from schemas.schedules import RunState

MOST_REASON_CHARACTERS = 4000
CLOCK = "the clock"


@dataclass(frozen=True)
class Run:
    """A moment that a schedule was due at, and what became of it."""

    schedule_id: str
    due_at: float
    template_id: str
    state: RunState
    cause: str
    campaign_id: str | None
    reason: str
    decided_at: float
    ended_at: float | None
    attempts: int


@dataclass(frozen=True)
class Decision:
    """What is done about the moments that have come: which are run, which are not and why, and when it is due next."""

    runs: tuple[float, ...]
    skipped: tuple[tuple[float, str], ...]
    next_at: float


class Runs:
    """The runs of all schedules."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, schedule: Schedule, decision: Decision, now: float) -> bool:
        """Record what is done about moments that have come; return False when somebody else has decided before."""
        # Also when it was changed meanwhile: what was due by the former rule is then nothing to go by.
        unmoved = and_(
            *(schedules.c.id == schedule.id, IS_SCHEDULED, schedules.c.next_at == schedule.next_at),
            *(schedules.c.cron == schedule.cron, schedules.c.template_id == schedule.template_id),
        )
        made_of = {"schedule_id": schedule.id, "template_id": schedule.template_id}
        blank = made_of | {"cause": CLOCK, "decided_at": now, "attempts": 0, "not_before": now}
        rows = [blank | {"due_at": at, "state": RunState.DUE, "reason": ""} for at in decision.runs]
        rows += [
            blank | {"due_at": at, "state": RunState.SKIPPED, "reason": why, "ended_at": now}
            for at, why in decision.skipped
        ]
        with self._database.write() as connection:
            moved = connection.execute(update(schedules).where(unmoved).values(next_at=decision.next_at))
            if not moved.rowcount:
                return False
            for row in rows:
                connection.execute(self._database.insert_new(schedule_runs).values(row))
        return True

    def order(self, schedule: Schedule, now: float, actor: str, lease_seconds: float) -> Run:
        """Have it run besides what the clock says, also while it is paused; return the run, which the caller holds."""
        made = Run(schedule.id, now, schedule.template_id, RunState.DUE, actor, None, "", now, None, 1)
        with self._database.write() as connection:
            connection.execute(insert(schedule_runs).values(vars(made) | {"not_before": now + lease_seconds}))
        return made

    def claim(self, now: float, lease_seconds: float) -> tuple[Run, Schedule] | None:
        """Take a run that is decided and not submitted; who dies with it leaves it to the next one after that."""
        with self._database.read() as connection:
            if connection.execute(_ANY_DUE, {"now": now}).first() is None:
                # Who asks every few seconds shall not hold up those that write.
                return None
        with self._database.write() as connection:
            row = connection.execute(_DUE, {"now": now}).first()
            if row is None:
                return None
            taken = {"attempts": row.attempts + 1, "not_before": now + lease_seconds}
            connection.execute(update(schedule_runs).where(_is_run(row.schedule_id, row.due_at)).values(taken))
            schedule = schedule_of(connection, row.schedule_id)
        return replace(_run(row), attempts=row.attempts + 1), schedule

    def submitted(self, run: Run, campaign_id: str, now: float) -> None:
        """Record the campaign that a run has become."""
        self._end(run, {"state": RunState.SUBMITTED, "campaign_id": campaign_id, "reason": "", "ended_at": now})

    def failed(self, run: Run, reason: str, now: float) -> None:
        """Record that a run cannot be submitted, and why; webhooks are told."""
        told = _storable(reason)
        with self._database.write() as connection:
            failed = {"state": RunState.FAILED, "reason": told, "ended_at": now}
            if connection.execute(update(schedule_runs).where(_is_open(run)).values(failed)).rowcount:
                tell_run_failed(connection, run.schedule_id, run.due_at, told)

    def postpone(self, run: Run, reason: str, until: float) -> None:
        """Try a run again later, and say why it is not submitted yet."""
        self._end(run, {"reason": _storable(reason), "not_before": until})

    def _end(self, run: Run, values: dict[str, object]) -> None:
        with self._database.write() as connection:
            connection.execute(update(schedule_runs).where(_is_open(run)).values(values))

    def of(self, schedule_id: str, due_at: float) -> Run:
        """Return one run."""
        with self._database.read() as connection:
            return _run(connection.execute(select(schedule_runs).where(_is_run(schedule_id, due_at))).one())

    def history(self, schedule_id: str, limit: int, before: float | None = None) -> list[Run]:
        """Return the runs of a schedule, newest first, from before that moment on."""
        query = select(schedule_runs).where(schedule_runs.c.schedule_id == schedule_id)
        if before is not None:
            query = query.where(schedule_runs.c.due_at < before)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(schedule_runs.c.due_at.desc()).limit(limit))
            return [_run(row) for row in rows]


_ANY_DUE = select(schedule_runs.c.due_at).where(IS_DUE, schedule_runs.c.not_before <= bindparam("now")).limit(1)
_DUE = (
    select(schedule_runs)
    .where(IS_DUE, schedule_runs.c.not_before <= bindparam("now"))
    .order_by(schedule_runs.c.not_before, schedule_runs.c.due_at, schedule_runs.c.schedule_id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


def _is_run(schedule_id: str, due_at: float) -> ColumnElement[bool]:
    return and_(schedule_runs.c.schedule_id == schedule_id, schedule_runs.c.due_at == due_at)


def _is_open(run: Run) -> ColumnElement[bool]:
    return and_(_is_run(run.schedule_id, run.due_at), IS_DUE)


def _storable(reason: str) -> str:
    """Return a text that every database takes, at a length that a person reads."""
    return reason.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()[:MOST_REASON_CHARACTERS]


def _run(row: Row[Any]) -> Run:
    return Run(
        schedule_id=row.schedule_id,
        due_at=row.due_at,
        template_id=row.template_id,
        state=RunState(row.state),
        cause=row.cause,
        campaign_id=row.campaign_id,
        reason=row.reason,
        decided_at=row.decided_at,
        ended_at=row.ended_at,
        attempts=row.attempts,
    )
