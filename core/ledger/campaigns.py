"""Campaigns in the ledger: submitted whole or not at all, paused, cancelled, made more urgent, counted."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, select, tuple_, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.inputs import input_rows, require_inputs
from core.ledger.outbox import tell_finished
from core.ledger.tenants import OPERATOR, Admission, admit, hold
from core.tables import WAITS_FOR_INPUTS, actions, campaigns, inputs, jobs
from core.windows import next_opening, opening_after, written
from schemas.campaigns import Campaign, Priority
from schemas.jobs import Job, JobState

INSERT_ROWS = 2000  # rows an INSERT: past this it is no faster, and the write lock is held longer


class CampaignState(StrEnum):
    """Where a campaign stands. Only an active one's jobs are claimed."""

    SUBMITTING = "submitting"
    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True)
class CampaignStatus:
    """A campaign and its jobs, counted."""

    id: str
    name: str
    state: CampaignState
    state_reason: str
    priority: Priority
    submitted_jobs: int
    waiting: int
    leased: int
    done: int
    failed: int
    cancelled: int
    spent_device_seconds: float
    created_at: float
    finished_at: float | None
    # Two times of day and a time zone, and when it opens; neither without a window, and no time while it is open.
    window: str
    opens_at: float | None

    @property
    def open_jobs(self) -> int:
        """Return how many jobs are not at their end."""
        return self.waiting + self.leased

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing more happens without a person."""
        return self.state in {CampaignState.FINISHED, CampaignState.CANCELLED} or (
            self.state != CampaignState.SUBMITTING and not self.open_jobs
        )

    @property
    def is_over(self) -> bool:
        """Tell whether there is nothing more to watch: settled, or paused with no batch in hand."""
        return self.is_settled or (self.state == CampaignState.PAUSED and not self.leased)


class Campaigns:
    """The campaigns of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(
        self, campaign_id: str, campaign: Campaign, planned: Iterable[Job], admission: Admission = OPERATOR
    ) -> bool:
        """Record the campaign and its jobs; return False when it was there already, or somebody else completed it.

        The rows go in by parts, and nothing is served before the last one is in: a submit that was killed half-way
        leaves an inactive campaign, and the same submit again completes it. Raises ImpossibleWorkError when a job is
        made of one that is not among them, and QuotaError when the tenant may not have so many.
        """
        now, window = time.time(), written(campaign.window, campaign.timezone)
        row = {
            "id": campaign_id,
            "name": campaign.name,
            "tenant": admission.tenant,
            "planned_jobs": admission.jobs,
            "state": CampaignState.SUBMITTING,
            "state_reason": "",
            "priority": campaign.priority.rank,
            "definition": campaign.model_dump_json(),
            "submitted_jobs": 0,
            "budget_device_seconds": campaign.budget.device_seconds,
            "spent_device_seconds": 0.0,
            "served_at": 0.0,
            "created_at": now,
            "time_window": window,
            **dict(zip(("opens_at", "closes_at"), next_opening(window, now), strict=True)),
        }
        with self._database.write() as connection:
            hold(connection, self._database, admission)
            if connection.execute(_OWNER, {"campaign": campaign_id}).first() is None:
                admit(connection, admission)
                connection.execute(self._database.insert_new(campaigns), row)
            state, tenant = connection.execute(_OWNER, {"campaign": campaign_id}).one()
        if tenant != admission.tenant:
            raise StateError(f"the id {campaign_id} is taken: give the campaign another name or seed")
        if state != CampaignState.SUBMITTING:
            return False
        total, made_of = self._insert_jobs(planned)
        if total >= INSERT_ROWS:
            # Before the first pick: a planner that knows nothing of so many new jobs sorts them all for every claim.
            self._database.analyse(jobs)
        with self._database.write() as connection:
            if made_of:
                require_inputs(connection, campaign_id)
            completed = connection.execute(
                update(campaigns)
                .where(campaigns.c.id == campaign_id, campaigns.c.state == CampaignState.SUBMITTING)
                .values(state=CampaignState.ACTIVE, submitted_jobs=total, planned_jobs=total)
            )
        return bool(completed.rowcount)

    def _insert_jobs(self, planned: Iterable[Job]) -> tuple[int, int]:
        """Insert what is not there yet; return how many jobs were planned, and how many inputs they have."""
        now, total, total_inputs = time.time(), 0, 0
        numbered = enumerate(planned)
        while part := list(itertools.islice(numbered, INSERT_ROWS)):
            made_of = input_rows(job for _, job in part)
            with self._database.write() as connection:
                rows = [job_row(job, position, now) for position, job in part]
                connection.execute(self._database.insert_new(jobs), rows)
                if made_of:
                    connection.execute(self._database.insert_new(inputs), made_of)
            total += len(part)
            total_inputs += len(made_of)
        return total, total_inputs

    def pause(self, campaign_id: str, actor: str, reason: str = "paused by hand") -> None:
        """Stop claiming jobs of the campaign; batches in hand end normally."""
        self._move(campaign_id, CampaignState.ACTIVE, CampaignState.PAUSED, "pause", actor, reason)

    def resume(self, campaign_id: str, actor: str) -> None:
        """Go on with a paused campaign. One that its budget stopped gets the budget lifted."""
        self._move(campaign_id, CampaignState.PAUSED, CampaignState.ACTIVE, "resume", actor, "")

    def _move(
        self, campaign_id: str, old: CampaignState, new: CampaignState, action: str, actor: str, reason: str
    ) -> None:
        with self._database.write() as connection:
            row = _find(connection, campaign_id)
            values: dict[str, object] = {"state": new, "state_reason": reason}
            if new == CampaignState.ACTIVE and _is_spent(row):
                values["budget_device_seconds"] = None
            moved = connection.execute(
                update(campaigns).where(campaigns.c.id == campaign_id, campaigns.c.state == old).values(values)
            )
            if moved.rowcount:
                record(connection, actor, action, campaign_id, reason)
            elif row.state != new:
                raise StateError(f"campaign {campaign_id} is {row.state}: only one that is {old} can {action}")

    def cancel(self, campaign_id: str, actor: str) -> int:
        """End every open job of the campaign, also those a worker holds; return how many. Twice is no error."""
        open_job = and_(jobs.c.campaign_id == campaign_id, jobs.c.state.in_((JobState.WAITING, JobState.LEASED)))
        with self._database.write() as connection:
            row = _find(connection, campaign_id)
            if row.state == CampaignState.FINISHED:
                raise StateError(f"campaign {campaign_id} is finished: nothing is left to cancel")
            if row.state == CampaignState.SUBMITTING:
                raise StateError(f"campaign {campaign_id} is not wholly submitted: submit it again, then cancel it")
            # Leased ones first: who ends a leased job may at this moment wait for the lock of one made of it.
            connection.execute(_LOCK_LEASED, {"campaign": campaign_id})
            now = time.time()
            ended = connection.execute(
                update(jobs)
                .where(open_job)
                .values(state=JobState.CANCELLED, lease_token=None, lease_until=None, finished_at=now)
            ).rowcount
            if row.state != CampaignState.CANCELLED:
                connection.execute(
                    update(campaigns)
                    .where(campaigns.c.id == campaign_id)
                    .values(state=CampaignState.CANCELLED, state_reason="cancelled by hand", finished_at=now)
                )
                record(connection, actor, "cancel", campaign_id, f"{ended} jobs")
        return int(ended)

    def set_priority(self, campaign_id: str, priority: Priority, actor: str) -> None:
        """Make the campaign more or less urgent, from the next batch on."""
        with self._database.write() as connection:
            _find(connection, campaign_id)
            connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(priority=priority.rank))
            record(connection, actor, "priority", campaign_id, priority)

    def status(self, campaign_id: str) -> CampaignStatus:
        """Return the campaign and the count of its jobs; a unique start of the id will do."""
        with self._database.read() as connection:
            row = _find(connection, campaign_id)
            return _status(row, _counts(connection, [row.id]).get(row.id, {}))

    def find(self, start: str) -> str:
        """Return the id of the one campaign whose id or name is or starts with this; the newest of one name."""
        with self._database.read() as connection:
            found = connection.execute(
                select(campaigns.c.id, campaigns.c.name)
                .where(campaigns.c.id.startswith(start, autoescape=True))
                .order_by(campaigns.c.created_at.desc())
            ).all()
        exact = [row.id for row in found if start in (row.id, row.name)]
        if exact or len(found) == 1:
            return str(exact[0] if exact else found[0].id)
        if found:
            names = ", ".join(row.id for row in found[:5])
            raise UnknownIdError(f"'{start}' fits several campaigns ({names}): give more of the id")
        raise UnknownIdError(f"there is no campaign '{start}': `factory list` shows all")

    def definition(self, campaign_id: str) -> Campaign:
        """Return the campaign as it was submitted."""
        with self._database.read() as connection:
            return Campaign.model_validate_json(_find(connection, campaign_id).definition)

    def newest_first(self, limit: int = 100) -> list[CampaignStatus]:
        """Return the newest campaigns with their counts."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(campaigns).order_by(campaigns.c.created_at.desc(), campaigns.c.id).limit(limit)
            ).all()
            counted = _counts(connection, [row.id for row in rows])
        return [_status(row, counted.get(row.id, {})) for row in rows]

    def page(
        self, tenant: str, limit: int, after: tuple[float, str] | None = None, state: CampaignState | None = None
    ) -> list[CampaignStatus]:
        """Return campaigns of a tenant with their counts, newest first, from after that creation time and id on."""
        query = select(campaigns).where(campaigns.c.tenant == tenant)
        if after is not None:
            query = query.where(tuple_(campaigns.c.created_at, campaigns.c.id) < tuple_(*after))
        if state is not None:
            query = query.where(campaigns.c.state == state)
        query = query.order_by(campaigns.c.created_at.desc(), campaigns.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            counted = _counts(connection, [row.id for row in rows])
        return [_status(row, counted.get(row.id, {})) for row in rows]

    def require(self, tenant: str, campaign_id: str) -> None:
        """Raise UnknownIdError unless the tenant has this campaign: one of another tenant is as good as none."""
        with self._database.read() as connection:
            found = connection.execute(_OWNER, {"campaign": campaign_id}).first()
        if found is None or found.tenant != tenant:
            raise UnknownIdError(f"there is no campaign '{campaign_id}' of yours: list the campaigns to see their ids")

    def created_at(self, campaign_ids: Iterable[str]) -> dict[str, float]:
        """Return when each campaign was recorded; without those that are not there."""
        query = select(campaigns.c.id, campaigns.c.created_at).where(campaigns.c.id.in_(list(campaign_ids)))
        with self._database.read() as connection:
            return {row.id: float(row.created_at) for row in connection.execute(query)}

    def budget(self, campaign_id: str) -> float | None:
        """Return how many device seconds a campaign may take at present; nothing where there is no limit."""
        query = select(campaigns.c.budget_device_seconds).where(campaigns.c.id == campaign_id)
        with self._database.read() as connection:
            return connection.execute(query).scalar()

    def history(self, target: str) -> Iterator[tuple[float, str, str, str]]:
        """Yield what people did to a campaign or job: time, actor, action, detail; oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(actions).where(actions.c.target == target).order_by(actions.c.id)).all()
        yield from ((row.at, row.actor, row.action, row.detail) for row in rows)


def record(connection: Connection, actor: str, action: str, target: str, detail: str) -> None:
    """Keep what a person did, in the transaction that does it."""
    connection.execute(insert(actions).values(at=time.time(), actor=actor, action=action, target=target, detail=detail))


_OWNER = select(campaigns.c.state, campaigns.c.tenant).where(campaigns.c.id == bindparam("campaign"))
_LOCK_LEASED = (
    select(jobs.c.id)
    .where(jobs.c.campaign_id == bindparam("campaign"), jobs.c.state == JobState.LEASED)
    .order_by(jobs.c.id)
    .with_for_update()
)
_OPEN_JOB = (
    select(jobs.c.id)
    .where(jobs.c.campaign_id == bindparam("campaign"), jobs.c.state.in_((JobState.WAITING, JobState.LEASED)))
    .limit(1)
)


def close_settled(connection: Connection, campaign_ids: Iterable[str]) -> list[str]:
    """Mark the campaigns that have no open job left as finished; run it after the last change of their jobs.

    Returns those that were not finished before.
    """
    closed = []
    for campaign_id in sorted(set(campaign_ids)):
        if connection.execute(_OPEN_JOB, {"campaign": campaign_id}).first() is None:
            finished = connection.execute(
                update(campaigns)
                .where(campaigns.c.id == campaign_id, campaigns.c.state.in_(("active", "paused")))
                .values(state=CampaignState.FINISHED, state_reason="", finished_at=time.time())
            )
            if finished.rowcount:
                tell_finished(connection, campaign_id)
                closed.append(campaign_id)
    return closed


def _find(connection: Connection, campaign_id: str) -> Row[tuple[object, ...]]:
    row = connection.execute(select(campaigns).where(campaigns.c.id == campaign_id)).first()
    if row is None:
        raise UnknownIdError(f"there is no campaign '{campaign_id}': `factory list` shows all")
    return row


def _is_spent(row: Row[tuple[object, ...]]) -> bool:
    return row.budget_device_seconds is not None and row.spent_device_seconds >= row.budget_device_seconds


def _counts(connection: Connection, campaign_ids: list[str]) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = {}
    for campaign_id, state, count in connection.execute(
        select(jobs.c.campaign_id, jobs.c.state, func.count())
        .where(jobs.c.campaign_id.in_(campaign_ids))
        .group_by(jobs.c.campaign_id, jobs.c.state)
    ):
        counted.setdefault(campaign_id, {})[state] = count
    return counted


def _status(row: Row[tuple[object, ...]], counted: Mapping[str, int]) -> CampaignStatus:
    return CampaignStatus(
        id=row.id,
        name=row.name,
        state=CampaignState(row.state),
        state_reason=row.state_reason,
        priority=list(Priority)[row.priority],
        submitted_jobs=row.submitted_jobs,
        **{state.value: counted.get(state, 0) for state in JobState},
        spent_device_seconds=row.spent_device_seconds,
        created_at=row.created_at,
        finished_at=row.finished_at,
        window=row.time_window,
        opens_at=_opens_at(row, time.time()),
    )


def _opens_at(row: Row[tuple[object, ...]], now: float) -> float | None:
    if row.opens_at > now:
        return float(row.opens_at)
    # One that has closed is moved on by the next sweep.
    has_closed = row.closes_at is not None and row.closes_at <= now
    return opening_after(row.time_window, now) if has_closed else None


def job_row(job: Job, position: int, now: float) -> dict[str, object]:
    """Return the row of a job that has just been planned."""
    return {
        "id": job.id,
        "campaign_id": job.campaign_id,
        "position": position,
        "kind": job.kind,
        "bucket": job.bucket,
        "state": JobState.WAITING,
        "brief": job.brief.model_dump_json(),
        "channel": job.brief.channel,
        "sku": job.brief.product.sku,
        "audience_id": job.brief.audience.id,
        "variant": job.variant,
        "seed": job.seed,
        "open_styles": ",".join(job.open_styles),
        "inputs": len(job.inputs),
        "replaces_job_id": job.brief.revision.replaces if job.brief.revision else None,
        "not_before": WAITS_FOR_INPUTS if job.inputs else 0.0,
        "attempts": 0,
        "errors": 0,
        "losses": 0,
        "losses_alone": 0,
        "created_at": now,
        "device_seconds": 0.0,
    }
