"""What the factory itself costs a job, told by CPU time and latency over jobs whose model does nothing."""

import threading
import time

from celery import Celery

from benchmarks import work
from benchmarks.made import quantiles
from benchmarks.processes import Worker
from core.broker import GENERATE, make_app, queue_of
from core.ledger import Ledger
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.jobs import JobState

# Tasks of the worker: the whole way, and with parts left out.
LEDGER_ALONE = "noop.ledger_alone"
PUBLISHED = "noop.published"
TASKS = {"ledger_alone": LEDGER_ALONE, "published": PUBLISHED, "whole": GENERATE}
COMMAND = ("benchmarks.noop_worker", "-Q", queue_of(Kind.COPY), "--pool=threads", "-c", "3")
TICKETS = 3
WARM_JOBS = 64
LONGEST_SECONDS = 300.0
MODEL = "no-op"
POLL_SECONDS = 0.002


class Overhead:
    """A running worker without a model, with a ledger and a broker database of its own."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self._app: Celery = make_app(settings)
        self._worker = worker
        self._ledger = Ledger(settings)

    def begin(self) -> None:
        """Let the worker begin to import and open everything."""
        for name in TASKS:
            self._submit(name, _warm_campaign(name), WARM_JOBS)

    def warm(self) -> None:
        """Wait until the worker has run every task once."""
        for name in TASKS:
            self._wait(_warm_campaign(name))

    def measure(self, name: str, count: int) -> dict[str, float]:
        """Return the CPU time a job of the worker, and its rate, over so many jobs."""
        cpu_before, began_at = self._worker.cpu_seconds, time.perf_counter()
        campaign_id = f"noop-{name.replace('_', '-')}"
        self._submit(name, campaign_id, count)
        self._wait(campaign_id)
        seconds = time.perf_counter() - began_at
        return {
            "cpu_ms": round((self._worker.cpu_seconds - cpu_before) / count * 1000, 4),
            "jobs_per_second": round(count / seconds, 1),
        }

    def latency(self, times: int) -> dict[str, float]:
        """Return how long one job takes from before its submit until the ledger says that it is done."""
        pause, seconds = threading.Event(), []
        for number in range(times):
            campaign_id = f"single-{number}"
            began_at = time.perf_counter()
            self._submit("whole", campaign_id, 1)
            while self._ledger.jobs.status(f"{campaign_id}-000000").state != JobState.DONE:
                self._worker.check()
                pause.wait(POLL_SECONDS)
            seconds.append(time.perf_counter() - began_at)
        return quantiles(seconds)

    def _wait(self, campaign_id: str) -> None:
        status = self._ledger.campaigns.status
        self._worker.wait_for(lambda: status(campaign_id).is_settled, LONGEST_SECONDS, "jobs without a model")

    def _submit(self, name: str, campaign_id: str, count: int) -> None:
        planned = work.jobs(campaign_id, count, MODEL, None)
        self._ledger.campaigns.submit(campaign_id, work.campaign(campaign_id), planned)
        for _ in range(min(TICKETS, count)):
            self._app.send_task(TASKS[name], (Kind.COPY.value,), queue=queue_of(Kind.COPY), retry=False)

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()


def _warm_campaign(name: str) -> str:
    return f"warm-{name.replace('_', '-')}"
