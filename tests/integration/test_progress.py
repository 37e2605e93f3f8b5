from pathlib import Path

import pytest

from core.broker import make_app
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.campaigns import read
from producer.progress import snapshot
from producer.submit import submit
from schemas.jobs import JobState

from support.writer import CAMPAIGN, write_all, write_batch


@pytest.fixture
def campaign(tmp_path: Path, settings: Settings, ledger: Ledger):
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    return submit(read(file), settings, ledger, make_app(settings)).id


def test_nobody_knows_how_long_it_takes_before_anything_is_made(campaign: str, ledger: Ledger):
    seen = snapshot(ledger, campaign)

    assert (seen.jobs_per_second, seen.seconds_left, seen.newest) == (None, None, ())


def test_what_is_left_follows_from_the_rate_of_the_last_minutes(campaign: str, ledger: Ledger, storage: Storage):
    write_batch(ledger, storage, limit=4, failing=lambda job: job.variant == 1)
    a_minute_in = ledger.campaigns.status(campaign).created_at + 59.0

    seen = snapshot(ledger, campaign, now=a_minute_in)

    # Four of sixteen jobs came to their end, one of them as a dead letter.
    assert seen.jobs_per_second == pytest.approx(4 / 59)
    assert seen.seconds_left == pytest.approx(12 / (4 / 59))


def test_an_old_rate_says_nothing_about_now(campaign: str, ledger: Ledger, storage: Storage):
    write_batch(ledger, storage, limit=4)
    later = ledger.campaigns.status(campaign).created_at + 3600.0

    assert snapshot(ledger, campaign, now=later).jobs_per_second is None


def test_counts_are_kept_by_channel_with_the_device_time_of_failures(campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage, failing=lambda job: job.brief.channel == "meta.headline")

    channels = {counts.channel: counts for counts in snapshot(ledger, campaign).channels}

    assert channels["meta.headline"].states[JobState.FAILED] == channels["meta.headline"].total == 2
    assert channels["google_search.headline"].states[JobState.DONE] == 6
    assert sum(counts.device_seconds for counts in channels.values()) == pytest.approx(8.0)
