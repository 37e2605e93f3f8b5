"""What the whole factory looks like in figures: read for whoever watches it, cheap on a ledger of a million jobs."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from core.database import Database
from core.ledger.campaigns import CampaignState
from core.ledger.promotions import Promotions, Serving
from core.tables import (
    IS_DUE,
    IS_PENDING,
    IS_READY,
    IS_SCHEDULED,
    assets,
    campaigns,
    deliveries,
    inbox,
    jobs,
    schedule_runs,
    schedules,
    strata,
    trainings,
)
from core.tables.learning import IS_OPEN
from schemas.campaigns import Kind
from schemas.jobs import JobState
from schemas.versions import version_of

# An asset is dated before its transaction ends, by the clock of its worker: what is younger is counted anew each time.
SETTLED_SECONDS = 300.0


@dataclass(frozen=True)
class Backlog:
    """Things that wait, and for how long the oldest has; no time where nothing waits."""

    count: int = 0
    oldest_seconds: float = 0.0


@dataclass(frozen=True)
class Made:
    """What a model made."""

    assets: int
    device_seconds: float


@dataclass(frozen=True)
class Opinions:
    """What people think of the assets of a kind, as far as it counts."""

    ratings: int
    approved: int
    rejected: int


@dataclass(frozen=True)
class Snapshot:
    """The factory at one moment."""

    jobs: Mapping[tuple[Kind, JobState], int]
    # What a worker could claim now, and since when the first of it waits.
    claimable: Mapping[Kind, Backlog]
    dead_letters: Mapping[tuple[Kind, str], int]
    made: Mapping[tuple[Kind, str], Made]
    # All device seconds ever, those of failures too.
    spent_device_seconds: float
    opinions: Mapping[Kind, Opinions]
    open_trainings: Mapping[Kind, int]
    canaries: tuple[Serving, ...]
    outbox: Backlog
    inbox: Backlog
    # Schedules that nobody looked at although they are due, and runs that are decided and not submitted.
    late_schedules: Backlog
    due_runs: Backlog
    at: float


class Figures:
    """Counts. What came of assets long ago is counted once, and remembered by this object."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._promotions = Promotions(database)
        self._lock = threading.Lock()
        self._counted_until = 0.0
        self._assets: Counter[tuple[Kind, str]] = Counter()
        self._seconds: Counter[tuple[Kind, str]] = Counter()

    def snapshot(self) -> Snapshot:
        """Return the figures of this moment."""
        now = time.time()
        canaries = tuple(one for one in self._promotions.all() if one.canary)
        with self._lock, self._database.read() as connection:
            states, letters = _jobs(connection)
            return Snapshot(
                jobs=states,
                claimable=_claimable(connection, now),
                dead_letters=letters,
                made=self._made(connection, now),
                spent_device_seconds=float(connection.execute(_SPENT).scalar() or 0.0),
                opinions={Kind(kind): Opinions(*map(int, sums)) for kind, *sums in connection.execute(_OPINIONS)},
                open_trainings={Kind(kind): count for kind, count in connection.execute(_TRAININGS)},
                canaries=canaries,
                outbox=_backlog(connection, _OUTBOX, now),
                inbox=_backlog(connection, _INBOX, now),
                late_schedules=_backlog(connection, _SCHEDULES.where(schedules.c.next_at <= now), now),
                due_runs=_backlog(connection, _RUNS.where(schedule_runs.c.not_before <= now), now),
                at=now,
            )

    def _made(self, connection: Connection, now: float) -> dict[tuple[Kind, str], Made]:
        settled = now - SETTLED_SECONDS
        # On a ledger of a million assets the first look takes seconds, every later one milliseconds.
        older = _counted(connection, self._counted_until, settled)
        self._assets += older[0]
        self._seconds += older[1]
        self._counted_until = settled
        young = _counted(connection, settled, None)
        counts, seconds = self._assets + young[0], self._seconds + young[1]
        return {key: Made(count, seconds[key]) for key, count in counts.items()}


_SPENT = select(func.sum(campaigns.c.spent_device_seconds))
_OPINIONS = select(
    strata.c.kind, func.sum(strata.c.ratings), func.sum(strata.c.approved), func.sum(strata.c.rejected)
).group_by(strata.c.kind)
_TRAININGS = select(trainings.c.kind, func.count()).where(IS_OPEN).group_by(trainings.c.kind)
_OUTBOX = select(func.count(), func.min(deliveries.c.next_at)).where(IS_PENDING)
_INBOX = select(func.count(), func.min(inbox.c.sent_at))
_SCHEDULES = select(func.count(), func.min(schedules.c.next_at)).where(IS_SCHEDULED)
_RUNS = select(func.count(), func.min(schedule_runs.c.decided_at)).where(IS_DUE)
# In the order of an index: so there is nothing to sort.
_STATES = select(jobs.c.kind, jobs.c.state, jobs.c.error_code, func.count()).group_by(
    jobs.c.campaign_id, jobs.c.state, jobs.c.kind, jobs.c.error_code
)


def _backlog(connection: Connection, query: Select[int, Any], now: float) -> Backlog:
    count, oldest = connection.execute(query).one()
    return Backlog(count, max(0.0, now - oldest) if oldest is not None else 0.0)


def _jobs(connection: Connection) -> tuple[dict[tuple[Kind, JobState], int], dict[tuple[Kind, str], int]]:
    states: Counter[tuple[Kind, JobState]] = Counter()
    letters: Counter[tuple[Kind, str]] = Counter()
    for kind, state, code, count in connection.execute(_STATES):
        states[Kind(kind), JobState(state)] += count
        if state == JobState.FAILED:
            letters[Kind(kind), code or ""] += count
    return dict(states), dict(letters)


def _is_open(now: float) -> ColumnElement[bool]:
    in_time = or_(campaigns.c.closes_at.is_(None), campaigns.c.closes_at > now)
    return and_(campaigns.c.state == CampaignState.ACTIVE, campaigns.c.opens_at <= now, in_time)


def _claimable(connection: Connection, now: float) -> dict[Kind, Backlog]:
    query = (
        select(jobs.c.kind, func.count())
        .where(IS_READY, jobs.c.campaign_id.in_(select(campaigns.c.id).where(_is_open(now))))
        .group_by(jobs.c.campaign_id, jobs.c.kind)
    )
    counts: Counter[Kind] = Counter()
    for kind, count in connection.execute(query):
        counts[Kind(kind)] += count
    return {kind: Backlog(count, _waited(connection, kind, now)) for kind, count in counts.items()}


def _waited(connection: Connection, kind: Kind, now: float) -> float:
    """Return how long the first job in the queue of a campaign has waited, in the campaign that waits longest."""
    waits_since = case((jobs.c.not_before > jobs.c.created_at, jobs.c.not_before), else_=jobs.c.created_at)
    first = (
        select(waits_since)
        .where(jobs.c.campaign_id == campaigns.c.id, jobs.c.kind == kind, IS_READY)
        .order_by(jobs.c.position)
        .limit(1)
        .correlate(campaigns)
        .scalar_subquery()
    )
    # A campaign that was closed until now has waited for its window alone.
    opened = case((campaigns.c.opens_at > first, campaigns.c.opens_at), else_=first)
    since = select(opened.label("since")).where(_is_open(now)).subquery()
    oldest = connection.execute(select(func.min(since.c.since))).scalar()
    return max(0.0, now - oldest) if oldest is not None else 0.0


def _counted(
    connection: Connection, since: float, until: float | None
) -> tuple[Counter[tuple[Kind, str]], Counter[tuple[Kind, str]]]:
    """Return assets and device seconds by kind and model; versions of a model are that model."""
    query = (
        select(jobs.c.kind, assets.c.model, func.count(), func.sum(assets.c.device_seconds))
        .join(jobs, jobs.c.id == assets.c.job_id)
        .where(assets.c.created_at >= since)
        .group_by(jobs.c.kind, assets.c.model)
        .order_by(jobs.c.kind, assets.c.model)
    )
    if until is not None:
        query = query.where(assets.c.created_at < until)
    counts: Counter[tuple[Kind, str]] = Counter()
    seconds: Counter[tuple[Kind, str]] = Counter()
    for kind, made_by, count, spent in connection.execute(query):
        version = version_of(made_by)
        model = made_by.removesuffix(f"@{version}") if version else made_by.rpartition("@")[0] or made_by
        counts[Kind(kind), model] += count
        seconds[Kind(kind), model] += spent
    return counts, seconds
