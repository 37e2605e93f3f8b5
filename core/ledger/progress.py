"""How campaigns go, read for people: counts by channel, what was made last, and which model made how much."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from core.database import Database
from core.tables import assets, jobs
from schemas.jobs import JobState


@dataclass(frozen=True)
class ChannelCounts:
    """The jobs of one channel by state, and the device time spent on them."""

    channel: str
    states: Mapping[JobState, int]
    device_seconds: float

    @property
    def total(self) -> int:
        """Return how many jobs there are."""
        return sum(self.states.values())


@dataclass(frozen=True)
class Made:
    """One asset as a line on a screen."""

    job_id: str
    channel: str
    sku: str
    preview: str
    created_at: float


@dataclass(frozen=True)
class MadeBy:
    """What one version of a model made in one bucket."""

    model: str
    bucket: str
    assets: int
    device_seconds: float


class Progress:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def channels(self, campaign_id: str) -> list[ChannelCounts]:
        """Return the counts of every channel of a campaign, by name."""
        query = (
            select(jobs.c.channel, jobs.c.state, func.count(), func.sum(jobs.c.device_seconds))
            .where(jobs.c.campaign_id == campaign_id)
            .group_by(jobs.c.channel, jobs.c.state)
        )
        states: dict[str, dict[JobState, int]] = {}
        seconds: dict[str, float] = {}
        with self._database.read() as connection:
            for channel, state, count, spent in connection.execute(query):
                states.setdefault(channel, dict.fromkeys(JobState, 0))[JobState(state)] = count
                seconds[channel] = seconds.get(channel, 0.0) + spent
        return [ChannelCounts(channel, states[channel], seconds[channel]) for channel in sorted(states)]

    def settled_since(self, campaign_id: str, since: float) -> int:
        """Return how many jobs of a campaign came to their end, done or failed, since then (seconds since 1970)."""
        query = select(func.count()).where(
            jobs.c.campaign_id == campaign_id,
            jobs.c.state.in_((JobState.DONE, JobState.FAILED)),
            jobs.c.finished_at >= since,
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def newest(self, campaign_id: str, limit: int) -> list[Made]:
        """Return the assets recorded last, newest first."""
        query = (
            select(assets.c.job_id, jobs.c.channel, assets.c.sku, assets.c.preview, assets.c.created_at)
            .join(jobs, jobs.c.id == assets.c.job_id)
            .where(assets.c.campaign_id == campaign_id)
            .order_by(assets.c.created_at.desc(), assets.c.job_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                Made(row.job_id, row.channel, row.sku, row.preview, row.created_at) for row in connection.execute(query)
            ]

    def models(self) -> list[MadeBy]:
        """Return what each version of each model made, by bucket."""
        query = (
            select(assets.c.model, jobs.c.bucket, func.count(), func.sum(assets.c.device_seconds))
            .join(jobs, jobs.c.id == assets.c.job_id)
            .group_by(assets.c.model, jobs.c.bucket)
            .order_by(assets.c.model, jobs.c.bucket)
        )
        with self._database.read() as connection:
            return [MadeBy(model, bucket, count, spent) for model, bucket, count, spent in connection.execute(query)]
