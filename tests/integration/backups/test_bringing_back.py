"""A factory is wiped and brought back into a new ledger and bucket, on either database."""

import gzip
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core import migrations
from core.database import Database
from core.ledger import Ledger
from core.ledger.copies import Copies
from core.settings import Settings
from core.storage import Storage
from core.versions import check as check_version
from producer.verify import verify
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.backups import Ledgers, Scene, wipe
from support.kept import (
    CHAMPION,
    DONE,
    FAILED,
    FORGOTTEN,
    LEASED,
    RATERS,
    SNAPSHOT,
    fill,
    leased,
    ratings_of,
    rows_of,
)
from support.versions import MODEL, version_id
from support.writer import JOBS, write_all


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_all_that_a_factory_knew_is_there_again_and_its_work_goes_on(
    source: str,
    target: str,
    new_ledger: Ledgers,
    opened: Callable[[str], Ledger],
    settings: Settings,
    scene: Scene,
):
    url = new_ledger(target)
    scene = replace(
        scene,
        ledger=opened(new_ledger(source)),
        elsewhere=scene.elsewhere.model_copy(update={"ledger_url": url}),
    )
    campaign = fill(settings, scene.ledger, scene.storage, scene.file.with_name("files"))
    rows, taken = rows_of(scene.ledger), scene.back_up()
    wipe(scene.storage)

    restored = scene.bring_back()

    after, bucket = opened(url), Storage(scene.elsewhere)
    assert taken.end.missing == 0
    assert restored.end == taken.end
    assert restored.leases_ended == LEASED
    assert rows_of(after) == rows
    assert verify(after, bucket, campaign).violations == []
    serving = after.promotions.serving(Kind.COPY, MODEL)
    assert (serving.champion, serving.challenger, serving.share) == (CHAMPION, version_id(2), 0.3)
    check_version(bucket, after.versions.get(CHAMPION).described)
    assert bucket.get_whole("snapshots/copy/1.jsonl") == SNAPSHOT
    write_all(after, bucket)
    verdict = verify(after, bucket, campaign)
    assert verdict.violations == []
    assert verdict.states == {"waiting": 0, "leased": 0, "done": JOBS - FAILED, "failed": FAILED, "cancelled": 0}
    # Numbers go on behind those that came back.
    receipts = after.intake.record(ratings_of(after, "eve"))
    assert {one.is_new for one in receipts} == {True}
    assert after.trainings.claim(Kind.COPY, MODEL, "trainer@test#2")


def test_a_job_that_was_in_hand_waits_again_and_that_counts_against_it_in_nothing(
    campaign: str, scene: Scene, reopened: Callable[[], Ledger]
):
    held = leased(scene.ledger)
    scene.back_up()

    scene.bring_back()

    after = reopened()
    found = [after.jobs.status(one) for one in held]
    assert len(held) == LEASED
    assert {one.job.campaign_id for one in found} == {campaign}
    assert {(one.state, one.attempts, one.losses) for one in found} == {(JobState.WAITING, 0, 0)}


def test_without_the_assets_everything_else_is_there(campaign: str, scene: Scene, reopened: Callable[[], Ledger]):
    scene.back_up(with_assets=False)

    scene.bring_back()

    after = reopened()
    assert {key.partition("/")[0] for key, _ in Storage(scene.elsewhere).list("")} == {
        "versions",
        "snapshots",
        "schedules",
    }
    assert rows_of(after) == rows_of(scene.ledger)
    assert len(list(after.assets.of_campaign(campaign))) == DONE


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
@pytest.mark.parametrize("newest", [None, "0005", migrations.HEAD])
def test_an_archive_of_an_older_migration_is_brought_back_and_migrated(
    target: str, newest: str | None, new_ledger: Ledgers, opened: Callable[[str], Ledger]
):
    url = new_ledger(target)
    database = Database(url)
    if newest:
        with database.write() as connection:
            migrations.run(connection, newest)
    campaign = {"id": "old", "name": "old", "state": "active", "state_reason": "", "priority": 1, "definition": "{}"}
    numbers = {"submitted_jobs": 0, "spent_device_seconds": 0, "served_at": 0, "created_at": 1}

    Copies(database).put_back("0001", [("campaigns", [campaign | numbers])])

    with database.read() as connection:
        assert migrations.current(connection) == migrations.HEAD
    assert opened(url).campaigns.status("old").window == ""
    database.close()


def test_who_was_forgotten_before_a_backup_is_not_in_it(campaign: str, scene: Scene, tmp_path: Path):
    scene.back_up(passphrase=None)

    with tarfile.open(scene.file) as tar:
        tar.extractall(tmp_path / "read", filter="data")
    text = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.glob("read/ledger/*/*.gz"))

    assert campaign.encode() in text
    assert f'"rater": "{RATERS[0]}"'.encode() in text
    assert f'"{FORGOTTEN}"'.encode() not in text
