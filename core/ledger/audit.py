"""Questions whose answer is empty in a sound ledger; an oracle asks them after faults."""

from collections.abc import Iterator

from sqlalchemy import ColumnElement, and_, func, or_, select

from core.database import Database
from core.ledger.inputs import HAS_LOST_INPUT, HAS_UNDONE_INPUT
from core.tables import WAITS_FOR_INPUTS, assets, jobs
from schemas.jobs import JobState

PAGE_ROWS = 10_000


class Audit:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def job_ids(self, campaign_id: str) -> Iterator[str]:
        """Yield the id of every job of a campaign in order, a page at a time."""
        last = ""
        while True:
            query = select(jobs.c.id).where(jobs.c.campaign_id == campaign_id, jobs.c.id > last)
            with self._database.read() as connection:
                page = list(connection.execute(query.order_by(jobs.c.id).limit(PAGE_ROWS)).scalars())
            yield from page
            if len(page) < PAGE_ROWS:
                return
            last = page[-1]

    def done_without_asset(self, campaign_id: str) -> list[str]:
        """Return the jobs that are done and have no asset row."""
        with_asset = select(assets.c.job_id).where(assets.c.campaign_id == campaign_id)
        return self._jobs_where(campaign_id, jobs.c.state == JobState.DONE, jobs.c.id.not_in(with_asset))

    def assets_without_done_job(self, campaign_id: str) -> list[str]:
        """Return the job ids of asset rows whose job is not there or not done."""
        query = (
            select(assets.c.job_id)
            .outerjoin(jobs, jobs.c.id == assets.c.job_id)
            .where(assets.c.campaign_id == campaign_id, or_(jobs.c.id.is_(None), jobs.c.state != JobState.DONE))
            .order_by(assets.c.job_id)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def failed_without_reason(self, campaign_id: str) -> list[str]:
        """Return the failed jobs that do not say why."""
        has_reason = and_(func.coalesce(jobs.c.error_code, "") != "", func.coalesce(jobs.c.error, "") != "")
        return self._jobs_where(campaign_id, jobs.c.state == JobState.FAILED, ~has_reason)

    def leases_ended_before(self, campaign_id: str, moment: float) -> list[str]:
        """Return the leased jobs whose lease ended before that moment, or never ends."""
        ended = or_(jobs.c.lease_until.is_(None), jobs.c.lease_until < moment)
        return self._jobs_where(campaign_id, jobs.c.state == JobState.LEASED, ended)

    def replacements(self, campaign_id: str) -> int:
        """Return how many jobs make a rejected asset anew: those that no plan asked for."""
        query = select(func.count()).where(jobs.c.campaign_id == campaign_id, jobs.c.replaces_job_id.is_not(None))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def repeated_fingerprints(self, campaign_id: str) -> list[str]:
        """Return the fingerprints that several assets of a campaign have."""
        query = (
            select(assets.c.fingerprint)
            .where(assets.c.campaign_id == campaign_id)
            .group_by(assets.c.fingerprint)
            .having(func.count() > 1)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def done_before_its_inputs(self, campaign_id: str) -> list[str]:
        """Return the jobs that are done and have an input that is not."""
        return self._jobs_where(campaign_id, jobs.c.state == JobState.DONE, HAS_UNDONE_INPUT)

    def waiting_for_nothing(self, campaign_id: str) -> list[str]:
        """Return the jobs that wait for inputs although these are all done."""
        waits = and_(jobs.c.state == JobState.WAITING, jobs.c.not_before == WAITS_FOR_INPUTS)
        return self._jobs_where(campaign_id, waits, ~HAS_UNDONE_INPUT)

    def waiting_for_a_lost_input(self, campaign_id: str) -> list[str]:
        """Return the jobs that wait although an input failed or was cancelled."""
        return self._jobs_where(campaign_id, jobs.c.state == JobState.WAITING, HAS_LOST_INPUT)

    def _jobs_where(self, campaign_id: str, *conditions: ColumnElement[bool]) -> list[str]:
        query = select(jobs.c.id).where(jobs.c.campaign_id == campaign_id, *conditions).order_by(jobs.c.id)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())
