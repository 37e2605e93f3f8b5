"""SIGKILL of what the embedded stack runs: it starts again, and every job still ends exactly once."""

import contextlib
import http.client
import os
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
from deploy import processes, stack
from deploy.embedded import read
from deploy.home import Home
from deploy.stack import Stack
from deploy.supervision import State, Supervisor
from schemas.campaigns import Kind

from support.exact import assert_exact
from support.lines import line_campaign, line_jobs
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(900)
JOBS = 50


class Factory:
    """The embedded stack of one test, and the means to hurt it."""

    def __init__(self, started: Stack, model: Path) -> None:
        self.settings = started.settings
        self.ledger = Ledger(self.settings)
        self.storage = Storage(self.settings)
        self._model = model

    def submit(self, name: str, campaigns: int) -> list[str]:
        names = [f"{name}-{number}" for number in range(campaigns)]
        for one in names:
            campaign = line_campaign(one, products=JOBS, variants=1)
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

    def make_the_store_log(self) -> None:
        """Ask the master inside SeaweedFS for what it does not know, which is a line in its log."""
        embedded = read(Home.of(self.settings).env_file)
        assert embedded
        assert embedded.store
        master = http.client.HTTPConnection("127.0.0.1", embedded.store.inner_ports[0], timeout=30)
        with contextlib.closing(master):
            master.request("GET", "/dir/assign?replication=unknown")
            assert master.getresponse().status == http.HTTPStatus.NOT_ACCEPTABLE

    def done(self, campaigns: Sequence[str]) -> int:
        return sum(self.ledger.campaigns.status(one).done for one in campaigns)

    def wait_until_settled(self, campaigns: Sequence[str]) -> None:
        wait_until(lambda: all(self.ledger.campaigns.status(one).is_settled for one in campaigns), 300, "the end")

    def assert_exact(self, campaigns: Sequence[str]) -> None:
        assert_exact(self.ledger, self.storage, campaigns)


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


def test_a_killed_worker_is_started_again_and_loses_nothing(factory: Factory):
    campaigns = factory.submit("worker", 3)
    for share in (0.1, 0.5):
        wait_until(lambda share=share: factory.done(campaigns) >= share * 3 * JOBS, 120, "progress")
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


def test_a_killed_supervisor_stops_nothing_and_up_takes_over(factory: Factory):
    home = Home.of(factory.settings)
    wait_until(lambda: all(one.state == State.RUNNING for one in stack.status(factory.settings)), what="all processes")
    before = {one.name: one.pid for one in stack.status(factory.settings)}
    campaigns = factory.submit("orphans", 3)
    wait_until(lambda: factory.done(campaigns) >= 0.1 * 3 * JOBS, 120, "progress")
    supervisor = Supervisor(home).pid
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(supervisor), what="the supervisor's end")
    logs = {name: (home.logs / f"{name}.log").read_bytes() for name in ("seaweedfs", "beat", "housekeeping")}

    factory.make_the_store_log()
    factory.wait_until_settled(campaigns)

    factory.make_the_store_log()
    left = {one.name: one.pid for one in stack.status(factory.settings) if one.state == State.LEFT_OVER}
    later = {name: (home.logs / f"{name}.log").read_bytes() for name in logs}
    assert left == before
    assert [name for name in logs if not later[name].startswith(logs[name]) or later[name] == logs[name]] == []
    factory.assert_exact(campaigns)
    again = stack.up(factory.settings, print)
    assert [pid for pid in before.values() if pid and processes.is_running(pid)] == []
    assert len(processes.of_home(home)) == len(again.processes) + 1
    assert (home.logs / "beat.log").read_bytes().startswith(later["beat"])


def test_everything_is_killed_at_once_and_up_goes_on(factory: Factory):
    campaigns = factory.submit("all", 4)
    for share in (0.05, 0.4):
        wait_until(lambda share=share: factory.done(campaigns) >= share * 4 * JOBS, 120, "progress")
        factory.kill_everything()
        stack.up(factory.settings, print)

    factory.wait_until_settled(campaigns)

    factory.assert_exact(campaigns)
