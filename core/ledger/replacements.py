"""Jobs that make a rejected asset anew. The old job and its asset stay as they are; the new job says what it replaces.

A job has one replacement at most, so the assets of one place are a line of descent, and its newest is what is wanted.
"""

import time
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import CampaignState, job_row, record
from core.ledger.inputs import input_rows, settle
from core.ledger.leases import ALONE, BEHIND
from core.tables import campaigns, inputs, jobs
from schemas.jobs import Job, JobState


class Replacements:
    """The replacements of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job, actor: str) -> bool:
        """Record a job that makes an asset anew; return False when the asset has a replacement already.

        Its campaign is active again. Raises StateError when the old job is not done or its campaign cannot go on.
        """
        revision = job.brief.revision
        assert revision, "only what replaces something is a replacement"
        with self._database.write() as connection:
            old = _lock(connection, revision.replaces)
            if _replacement(connection, revision.replaces) is not None:
                return False
            # Whoever is ending an input at this moment waits for us, and then sees the job that waits for it.
            parts = select(jobs.c.id).where(jobs.c.id.in_([one.job_id for one in job.inputs])).order_by(jobs.c.id)
            connection.execute(parts.with_for_update(read=True)).all()
            position = old.position - BEHIND if old.bucket.endswith(ALONE) else old.position
            connection.execute(insert(jobs).values(job_row(job, position, time.time())))
            if job.inputs:
                connection.execute(insert(inputs), input_rows([job]))
            _reopen(connection, job.campaign_id)
            settle(connection, [job.id])
            record(connection, actor, "regenerate", revision.replaces, f"{job.id}: {revision.reasons[-1]}")
        return True

    def of(self, job_id: str) -> str | None:
        """Return the job that makes an asset anew, if there is one."""
        with self._database.read() as connection:
            return _replacement(connection, job_id)

    def newest(self, job_ids: Iterable[str]) -> dict[str, str]:
        """Return for each of these jobs the last one that replaces it and is not lost; for most it is itself."""
        with self._database.read() as connection:
            return {job_id: _newest(connection, job_id) for job_id in job_ids}

    def made_of(self, job_id: str) -> list[str]:
        """Return the jobs that are made of this one's asset."""
        query = select(inputs.c.job_id).where(inputs.c.input_job_id == job_id).order_by(inputs.c.job_id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())


def _lock(connection: Connection, job_id: str) -> Row[Any, Any, Any, Any, Any]:
    """Lock the job that shall be replaced, so that two people who ask at once get one replacement."""
    row = connection.execute(
        select(jobs.c.state, jobs.c.position, jobs.c.bucket, campaigns.c.state.label("campaign_state"), campaigns.c.id)
        .join(campaigns, campaigns.c.id == jobs.c.campaign_id)
        .where(jobs.c.id == job_id)
        .with_for_update(of=jobs)
    ).first()
    if row is None:
        raise UnknownIdError(f"there is no job '{job_id}'")
    if row.state != JobState.DONE:
        raise StateError(f"job {job_id} is {row.state}: only what is done can be made anew")
    if row.campaign_state == CampaignState.CANCELLED:
        raise StateError(f"campaign {row.id} is cancelled: nothing of it is made any more, submit a new one")
    return row


def _replacement(connection: Connection, job_id: str) -> str | None:
    return connection.execute(select(jobs.c.id).where(jobs.c.replaces_job_id == job_id)).scalar()


def _newest(connection: Connection, job_id: str) -> str:
    newest = job_id
    while True:
        query = select(jobs.c.id, jobs.c.state).where(jobs.c.replaces_job_id == job_id)
        row = connection.execute(query).first()
        if row is None:
            return newest
        job_id = row.id
        if row.state not in {JobState.FAILED, JobState.CANCELLED}:
            newest = job_id


def _reopen(connection: Connection, campaign_id: str) -> None:
    mine = campaigns.c.id == campaign_id
    connection.execute(update(campaigns).where(mine).values(submitted_jobs=campaigns.c.submitted_jobs + 1))
    connection.execute(
        update(campaigns)
        .where(mine, campaigns.c.state == CampaignState.FINISHED)
        .values(state=CampaignState.ACTIVE, finished_at=None)
    )
