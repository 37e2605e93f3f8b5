"""An upgrade while workers are at work: this code is the old version, a migration that it does not know the new one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.verify import verify
from schemas.campaigns import Kind

from support.lines import line_campaign, line_jobs
from support.servers import Postgres
from support.upgrades import ADDING, REVISION, Change, NextVersion, renaming
from support.waiting import wait_until
from support.workers import Workers

pytestmark = [pytest.mark.timeout(600), pytest.mark.broker]
JOBS = 32
OUTDATED = 3


class Upgrade:
    """A worker at work on a ledger that is about to be migrated."""

    def __init__(self, settings: Settings, storage: Storage, model: Path, folder: Path) -> None:
        self.settings, self.storage, self.folder = settings, storage, folder
        self.ledger, self.workers = Ledger(settings), Workers(settings, folder)
        campaign = line_campaign("c1", products=JOBS, variants=1)
        self.ledger.campaigns.submit("c1", campaign, line_jobs("c1", campaign, model))
        self.ring()

    def ring(self) -> None:
        ring(make_app(self.settings), Kind.COPY, 3)

    def to(self, change: Change) -> NextVersion:
        return NextVersion(self.ledger.database, self.folder, change)

    def wait_for_progress(self) -> None:
        wait_until(lambda: self.ledger.campaigns.status("c1").done >= JOBS / 8, 180, "progress")

    def assert_exact(self) -> None:
        verdict = verify(self.ledger, self.storage, "c1")
        assert verdict.is_sound, verdict.violations
        assert verdict.states["done"] + verdict.states["failed"] == JOBS
        assert {letter.error_code for letter in self.ledger.jobs.dead_letters("c1")} <= {"rejected"}

    def is_settled(self) -> bool:
        self.ledger.leases.sweep()
        return self.ledger.campaigns.status("c1").is_settled


@pytest.fixture
def upgrade(
    settings: Settings, storage: Storage, postgres: Postgres, line_model: Path, tmp_path: Path
) -> Iterator[Upgrade]:
    changed = settings.model_copy(
        update={"ledger_url": postgres.new_database(), "batch_size": 4, "lease_seconds": 4.0, "slice_seconds": 2.0}
    )
    prepared = Upgrade(changed, storage, line_model, tmp_path)
    yield prepared
    prepared.workers.end()
    prepared.ledger.close()


def test_a_migration_that_adds_stops_no_worker(upgrade: Upgrade):
    worker = upgrade.workers.start()
    upgrade.wait_for_progress()

    upgrade.to(ADDING).migrate()
    left = upgrade.ledger.campaigns.status("c1").waiting
    wait_until(upgrade.is_settled, 240, "the end")

    assert left > 0
    assert worker.poll() is None
    upgrade.assert_exact()


def test_a_migration_that_takes_away_ends_old_workers_with_a_line_and_loses_nothing(upgrade: Upgrade):
    worker = upgrade.workers.start()
    upgrade.wait_for_progress()
    following = upgrade.to(renaming("jobs", "bucket"))

    following.migrate()
    wait_until(lambda: worker.poll() is not None, 120, "the end of the old worker")
    restarted = upgrade.workers.start("again")
    wait_until(lambda: restarted.poll() is not None, 120, "the end of the one that was started again")

    assert (worker.returncode, restarted.returncode) == (OUTDATED, OUTDATED)
    for name in ("copy", "again"):
        log = (upgrade.folder / f"{name}.log").read_text()
        assert f"this worker ends: the ledger is at revision {REVISION}" in log
        assert "OutdatedError" not in log
    # Nobody of the next version is here to go on, so it is the way back that shows that nothing is lost.
    following.go_back()
    upgrade.workers.start("copy")
    upgrade.ring()
    wait_until(upgrade.is_settled, 240, "the end")
    upgrade.assert_exact()
