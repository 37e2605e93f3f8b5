"""SIGKILL at any moment: every job still ends exactly once. The oracle reads the ledger, the bucket and the hashes."""

import contextlib
import os
import random
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from core.broker import make_app, ring
from core.errors import BrokerError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from deploy import stack
from deploy.stack import Stack
from producer.verify import verify
from schemas.campaigns import Kind

from support.lines import line_campaign, line_jobs
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(900)
CAMPAIGNS, JOBS = 10, 50
KILLS = 20


class Factory:
    """The embedded stack of one test, and the means to hurt it."""

    def __init__(self, started: Stack, model: Path) -> None:
        self.settings = started.settings
        self.ledger = Ledger(self.settings)
        self.storage = Storage(self.settings)
        self.dice = random.Random(7)
        self._model = model

    def submit(self, name: str, campaigns: int = CAMPAIGNS, jobs: int = JOBS) -> list[str]:
        names = [f"{name}-{number}" for number in range(campaigns)]
        for one in names:
            campaign = line_campaign(one, products=jobs, variants=1)
            self.ledger.campaigns.submit(one, campaign, line_jobs(one, campaign, self._model))
        with contextlib.suppress(BrokerError):
            ring(make_app(self.settings), Kind.COPY, 4)
        return names

    def pid_of(self, name: str) -> int | None:
        return next((one.pid for one in stack.status(self.settings) if one.name == name), None)

    def kill(self, name: str) -> None:
        """Kill a process of the stack, whenever there is one."""
        wait_until(lambda: self.pid_of(name), what=f"a process {name}")
        pid = self.pid_of(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_everything(self) -> None:
        """Kill every process of the stack, the supervisor first, so that nothing is started again."""
        pids = [one.pid for one in stack.status(self.settings) if one.pid]
        supervisors = {psutil.Process(pid).ppid() for pid in pids}
        for pid in [*supervisors, *pids]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), what="the end of all processes")

    def done(self, campaigns: Sequence[str]) -> int:
        return sum(self.ledger.campaigns.status(one).done for one in campaigns)

    def is_working(self, campaigns: Sequence[str]) -> bool:
        statuses = [self.ledger.campaigns.status(one) for one in campaigns]
        return any(one.leased for one in statuses) or all(one.is_settled for one in statuses)

    def wait_until_settled(self, campaigns: Sequence[str]) -> None:
        wait_until(lambda: all(self.ledger.campaigns.status(one).is_settled for one in campaigns), 300, "the end")

    def assert_exact(self, campaigns: Sequence[str]) -> None:
        for one in campaigns:
            verdict = verify(self.ledger, self.storage, one)
            assert verdict.is_sound, verdict.violations
            assert verdict.states["done"] + verdict.states["failed"] == verdict.submitted_jobs
        # No job is lost to the kills: whatever failed, failed by its own lines.
        failed = [letter for one in campaigns for letter in self.ledger.jobs.dead_letters(one)]
        assert {letter.error_code for letter in failed} <= {"rejected"}
        assert len(failed) < len(campaigns), [letter.error for letter in failed]


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory, line_model: Path) -> Iterator[Factory]:
    settings = Settings(
        home=tmp_path_factory.mktemp("factory"),
        copy_model=str(line_model),
        copy_adapter=None,
        batch_size=4,
        lease_seconds=6,
        sweep_seconds=2,
        threads=1,
    )
    started = stack.up(settings, print)
    running = Factory(started, line_model)
    yield running
    running.ledger.close()
    stack.down(started.settings, print)
    shutil.rmtree(settings.home, ignore_errors=True)


def test_twenty_kills_of_the_worker_lose_and_double_nothing(factory: Factory):
    campaigns = factory.submit("worker")
    for _ in range(KILLS):
        wait_until(lambda: factory.is_working(campaigns), 120, "work in hand")
        signal.sigtimedwait([], factory.dice.uniform(0, 0.6))
        factory.kill("generate")

    factory.wait_until_settled(campaigns)

    factory.assert_exact(campaigns)


def test_a_killed_broker_loses_nothing(factory: Factory):
    campaigns = factory.submit("broker", 3)
    for share in (0.1, 0.5):
        wait_until(lambda share=share: factory.done(campaigns) >= share * 3 * JOBS, 120, "progress")
        factory.kill("valkey")

    factory.wait_until_settled(campaigns)

    factory.assert_exact(campaigns)


def test_a_wiped_broker_loses_nothing(factory: Factory):
    wait_until(lambda: factory.pid_of("valkey"), what="a broker")
    campaigns = factory.submit("wiped", 3)
    data = factory.settings.home / "data" / "valkey"
    wait_until(lambda: factory.done(campaigns) > 0, 120, "progress")

    shutil.rmtree(data / "appendonlydir")
    factory.kill("valkey")

    factory.wait_until_settled(campaigns)
    factory.assert_exact(campaigns)


def test_a_killed_store_loses_nothing(factory: Factory):
    campaigns = factory.submit("store", 3)
    for share in (0.1, 0.5):
        wait_until(lambda share=share: factory.done(campaigns) >= share * 3 * JOBS, 120, "progress")
        factory.kill("seaweedfs")

    factory.wait_until_settled(campaigns)

    factory.assert_exact(campaigns)


def test_everything_is_killed_at_once_and_up_goes_on(factory: Factory):
    campaigns = factory.submit("all", 4)
    for share in (0.05, 0.4):
        wait_until(lambda share=share: factory.done(campaigns) >= share * 4 * JOBS, 120, "progress")
        factory.kill_everything()
        stack.up(factory.settings, print)

    factory.wait_until_settled(campaigns)

    factory.assert_exact(campaigns)
