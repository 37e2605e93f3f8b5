"""The device hangs in the middle of a batch: the worker ends itself, and what it held is made by its next life."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.verify import verify
from schemas.campaigns import Kind
from schemas.jobs import JobState
from workers.sweep import sweep

from support.forks import Fork, celery
from support.hanging import HANGING, run_worker
from support.lines import line_campaign, line_jobs
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
# The job that hangs stands in the first batch; two more batches wait for the device meanwhile.
JOBS, BATCH = 16, 4
LEASE_SECONDS, BATCH_LIMIT_SECONDS = 3.0, 5.0


class Supervised:
    """A worker that is started again whenever it dies, and the housekeeping beside it."""

    def __init__(self, settings: Settings, ledger: Ledger, log: Path) -> None:
        self._settings, self._ledger, self._log = settings, ledger, log
        self._app = make_app(settings)
        self._running: Fork | None = None
        self.ends: list[int] = []

    def start(self, name: str, *, hangs: bool) -> None:
        """Start a life of the worker, with the model that hangs or as it is."""
        plain = ("-A", "workers.app", "worker", "-n", f"{name}@%h", "--without-gossip", "--without-mingle")
        call, arguments = (run_worker, (name,)) if hangs else (celery, plain)
        self._running = Fork(call, *arguments, environment=self._settings.environment(), log=self._log)

    def has_died(self) -> bool:
        """Sweep, and tell whether the worker ended; its exit code is kept."""
        sweep(self._app, self._ledger)
        assert self._running
        code = self._running.poll()
        if code is None:
            return False
        self.ends.append(code)
        return True

    def run_until_settled(self, name: str, *, hangs: bool) -> None:
        """Start it, and again whenever it dies, until no job is open."""
        while not self._is_settled():
            self.start(name, hangs=hangs)
            wait_until(lambda: self.has_died() or self._is_settled(), 90, "its death, or the end of the work")

    def _is_settled(self) -> bool:
        return self._ledger.campaigns.status("c1").is_settled

    def stop(self) -> None:
        if self._running:
            self._running.kill()
            self._running.wait(10)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {
        "batch_size": BATCH,
        "lease_seconds": LEASE_SECONDS,
        "batch_limit_seconds": BATCH_LIMIT_SECONDS,
        "threads": 1,
    }
    return settings.model_copy(update=changes)


@pytest.fixture
def worker(settings: Settings, own_ledger: Ledger, tmp_path: Path) -> Iterator[Supervised]:
    supervised = Supervised(settings, own_ledger, tmp_path / "worker.log")
    yield supervised
    supervised.stop()


@pytest.fixture
def job_ids(settings: Settings, own_ledger: Ledger, line_model: Path) -> list[str]:
    campaign = line_campaign("c1", products=JOBS, variants=1)
    jobs = list(line_jobs("c1", campaign, line_model))
    own_ledger.campaigns.submit("c1", campaign, jobs)
    ring(make_app(settings), Kind.COPY, 3)
    return [job.id for job in jobs]


def test_the_work_of_a_hung_worker_is_taken_up_after_its_lease(
    worker: Supervised, own_ledger: Ledger, storage: Storage, job_ids: list[str]
):
    worker.start("first", hangs=True)
    wait_until(worker.has_died, 90, "the end of the hung worker")
    held = own_ledger.jobs.status(job_ids[HANGING])

    # Another name: nobody knows that the first one is dead, so its leases must end.
    worker.run_until_settled("second", hangs=False)

    verdict = verify(own_ledger, storage, "c1")
    assert worker.ends == [-signal.SIGKILL]
    # The lease is shorter than the hang: it was renewed all along, else somebody would have had the job by now.
    assert (held.state, held.attempts, held.losses) == (JobState.LEASED, 1, 0)
    assert verdict.is_sound, verdict.violations
    assert verdict.states == {"waiting": 0, "leased": 0, "done": JOBS, "failed": 0, "cancelled": 0}
    assert own_ledger.jobs.status(job_ids[HANGING]).attempts == 2


def test_a_job_that_hangs_every_time_becomes_a_dead_letter_and_all_others_are_done(
    worker: Supervised, own_ledger: Ledger, storage: Storage, job_ids: list[str]
):
    worker.run_until_settled("copy", hangs=True)

    verdict = verify(own_ledger, storage, "c1")
    (letter,) = own_ledger.jobs.dead_letters("c1")
    assert verdict.is_sound, verdict.violations
    assert verdict.states == {"waiting": 0, "leased": 0, "done": JOBS - 1, "failed": 1, "cancelled": 0}
    assert letter.job.id == job_ids[HANGING]
    assert letter.error_code == "worker_lost"
    assert "mend the brief, then retry" in (letter.error or "")
    # Twice in a batch, three times alone: each time the worker ended itself.
    assert worker.ends == [-signal.SIGKILL] * 5
