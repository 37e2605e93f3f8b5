"""Where the time of a campaign went, as a collector is told it by whoever submits and by a real worker."""

import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.broker import TRAIN_QUEUE, make_app, ring
from core.ledger import Ledger
from core.ledger.leases import LOSSES_ALONE_UNTIL_DEAD, LOSSES_UNTIL_ALONE, Failure
from core.settings import Settings
from core.storage import Storage
from core.traces import campaign_link, end, now
from producer import campaigns
from producer.cli.doors import traced
from producer.rate import rating_of, send
from producer.submit import submit
from schemas.campaigns import Kind
from workers.generate import Generator
from workers.learning.held import Held
from workers.sweep import sweep
from workers.traced import Batches, answered, tell_outcome

from support.collector import ERROR, collecting
from support.lines import LINES, line_campaign, line_jobs
from support.waiting import wait_until
from support.workers import Workers

CAMPAIGN = f"""
name: spring
brand: {{name: Northbeam, voice: a voice that somebody typed}}
products:
  - {{sku: NB-1, name: Blend One, description: "{". ".join(LINES)}"}}
  - {{sku: NB-2, name: Blend Two, description: "{". ".join(LINES)}"}}
audiences: [{{id: commuters, description: people who need coffee before eight}}]
deliverables: [{{kind: copy, channel: google_search.headline, variants: 1}}]
"""
# More than one: each waits for a batch of its own to the collector.
TICKETS = 4
TYPED = (b"Northbeam", b"somebody typed", b"Blend", b"commuters", b"coffee", LINES[0].encode())


def test_a_collector_is_told_where_the_time_of_a_campaign_went(
    settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path, workers: Workers, tmp_path: Path
):
    assert storage.bucket == settings.s3_bucket
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    with collecting() as collector:
        changes = {"traces_endpoint": collector.endpoint, "copy_model": str(line_model), "copy_adapter": None}
        settings = settings.model_copy(update=changes)
        app = make_app(settings)
        worker = workers.start(traces_endpoint=collector.endpoint)

        with traced(settings, "command"):
            source = campaigns.read(tmp_path / "campaign.yaml")
            submit(source, settings, own_ledger, app)
            wait_until(lambda: own_ledger.campaigns.status(source.id).is_settled, 120)
            (first, _) = own_ledger.assets.of_campaign(source.id)
            assert send(own_ledger, app, rating_of(first.asset.job_id, stars=5), "ada", 60).is_recorded
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)

    (submitted,), (batch,) = collector.named("submit campaign"), collector.named("batch copy")
    (ticket,), (sent,) = collector.named("process generate.copy"), collector.named("send generate.copy")
    (begun,), (ended,) = collector.named("campaign submitted"), collector.named("campaign finished")
    assert {"plan", "record", "send generate.copy"} <= set(collector.names_below(submitted))
    assert begun.links == [submitted.place]
    assert ticket.links == [sent.place]
    assert batch.links == [ticket.place, begun.place]
    assert ended.links == [batch.place]
    assert (ended.trace_id, ended.parent_id) == begun.place
    stages = ["claim", "wait for device", "generate", "choose", "upload", "finish"]
    assert [name for name in collector.names_below(batch) if name in stages] == stages
    assert batch.parent_id == ""
    assert batch.attributes["factory.campaign.ids"] == [source.id]
    assert [batch.attributes[f"factory.jobs.{what}"] for what in ("done", "failed", "again")] == [2, 0, 0]
    (rated,), (recorded,) = collector.named("send feedback"), collector.named("process feedback")
    assert recorded.links == [rated.place]
    assert {one.service for one in collector.told} == {"factory-command", "factory-worker"}
    assert not [word for word in TYPED for body in collector.bodies if word in body]
    assert f"[trace {batch.trace_id}]" in (tmp_path / "copy.log").read_text()


def test_a_worker_whose_collector_never_answers_ends_as_soon_as_it_is_told(
    settings: Settings, workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Ten seconds for each of them is what the library would wait for, up to thirty.
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        silent.settimeout(60)
        worker = workers.start(traces_endpoint=endpoint)
        # There is nothing to make, so each ticket is one short span.
        ring(make_app(settings), Kind.COPY, TICKETS)
        with closing(silent.accept()[0]):
            wait_until(lambda: (tmp_path / "copy.log").read_text().count("succeeded in") >= TICKETS, 60)
            told_at = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)

    assert worker.returncode == 0
    assert time.monotonic() - told_at < 20


def test_a_broker_that_is_away_is_an_error_of_the_step_that_rings_alone(
    settings: Settings, own_ledger: Ledger, tmp_path: Path
):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    with collecting() as collector:
        away = {"broker_url": SecretStr("redis://127.0.0.1:9/0"), "traces_endpoint": collector.endpoint}
        settings = settings.model_copy(update=away)
        with traced(settings, "command"):
            submitted = submit(campaigns.read(tmp_path / "campaign.yaml"), settings, own_ledger, make_app(settings))

    (ringing,), (step,) = collector.named("send generate.copy"), collector.named("submit campaign")
    assert not submitted.tickets_rung
    assert (ringing.status, ringing.attributes["error.type"]) == (ERROR, "OperationalError")
    assert step.status == 0


def test_the_same_campaign_twice_is_one_trace(settings: Settings, own_ledger: Ledger, tmp_path: Path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)
    source = campaigns.read(tmp_path / "campaign.yaml")
    with collecting() as collector:
        settings = settings.model_copy(update={"traces_endpoint": collector.endpoint})
        with traced(settings, "command"):
            for _ in range(2):
                submit(source, settings, own_ledger, make_app(settings))

    assert [one.attributes["factory.campaign.is_new"] for one in collector.named("submit campaign")] == [True, False]
    assert len(collector.named("campaign submitted")) == 1


def test_a_batch_goes_back_to_each_of_its_campaigns_and_says_why_jobs_failed(settings: Settings, own_ledger: Ledger):
    for name in ("spring", "summer"):
        campaign = line_campaign(name, products=2, variants=1)
        own_ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, "folder/of/models"))
    pick = own_ledger.leases.pick([Kind.COPY])
    assert pick
    lease = own_ledger.leases.claim(pick.bucket, 10, "writer@test#1")
    assert lease
    failed = [Failure(job.id, "rejected", "a line that was typed", is_permanent=True) for job in lease.jobs]
    batches = Batches(own_ledger.campaigns)

    with collecting() as collector, traced(settings.model_copy(update={"traces_endpoint": collector.endpoint}), "test"):
        with batches.recorded(pick.bucket, now()) as span:
            batches.link(span, lease.jobs)
            settled = own_ledger.leases.finish(lease, (), failed)
            tell_outcome(span, settled, failed)
            batches.finished(settled.finished_campaigns)
        end()

    (batch,) = collector.named("batch copy")
    begun = [campaign_link(name, own_ledger.campaigns.status(name).created_at) for name in ("spring", "summer")]
    assert batch.links == [(f"{link.trace_id:032x}", f"{link.span_id:016x}") for link in begun]
    assert batch.events == [("failures", {"factory.failure.code": "rejected", "factory.jobs": 4})]
    assert batch.attributes["factory.model"] == "models"
    assert [one.attributes["factory.campaign.id"] for one in collector.named("campaign finished")] == [
        "spring",
        "summer",
    ]
    assert not any(b"typed" in body for body in collector.bodies)


def test_a_batch_that_breaks_says_what_became_of_its_jobs_and_ends_its_campaign(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def breaks(*_: object) -> None:
        raise ZeroDivisionError("typed")

    campaign = line_campaign("spring", products=2, variants=1)
    with collecting() as collector:
        settings = settings.model_copy(update={"traces_endpoint": collector.endpoint, "max_attempts": 1})
        ledger = Ledger(settings)
        # Nobody foresees that of the question which version serves.
        monkeypatch.setattr(ledger.promotions, "serving", breaks)
        ledger.campaigns.submit("spring", campaign, line_jobs("spring", campaign, "folder/of/models"))
        with traced(settings, "test"):
            Generator(settings, make_app(settings), ledger, "copy@test", threading.Event()).serve(Kind.COPY)
        ledger.close()

    (batch,), (ended,) = collector.named("batch copy"), collector.named("campaign finished")
    assert (batch.status, batch.attributes["error.type"]) == (ERROR, "ZeroDivisionError")
    assert [batch.attributes[f"factory.jobs.{what}"] for what in ("done", "failed", "again")] == [0, 2, 0]
    assert ("failures", {"factory.failure.code": "internal", "factory.jobs": 2}) in batch.events
    assert ended.links == [batch.place]
    assert not any(b"typed" in body for body in collector.bodies)


def test_a_ledger_that_is_away_costs_a_batch_its_links_and_nothing_else(settings: Settings, own_ledger: Ledger):
    campaign = line_campaign("spring", products=1, variants=1)
    jobs = tuple(line_jobs("spring", campaign, "starter"))
    batches = Batches(own_ledger.campaigns)

    with collecting() as collector, traced(settings.model_copy(update={"traces_endpoint": collector.endpoint}), "test"):
        with own_ledger.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE campaigns RENAME TO away")
        with batches.recorded(jobs[0].bucket, now()) as span:
            batches.link(span, jobs)
        end()

    (batch,) = collector.named("batch copy")
    assert (batch.status, batch.links, batch.attributes["factory.campaign.ids"]) == (0, [], ["spring"])


def test_a_training_is_told_by_its_stages(settings: Settings, own_ledger: Ledger):
    own_ledger.trainings.ask(Kind.COPY, "starter", "a person asked for it")
    claim = own_ledger.trainings.claim(Kind.COPY, "starter", "trainer@test#1")
    assert claim

    with collecting() as collector, traced(settings.model_copy(update={"traces_endpoint": collector.endpoint}), "test"):
        with answered(TRAIN_QUEUE, None), Held(own_ledger.trainings, claim, threading.Event()) as held:
            held.begin("snapshot")
            held.begin("gate")
        end()

    (training,) = collector.named("process train")
    assert collector.names_below(training) == ["snapshot", "gate"]
    assert training.links == []


@pytest.mark.usefixtures("storage")
def test_a_training_of_the_command_line_is_told_by_its_stages(settings: Settings):
    with collecting() as collector:
        environment = settings.model_copy(update={"traces_endpoint": collector.endpoint}).environment()
        command = [sys.executable, "-m", "workers.learning.train", "copy"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)

    # Nobody has rated anything.
    (training,) = collector.named("train")
    assert done.stdout.startswith("skipped: "), done.stderr
    assert training.service == "factory-command"
    assert training.attributes == {"factory.kind": "copy", "factory.training.state": "skipped"}
    assert "snapshot" in collector.names_below(training)


def test_a_sweep_is_told_where_it_took_something_back(settings: Settings, own_ledger: Ledger):
    campaign = line_campaign("spring", products=2, variants=1)
    own_ledger.campaigns.submit("spring", campaign, line_jobs("spring", campaign, "starter"))
    hasty = Ledger(settings.model_copy(update={"lease_seconds": 0.001}))
    assert hasty.leases.claim("copy/starter/short", 2, "writer@test#1")

    with collecting() as collector, traced(settings.model_copy(update={"traces_endpoint": collector.endpoint}), "test"):
        while own_ledger.campaigns.status("spring").leased:
            sweep(make_app(settings), own_ledger)
        sweep(make_app(settings), own_ledger)
        end()
    hasty.close()

    (swept,) = collector.named("sweep")
    assert swept.attributes == {"factory.jobs.again": 2, "factory.jobs.failed": 0}


def test_a_campaign_that_a_sweep_ends_has_its_end_in_its_trace(settings: Settings, own_ledger: Ledger):
    # Its job kills every worker: alone in the end, and then no other one.
    campaign = line_campaign("spring", products=1, variants=1)
    own_ledger.campaigns.submit("spring", campaign, line_jobs("spring", campaign, "starter"))
    app = make_app(settings)

    with collecting() as collector, traced(settings.model_copy(update={"traces_endpoint": collector.endpoint}), "test"):
        for _ in range(LOSSES_UNTIL_ALONE + LOSSES_ALONE_UNTIL_DEAD):
            pick = own_ledger.leases.pick([Kind.COPY])
            assert pick
            assert own_ledger.leases.claim(pick.bucket, 1, "writer@test#1")
            own_ledger.leases.release(["writer@test#1"])
        for _ in range(2):
            sweep(app, own_ledger)
        end()

    link = campaign_link("spring", own_ledger.campaigns.status("spring").created_at)
    assert [(one.trace_id, one.parent_id) for one in collector.named("campaign finished")] == [
        (f"{link.trace_id:032x}", f"{link.span_id:016x}")
    ]
