"""Single jobs in the ledger: looked at, cancelled, edited and tried again."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import CampaignState, close_settled, record
from core.ledger.inputs import INPUT_FAILED, follow, inputs_of, reopen
from core.ledger.leases import ALONE, BEHIND, job_of
from core.tables import campaigns, failures, jobs
from schemas.jobs import Brief, Input, Job, JobState

PAGE_ROWS = 1000


@dataclass(frozen=True)
class JobStatus:
    """A job, where it stands, and what last went wrong with it."""

    job: Job
    state: JobState
    attempts: int
    errors: int
    losses: int
    worker: str | None
    error_code: str | None
    error: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    device_seconds: float


class Jobs:
    """The jobs of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def status(self, job_id: str) -> JobStatus:
        """Return one job."""
        with self._database.read() as connection:
            (status,) = _statuses(connection, [_find(connection, job_id)])
            return status

    def of_campaign(self, campaign_id: str, states: Sequence[JobState] = tuple(JobState)) -> Iterator[JobStatus]:
        """Yield the jobs of a campaign in these states, in the order of its plan, a page at a time."""
        last = ""
        while True:
            with self._database.read() as connection:
                rows = connection.execute(
                    select(jobs)
                    .where(jobs.c.campaign_id == campaign_id, jobs.c.state.in_(states), jobs.c.id > last)
                    .order_by(jobs.c.id)
                    .limit(PAGE_ROWS)
                ).all()
                page = _statuses(connection, rows)
            yield from page
            if len(rows) < PAGE_ROWS:
                return
            last = rows[-1].id

    def page(
        self, campaign_id: str, limit: int, after: str = "", states: Sequence[JobState] = tuple(JobState)
    ) -> list[JobStatus]:
        """Return jobs of a campaign in these states, in the order of its plan, from after that id on."""
        query = select(jobs).where(jobs.c.campaign_id == campaign_id, jobs.c.state.in_(states), jobs.c.id > after)
        with self._database.read() as connection:
            return _statuses(connection, connection.execute(query.order_by(jobs.c.id).limit(limit)).all())

    def strangers(self, campaign_id: str, job_ids: Sequence[str]) -> list[str]:
        """Return those of the ids that are no jobs of the campaign."""
        query = select(jobs.c.id).where(jobs.c.id.in_(job_ids), jobs.c.campaign_id == campaign_id)
        with self._database.read() as connection:
            known = set(connection.execute(query).scalars())
        return [job_id for job_id in job_ids if job_id not in known]

    def dead_letters_of(self, tenant: str, limit: int, after: str = "") -> list[JobStatus]:
        """Return failed jobs of all campaigns of a tenant, from after that id on."""
        query = (
            select(jobs)
            .join(campaigns, campaigns.c.id == jobs.c.campaign_id)
            .where(campaigns.c.tenant == tenant, jobs.c.state == JobState.FAILED, jobs.c.id > after)
            .order_by(jobs.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return _statuses(connection, connection.execute(query).all())

    def tenant(self, job_id: str) -> str:
        """Return whose job it is; raises UnknownIdError for one that is not there."""
        query = select(campaigns.c.tenant).join(jobs, jobs.c.campaign_id == campaigns.c.id).where(jobs.c.id == job_id)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            raise UnknownIdError(f"there is no job '{job_id}'")
        return str(found)

    def require(self, tenant: str, job_id: str) -> None:
        """Raise UnknownIdError unless the tenant has this job: one of another tenant is as good as none."""
        query = (
            select(campaigns.c.tenant)
            .join(jobs, jobs.c.campaign_id == campaigns.c.id)
            .where(jobs.c.id == job_id, campaigns.c.tenant == tenant)
        )
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                raise UnknownIdError(
                    f"there is no job '{job_id}' of yours: list the jobs of a campaign to see their ids"
                )

    def dead_letters(self, campaign_id: str | None = None, limit: int = 1000) -> list[JobStatus]:
        """Return failed jobs, of one campaign or of all."""
        query = select(jobs).where(jobs.c.state == JobState.FAILED).order_by(jobs.c.id).limit(limit)
        if campaign_id is not None:
            query = query.where(jobs.c.campaign_id == campaign_id)
        with self._database.read() as connection:
            return _statuses(connection, connection.execute(query).all())

    def failures(self, job_id: str) -> list[tuple[float, int, str, str, str]]:
        """Return every failure of a job: time, attempt, worker, code, message; oldest first."""
        query = select(failures).where(failures.c.job_id == job_id).order_by(failures.c.id)
        with self._database.read() as connection:
            return [(row.at, row.attempt, row.worker, row.code, row.message) for row in connection.execute(query)]

    def cancel(self, job_id: str, actor: str) -> bool:
        """End an open job, also one that a worker holds; return False when it was at its end already.

        The jobs made of it fail, and say so.
        """
        with self._database.write() as connection:
            ended = connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id, jobs.c.state.in_((JobState.WAITING, JobState.LEASED)))
                .values(state=JobState.CANCELLED, lease_token=None, lease_until=None, finished_at=time.time())
                .returning(jobs.c.campaign_id)
            ).scalar()
            if ended is None:
                _find(connection, job_id)
                return False
            record(connection, actor, "cancel", job_id, "")
            follow(connection, [job_id])
            close_settled(connection, [ended])
        return True

    def edit(self, job_id: str, brief: Brief, actor: str) -> None:
        """Give a dead letter another brief; `retry` then tries it."""
        with self._database.write() as connection:
            row = _find(connection, job_id)
            if row.state != JobState.FAILED:
                raise StateError(f"job {job_id} is {row.state}: only a failed one can be edited")
            connection.execute(
                update(jobs)
                .where(jobs.c.id == job_id)
                .values(brief=brief.model_dump_json(), channel=brief.channel, sku=brief.product.sku)
            )
            record(connection, actor, "edit", job_id, row.brief)

    def retry(self, job_ids: Sequence[str], actor: str) -> int:
        """Let failed jobs wait again, with all their attempts; return how many. Others stay as they are.

        Jobs that failed with an input follow it when it is retried, here or later; they count when they were asked for.
        Raises StateError for jobs of a cancelled campaign, as nobody would serve them, and when all that could be
        retried has lost an input.
        """
        if not job_ids:
            return 0
        with self._database.write() as connection:
            rows = _failed(connection, job_ids)
            by_input = {row.id: row for row in rows if row.error_code == INPUT_FAILED}
            own = [row for row in rows if row.id not in by_input]
            for row in own:
                _retry(connection, row)
            reopened = reopen(connection, [row.id for row in own], list(by_input))
            if rows and not own and not reopened:
                raise StateError(f"job {rows[0].id} cannot be tried again by itself: {rows[0].error}")
            for job_id in reopened:
                record(connection, actor, "retry", job_id, "with its inputs")
            for row in own:
                record(connection, actor, "retry", row.id, "")
            connection.execute(
                update(campaigns)
                .where(
                    campaigns.c.id.in_({row.campaign_id for row in rows}), campaigns.c.state == CampaignState.FINISHED
                )
                .values(state=CampaignState.ACTIVE, finished_at=None)
            )
        return len(own) + len(by_input.keys() & set(reopened))


def _failed(connection: Connection, job_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return those of the jobs that failed; raises StateError when one is of a cancelled campaign."""
    rows = connection.execute(
        select(jobs, campaigns.c.state.label("campaign_state"))
        .join(campaigns, campaigns.c.id == jobs.c.campaign_id)
        .where(jobs.c.id.in_(job_ids), jobs.c.state == JobState.FAILED)
        .order_by(jobs.c.id)
        .with_for_update(of=jobs)
    ).all()
    dropped = next((row.campaign_id for row in rows if row.campaign_state == CampaignState.CANCELLED), None)
    if dropped:
        raise StateError(f"campaign {dropped} is cancelled: its jobs cannot be tried again, submit a new one")
    return rows


def _retry(connection: Connection, row: Row[Any]) -> None:
    connection.execute(
        update(jobs)
        .where(jobs.c.id == row.id, jobs.c.state == JobState.FAILED)
        .values(
            state=JobState.WAITING,
            bucket=row.bucket.removesuffix(ALONE),
            position=row.position - BEHIND if row.bucket.endswith(ALONE) else row.position,
            errors=0,
            losses=0,
            losses_alone=0,
            not_before=0.0,
            error_code=None,
            error=None,
            finished_at=None,
        )
    )


def _find(connection: Connection, job_id: str) -> Row[tuple[object, ...]]:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise UnknownIdError(f"there is no job '{job_id}'")
    return row


def _statuses(connection: Connection, rows: Sequence[Row[Any]]) -> list[JobStatus]:
    made_of = inputs_of(connection, rows)
    return [_status(row, made_of[row.id]) for row in rows]


def _status(row: Row[Any], made_of: tuple[Input, ...]) -> JobStatus:
    return JobStatus(
        job=job_of(row, made_of),
        state=JobState(row.state),
        attempts=row.attempts,
        errors=row.errors,
        losses=row.losses,
        worker=row.worker,
        error_code=row.error_code,
        error=row.error,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        device_seconds=row.device_seconds,
    )
