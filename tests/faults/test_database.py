"""The database of the ledger dies in the middle of work and comes back."""

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
from support.waiting import wait_until
from support.workers import Workers

pytestmark = pytest.mark.timeout(300)


def test_a_database_that_is_killed_and_comes_back_loses_nothing(
    settings: Settings, storage: Storage, line_model: Path, tmp_path: Path
):
    database = Postgres(tmp_path)
    database.start()
    settings = settings.model_copy(update={"ledger_url": database.new_database(), "batch_size": 4})
    ledger, workers = Ledger(settings), Workers(settings, tmp_path)
    campaign = line_campaign("c1", products=60, variants=1)
    ledger.campaigns.submit("c1", campaign, line_jobs("c1", campaign, line_model))
    ring(make_app(settings), Kind.COPY, 3)
    try:
        workers.start()
        for share in (0.1, 0.5):
            wait_until(lambda share=share: ledger.campaigns.status("c1").done >= share * 60, 90, "progress")
            database.kill()
            database.start()

        wait_until(lambda: ledger.campaigns.status("c1").is_settled, 90, "the end")

        verdict = verify(ledger, storage, "c1")
        assert verdict.is_sound, verdict.violations
        assert verdict.states["done"] + verdict.states["failed"] == 60
        assert {letter.error_code for letter in ledger.jobs.dead_letters("c1")} <= {"rejected"}
    finally:
        workers.end()
        ledger.close()
        database.remove()
