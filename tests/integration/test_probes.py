"""Real processes answer those who watch them: a worker, the scheduler, the deliverer, housekeeping."""

import http.client
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.broker import HOUSEKEEPING_QUEUE, SWEEP, make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind

from support.lines import line_campaign, line_jobs
from support.waiting import free_port, wait_until
from support.workers import Workers

SECONDS = 60
StartProcess = Callable[..., subprocess.Popen[bytes]]


def ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def counts(page: str) -> dict[str, float]:
    """Return the samples of a page, all labels of a name added up."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[StartProcess]:
    workers = Workers(settings, tmp_path)
    yield workers.start
    workers.end()


@pytest.fixture
def start_command(settings: Settings, tmp_path: Path) -> Iterator[StartProcess]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **changes: object) -> subprocess.Popen[bytes]:
        with (tmp_path / "command.log").open("wb") as log:
            command = [sys.executable, "-m", "producer", *arguments]
            environment = settings.model_copy(update=changes).environment()
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def test_a_worker_is_ready_before_it_has_work_and_counts_what_it_does(
    start_worker: StartProcess, settings: Settings, own_ledger: Ledger, storage: Storage, line_model: Path
):
    port = free_port()
    start_worker(queues="generate.copy", metrics_port=port, batch_size=8)
    wait_until(lambda: ask(port, "/healthz") == (200, "ok\n"), SECONDS, "a worker that lives")
    wait_until(lambda: ask(port, "/readyz")[0] == 200, SECONDS, "a worker that has its libraries")

    campaign = line_campaign("c1", products=20, variants=1)
    own_ledger.campaigns.submit("c1", campaign, line_jobs("c1", campaign, line_model))
    ring(make_app(settings), Kind.COPY)
    wait_until(lambda: own_ledger.campaigns.status("c1").is_settled, SECONDS)
    wait_until(lambda: counts(ask(port, "/metrics")[1])["factory_worker_jobs_total"] >= 20, SECONDS)

    page = ask(port, "/metrics")[1]
    seen = counts(page)
    assert storage.bucket == settings.s3_bucket
    assert seen["factory_worker_uploads_total"] == 20
    assert seen["factory_worker_batches_total"] >= 3
    assert seen["factory_worker_loaded_models"] == 1
    assert seen["factory_worker_busy_seconds_total"] > 0
    assert seen["factory_worker_job_seconds_count"] >= 20
    assert f'model="{line_model.name}' in page
    assert str(line_model.parent) not in page
    assert settings.s3_secret_key
    assert settings.s3_secret_key.get_secret_value() not in page


def test_a_worker_that_cannot_load_its_model_is_alive_and_not_ready(
    start_worker: StartProcess, settings: Settings, own_ledger: Ledger, tmp_path: Path
):
    port = free_port()
    campaign = line_campaign("c1", products=1, variants=1)
    own_ledger.campaigns.submit("c1", campaign, line_jobs("c1", campaign, tmp_path / "nowhere"))
    start_worker(queues="generate.copy", metrics_port=port)
    wait_until(lambda: ask(port, "/readyz")[0] == 200, SECONDS, "a worker without work")

    ring(make_app(settings), Kind.COPY)

    wait_until(lambda: ask(port, "/readyz")[0] == 503, SECONDS, "a worker without a model")
    assert ask(port, "/healthz")[0] == 200


def test_housekeeping_has_nothing_to_load_and_is_ready_at_once(start_worker: StartProcess):
    port = free_port()
    start_worker("housekeeping", queues="housekeeping", metrics_port=port)

    wait_until(lambda: ask(port, "/healthz")[0] == 200, SECONDS)

    assert ask(port, "/readyz")[0] == 200


def test_housekeeping_shows_when_it_last_swept(start_worker: StartProcess, settings: Settings):
    port, name = free_port(), "factory_worker_last_sweep_timestamp_seconds"
    start_worker("housekeeping", queues=HOUSEKEEPING_QUEUE, metrics_port=port)
    wait_until(lambda: ask(port, "/readyz")[0] == 200, SECONDS)
    # Nobody told it to sweep: one that starts again and again would look healthy if it showed its start.
    before = counts(ask(port, "/metrics")[1])

    make_app(settings).send_task(SWEEP, queue=HOUSEKEEPING_QUEUE)
    wait_until(lambda: name in counts(ask(port, "/metrics")[1]), SECONDS, "a sweep")
    first = counts(ask(port, "/metrics")[1])[name]
    make_app(settings).send_task(SWEEP, queue=HOUSEKEEPING_QUEUE)
    wait_until(lambda: counts(ask(port, "/metrics")[1])[name] > first, SECONDS, "another one")

    assert name not in before
    assert time.time() - counts(ask(port, "/metrics")[1])[name] < SECONDS


def test_two_workers_on_one_port_are_one_that_serves_and_one_that_says_why_not(
    start_worker: StartProcess, tmp_path: Path
):
    port = free_port()
    start_worker("first", queues="feedback", metrics_port=port)
    wait_until(lambda: ask(port, "/healthz")[0] == 200, SECONDS)

    second = start_worker("second", queues="feedback", metrics_port=port)

    assert second.wait(SECONDS) == 1
    told = (tmp_path / "second.log").read_text()
    assert f"this worker does not start: FACTORY_METRICS_PORT: 127.0.0.1:{port} cannot be listened on" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", [("scheduler",), ("webhooks", "deliver")])
def test_what_works_by_the_clock_is_alive_and_stops_when_it_is_told_to(
    start_command: StartProcess, command: tuple[str, ...]
):
    port = free_port()
    process = start_command(*command, metrics_port=port)
    wait_until(lambda: ask(port, "/healthz")[0] == 200, SECONDS)

    seen = ask(port, "/readyz")[0], "process_cpu_seconds_total" in counts(ask(port, "/metrics")[1])
    process.send_signal(signal.SIGTERM)

    assert seen == (200, True)
    assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("command", [("scheduler",), ("webhooks", "deliver")])
def test_a_port_that_is_taken_is_one_line_and_no_traceback(
    start_command: StartProcess, command: tuple[str, ...], tmp_path: Path
):
    port = free_port()
    start_command("scheduler", metrics_port=port)
    wait_until(lambda: ask(port, "/healthz")[0] == 200, SECONDS)

    second = start_command(*command, metrics_port=port)

    assert second.wait(SECONDS) == 1
    told = (tmp_path / "command.log").read_text()
    assert f"FACTORY_METRICS_PORT: 127.0.0.1:{port} cannot be listened on" in told
    assert "Traceback" not in told
