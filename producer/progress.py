"""How a campaign goes, at one moment: counts, rate, what is left, and the last lines made."""

import time
from dataclasses import dataclass

from core.ledger import Ledger
from core.ledger.campaigns import CampaignStatus
from core.ledger.progress import ChannelCounts, Made

# The rate is that of the last minutes: long enough for some batches of a slow device, short enough to notice a change.
WINDOW_SECONDS = 180.0
NEWEST = 5


@dataclass(frozen=True)
class Snapshot:
    """A campaign at one moment. Without a rate nothing is being made, so nobody knows how long the rest takes."""

    at: float
    status: CampaignStatus
    channels: tuple[ChannelCounts, ...]
    newest: tuple[Made, ...]
    jobs_per_second: float | None
    seconds_left: float | None


def snapshot(ledger: Ledger, campaign_id: str, now: float | None = None) -> Snapshot:
    """Return how a campaign goes."""
    at = time.time() if now is None else now
    status = ledger.campaigns.status(campaign_id)
    rate = _jobs_per_second(ledger, status, at)
    return Snapshot(
        at=at,
        status=status,
        channels=tuple(ledger.progress.channels(campaign_id)),
        newest=tuple(ledger.progress.newest(campaign_id, NEWEST)),
        jobs_per_second=rate,
        seconds_left=status.open_jobs / rate if rate and status.open_jobs else None,
    )


def _jobs_per_second(ledger: Ledger, status: CampaignStatus, at: float) -> float | None:
    """Return the rate of the last minutes, dead letters too; of a finished campaign that of its whole time."""
    if status.finished_at is not None:
        seconds, settled = status.finished_at - status.created_at, status.done + status.failed
    else:
        seconds = min(WINDOW_SECONDS, at - status.created_at)
        settled = ledger.progress.settled_since(status.id, at - WINDOW_SECONDS)
    return settled / seconds if settled and seconds > 0 else None
