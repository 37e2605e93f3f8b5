"""The SQL of every batch, built once: to build a statement costs several times what it costs to run it.

SQLite knows no row locks and leaves `FOR UPDATE` out, so each statement serves both databases.
"""

from sqlalchemy import and_, bindparam, case, or_, select, update

from core.ledger.campaigns import CampaignState
from core.tables import IS_READY, campaigns, jobs
from schemas.jobs import JobState

SERVED_CAMPAIGNS = select(
    *(campaigns.c.id, campaigns.c.priority, campaigns.c.served_at, campaigns.c.created_at, campaigns.c.opens_at)
).where(
    campaigns.c.state == CampaignState.ACTIVE,
    campaigns.c.opens_at <= bindparam("now"),
    or_(campaigns.c.closes_at.is_(None), campaigns.c.closes_at > bindparam("now")),
    or_(
        campaigns.c.budget_device_seconds.is_(None),
        campaigns.c.spent_device_seconds < campaigns.c.budget_device_seconds,
    ),
)
FIRST_BUCKET = (
    select(jobs.c.bucket)
    .where(
        IS_READY,
        jobs.c.campaign_id == bindparam("campaign"),
        jobs.c.kind.in_(bindparam("kinds", expanding=True)),
        jobs.c.not_before <= bindparam("now"),
    )
    .order_by(jobs.c.position)
    .limit(1)
)
# Jobs that another worker is claiming right now are passed over.
WAITING_JOBS = (
    select(jobs.c.id)
    .where(
        IS_READY,
        jobs.c.campaign_id == bindparam("campaign"),
        jobs.c.bucket == bindparam("its_bucket"),
        jobs.c.not_before <= bindparam("now"),
    )
    .order_by(jobs.c.position)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
LEASE = (
    update(jobs)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)), jobs.c.state == JobState.WAITING)
    .values(
        state=JobState.LEASED,
        lease_token=bindparam("token"),
        lease_until=bindparam("until"),
        worker=bindparam("holder"),
        attempts=jobs.c.attempts + 1,
        started_at=bindparam("now"),
    )
    .returning(jobs)
)
# Another worker that serves the same campaign right now does the same: no reason to wait for its lock.
MARK_SERVED = (
    update(campaigns)
    .where(
        campaigns.c.id.in_(
            select(campaigns.c.id)
            .where(campaigns.c.id.in_(bindparam("ids", expanding=True)))
            .with_for_update(skip_locked=True)
        )
    )
    .values(served_at=bindparam("now"))
)
ACCEPT = (
    update(jobs)
    .where(
        jobs.c.id.in_(bindparam("ids", expanding=True)),
        jobs.c.lease_token == bindparam("token"),
        jobs.c.state == JobState.LEASED,
    )
    .values(state=JobState.DONE, lease_token=None, lease_until=None, finished_at=bindparam("now"))
    .returning(jobs.c.id)
)
CHARGE_JOBS = (
    update(jobs)
    .where(jobs.c.id == bindparam("spender"))
    .values(device_seconds=jobs.c.device_seconds + bindparam("seconds"))
)
_spent = campaigns.c.spent_device_seconds + bindparam("seconds")
_is_used_up = and_(campaigns.c.state == CampaignState.ACTIVE, _spent >= campaigns.c.budget_device_seconds)
CHARGE_CAMPAIGNS = (
    update(campaigns)
    .where(campaigns.c.id == bindparam("spender"))
    .values(
        spent_device_seconds=_spent,
        state=case((_is_used_up, CampaignState.PAUSED), else_=campaigns.c.state),
        state_reason=case((_is_used_up, "its budget of device seconds is spent"), else_=campaigns.c.state_reason),
    )
)
