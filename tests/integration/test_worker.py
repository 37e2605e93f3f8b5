"""A real worker process: from a ticket to assets in S3, and how it stops."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from schemas.assets import Manifest
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.lines import line_campaign, line_jobs
from support.waiting import wait_until
from support.workers import Process, Workers

StartWorker = Callable[..., Process]


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def settings(settings: Settings, database: str, request: pytest.FixtureRequest) -> Settings:
    if database == "postgresql":
        return settings.model_copy(update={"ledger_url": request.getfixturevalue("postgres").new_ledger()})
    return settings


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    workers = Workers(settings, tmp_path)
    yield workers.start
    workers.end()


@pytest.fixture
def submit(settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path) -> Callable[..., str]:
    assert storage.bucket == settings.s3_bucket

    def submit(name: str, products: int, variants: int, **changes: object) -> str:
        campaign = line_campaign(name, products, variants, **changes)
        own_ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, line_model))
        ring(make_app(settings), Kind.COPY, 3)
        return name

    return submit


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_ticket_becomes_assets_whose_bytes_and_manifests_are_in_s3(
    submit: Callable[..., str], start_worker: StartWorker, own_ledger: Ledger, storage: Storage
):
    campaign_id = submit("c1", products=40, variants=1)

    start_worker()
    wait_until(lambda: own_ledger.campaigns.status(campaign_id).is_settled, 120)

    made = list(own_ledger.assets.of_campaign(campaign_id))
    lines = [json.loads(storage.get(one.asset.location)) for one in made]
    manifests = [Manifest.model_validate_json(storage.get(one.asset.manifest)) for one in made]
    assert len(made) == 40
    assert [line["text"] for line in lines] == [one.asset.preview for one in made]
    assert [manifest.job.id for manifest in manifests] == [one.asset.job_id for one in made]
    assert len({line["text"].casefold() for line in lines}) == 40


def test_jobs_are_seen_by_a_monitor_under_their_own_names(
    submit: Callable[..., str], start_worker: StartWorker, settings: Settings
):
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    start_worker()

    def note(event: dict[str, Any]) -> None:
        seen[event["type"], event.get("uuid", "")] = event

    app = make_app(settings)
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": note})
        listener = threading.Thread(target=lambda: receiver.capture(wakeup=False), daemon=True)
        listener.start()
        try:
            wait_until(lambda: any(kind == "worker-heartbeat" for kind, _ in seen), 120)
            submit("c1", products=2, variants=1)
            wait_until(lambda: all(("task-succeeded", f"c1-{number:06d}") in seen for number in range(2)), 120)
        finally:
            receiver.should_stop = True
            listener.join(10)

    first = seen["task-received", "c1-000000"]
    assert first["name"] == "generate.copy"
    assert all(word in first["args"] for word in ("c1", "Blend 0", "google_search.headline", "commuters"))
    assert seen["task-succeeded", "c1-000001"]["runtime"] > 0


def test_a_worker_that_is_told_to_stop_finishes_its_batch_and_gives_the_rest_back(
    submit: Callable[..., str], start_worker: StartWorker, own_ledger: Ledger
):
    submit("c1", products=60, variants=4)
    worker = start_worker(batch_size=4)
    wait_until(lambda: own_ledger.campaigns.status("c1").done > 0, 120)

    worker.send_signal(signal.SIGTERM)
    worker.wait(30)

    status = own_ledger.campaigns.status("c1")
    assert worker.returncode == 0
    assert status.leased == 0
    assert status.done + status.waiting == 240


def test_a_killed_worker_takes_its_own_jobs_up_again_at_once(
    submit: Callable[..., str], start_worker: StartWorker, own_ledger: Ledger
):
    submit("c1", products=60, variants=4)
    worker = start_worker(lease_seconds=3600)
    wait_until(lambda: own_ledger.campaigns.status("c1").done > 0, 120)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait(10)

    start_worker(lease_seconds=3600)
    wait_until(lambda: own_ledger.campaigns.status("c1").leased == 0, 120)

    assert own_ledger.campaigns.status("c1").failed == 0


def test_revoking_a_job_cancels_it_in_the_ledger(start_worker: StartWorker, own_ledger: Ledger, settings: Settings):
    start_worker("housekeeping")
    app = make_app(settings)
    wait_until(lambda: app.control.ping(timeout=0.5), 120)
    own_ledger.campaigns.submit("c1", line_campaign("c1", 1, 1), line_jobs("c1", line_campaign("c1", 1, 1), Path("x")))

    app.control.revoke("c1-000000")

    wait_until(lambda: own_ledger.jobs.status("c1-000000").state == JobState.CANCELLED, 20)
