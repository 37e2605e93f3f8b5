"""Tenants: what each may ask for, and what it has asked for today."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, select

from core.database import Database
from core.errors import QuotaError
from core.tables import campaigns, jobs, tenants
from schemas.access import DEFAULT_TENANT, Limits
from schemas.jobs import JobState

DAY_SECONDS = 86_400
# Nobody knows when a queue has room again; this is how soon it is worth a look.
QUEUE_RETRY_SECONDS = 60


@dataclass(frozen=True)
class Admission:
    """Who submits how many jobs, and within which limits where the tenant has none of its own.

    Without limits nothing binds: the command line belongs to who runs the factory.
    """

    tenant: str = DEFAULT_TENANT
    jobs: int = 0
    limits: Limits | None = None


OPERATOR = Admission()


@dataclass(frozen=True)
class Usage:
    """What a tenant has asked for today (UTC), and how many of its jobs are not at their end."""

    jobs_today: int
    open_jobs: int


class Tenants:
    """The tenants of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def limits(self, tenant: str, otherwise: Limits) -> Limits:
        """Return the limits of a tenant; what it has no limit of its own for is limited as everybody."""
        with self._database.read() as connection:
            return _limits(connection, tenant, otherwise)

    def set_limits(self, tenant: str, limits: Limits) -> None:
        """Give a tenant limits of its own; None is the limit of everybody, 0 is nothing at all."""
        values: dict[str, object] = {"name": tenant, "jobs_a_day": limits.jobs_a_day, "open_jobs": limits.open_jobs}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(tenants, ("name",), values))

    def usage(self, tenant: str) -> Usage:
        """Return what a tenant has asked for."""
        with self._database.read() as connection:
            return _usage(connection, tenant)

    def names(self) -> list[str]:
        """Return every tenant that has a campaign or limits of its own."""
        known = select(tenants.c.name).union(select(campaigns.c.tenant)).order_by("name")
        with self._database.read() as connection:
            return list(connection.execute(known).scalars())


_LOCK = select(tenants.c.name).where(tenants.c.name == bindparam("tenant")).with_for_update()
_TODAY = select(func.coalesce(func.sum(campaigns.c.planned_jobs), 0)).where(
    campaigns.c.tenant == bindparam("tenant"), campaigns.c.created_at >= bindparam("since")
)
_COMING = select(func.coalesce(func.sum(campaigns.c.planned_jobs), 0)).where(
    campaigns.c.tenant == bindparam("tenant"), campaigns.c.state == "submitting"
)
_OPEN = (
    select(func.count())
    .select_from(jobs)
    .join(campaigns, campaigns.c.id == jobs.c.campaign_id)
    .where(
        campaigns.c.tenant == bindparam("tenant"),
        campaigns.c.state.in_(("active", "paused")),
        jobs.c.state.in_((JobState.WAITING, JobState.LEASED)),
    )
)


def hold(connection: Connection, database: Database, admission: Admission) -> None:
    """Lock the tenant until the transaction ends: two submits at once cannot both take the last room."""
    if admission.limits is not None:
        connection.execute(database.insert_new(tenants), {"name": admission.tenant})
        connection.execute(_LOCK, {"tenant": admission.tenant})


def admit(connection: Connection, admission: Admission) -> None:
    """Raise QuotaError when the tenant, which is held, may not submit so many jobs now."""
    if admission.limits is None:
        return
    tenant = admission.tenant
    limits, usage = _limits(connection, tenant, admission.limits), _usage(connection, tenant)
    if limits.jobs_a_day is not None and usage.jobs_today + admission.jobs > limits.jobs_a_day:
        raise QuotaError(
            f"tenant {tenant} may submit {limits.jobs_a_day} jobs a day (UTC) and has submitted {usage.jobs_today}: "
            f"{admission.jobs} more are too many; wait for tomorrow, or ask for fewer variants",
            _seconds_until_tomorrow(time.time()),
        )
    if limits.open_jobs is not None and usage.open_jobs + admission.jobs > limits.open_jobs:
        raise QuotaError(
            f"tenant {tenant} may have {limits.open_jobs} open jobs and has {usage.open_jobs}: "
            f"{admission.jobs} more are too many; wait until some are done, or cancel a campaign",
            QUEUE_RETRY_SECONDS,
        )


def _limits(connection: Connection, tenant: str, otherwise: Limits) -> Limits:
    own = connection.execute(select(tenants).where(tenants.c.name == tenant)).first()
    if own is None:
        return otherwise
    return Limits(
        otherwise.jobs_a_day if own.jobs_a_day is None else own.jobs_a_day,
        otherwise.open_jobs if own.open_jobs is None else own.open_jobs,
    )


def _usage(connection: Connection, tenant: str) -> Usage:
    now = time.time()
    today = connection.execute(_TODAY, {"tenant": tenant, "since": now - now % DAY_SECONDS}).scalar_one()
    coming = connection.execute(_COMING, {"tenant": tenant}).scalar_one()
    is_open = connection.execute(_OPEN, {"tenant": tenant}).scalar_one()
    return Usage(int(today), int(coming) + int(is_open))


def _seconds_until_tomorrow(now: float) -> int:
    moment = datetime.fromtimestamp(now, UTC)
    return DAY_SECONDS - (moment.hour * 3600 + moment.minute * 60 + moment.second)
