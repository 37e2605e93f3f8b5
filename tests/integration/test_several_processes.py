"""A stack in which two processes generate: both are listed, asked, started again and stopped, and share the work."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.broker import make_app, ring
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from deploy import processes, stack
from deploy.checks import workers
from deploy.findings import Level
from deploy.generating import count_cores
from deploy.home import Home
from deploy.stack import Stack
from deploy.supervision import ProcessStatus, State, Supervisor
from producer.cli import run
from schemas.campaigns import Kind

from support.exact import assert_exact
from support.lines import line_campaign, line_jobs
from support.waiting import wait_until

DEADLINE_SECONDS = 60
BOTH = ("generate", "generate-2")
NODES = {f"{name}@{socket.gethostname()}" for name in BOTH}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, line_model: Path) -> Iterator[Settings]:
    """Settings of a stack with two processes that generate; what runs of it at the end is stopped."""
    settings = Settings(
        home=tmp_path_factory.mktemp("several") / "home",
        generate_processes=2,
        device="cpu",
        copy_model=str(line_model),
        copy_adapter=None,
        batch_size=4,
        # So long that what a killed process held comes back only if it takes it back itself.
        lease_seconds=3600,
        sweep_seconds=2,
    )
    yield settings
    stack.down(settings, print)


@pytest.fixture
def running(bare: Settings) -> Stack:
    """The stack, up: in whatever state the test before left it."""
    return stack.up(bare, print)


def _both(of: Settings) -> dict[str, ProcessStatus]:
    return {one.name: one for one in stack.status(of) if one.name in BOTH}


def _answering(settings: Settings) -> set[str]:
    """Return the nodes of workers that answer."""
    return set(make_app(settings).control.inspect(timeout=2.0).ping() or {})


def _environments(of: Stack) -> dict[str, dict[str, str]]:
    found = processes.of_home(Home.of(of.settings))
    return {one.name: one.process.environ() for one in found if one.name in BOTH}


def test_both_are_listed_one_after_the_other_and_answer_under_names_of_their_own(running: Stack):
    names = [one.name for one in running.processes]

    assert names[names.index("generate") : names.index("feedback")] == list(BOTH)
    assert {one.state for one in running.processes} == {State.RUNNING}
    wait_until(lambda: _answering(running.settings) >= NODES, DEADLINE_SECONDS, what="an answer of both")
    assert workers.ping(running.settings).level == Level.OK


def test_each_takes_its_part_of_the_cores(running: Stack):
    threads = [values["FACTORY_THREADS"] for values in _environments(running).values()]

    assert threads == [str(max(1, count_cores() // 2))] * 2


def test_up_that_waits_returns_when_one_of_them_answers(
    running: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FACTORY_HOME", str(running.settings.home))
    capsys.readouterr()

    code = run(["up", "--wait", "--json"])

    shown = [json.loads(line)["process"] for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [name for name in shown if name in BOTH] == list(BOTH)


def test_the_second_is_started_again_when_it_is_killed_and_the_first_goes_on(running: Stack):
    before = _both(running.settings)
    pid = before["generate-2"].pid
    assert pid

    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        now = _both(running.settings)["generate-2"]
        return now.state == State.RUNNING and now.pid != pid

    wait_until(is_back, DEADLINE_SECONDS, what="a new second process")
    assert _both(running.settings)["generate"].pid == before["generate"].pid
    wait_until(lambda: _answering(running.settings) >= NODES, DEADLINE_SECONDS, what="an answer of both")


def _submit(ledger: Ledger, settings: Settings, line_model: Path, campaign_id: str) -> str:
    campaign = line_campaign(campaign_id, products=50, variants=1)
    ledger.campaigns.submit(campaign_id, campaign, line_jobs(campaign_id, campaign, line_model))
    ring(make_app(settings), Kind.COPY, 8)
    return campaign_id


def test_both_make_and_what_the_second_held_is_made_when_it_is_killed(running: Stack, line_model: Path):
    with closing(Ledger(running.settings)) as ledger:
        campaigns: list[str] = []

        def are_settled() -> bool:
            return all(ledger.campaigns.status(one).is_settled for one in campaigns)

        def have_both_made() -> bool:
            # One of them may have made everything while the other was still loading.
            if are_settled():
                campaigns.append(_submit(ledger, running.settings, line_model, f"shared-{len(campaigns)}"))
            jobs = [job for one in campaigns for job in ledger.jobs.of_campaign(one) if job.finished_at]
            return {job.worker.partition("#")[0] for job in jobs if job.worker} == NODES

        def holds_the_second() -> bool:
            return any(holder.startswith("generate-2@") for holder in ledger.leases.holders())

        wait_until(have_both_made, 2 * DEADLINE_SECONDS, what="jobs that both made")
        campaigns += [_submit(ledger, running.settings, line_model, f"killed-{number}") for number in range(4)]
        wait_until(holds_the_second, DEADLINE_SECONDS, what="jobs in hand of the second")
        pid = _both(running.settings)["generate-2"].pid
        assert pid

        os.kill(pid, signal.SIGKILL)

        wait_until(are_settled, 3 * DEADLINE_SECONDS, what="the end")
        assert_exact(ledger, Storage(running.settings), campaigns)


def test_what_was_started_is_listed_and_stopped_whatever_the_settings_say_by_now(bare: Settings, running: Stack):
    one = bare.model_copy(update={"generate_processes": 1})
    pids = [process.pid for process in _both(running.settings).values() if process.pid]
    assert set(_both(one)) == set(BOTH)
    supervisor = Supervisor(Home.of(bare)).pid
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(supervisor), DEADLINE_SECONDS, what="the supervisor's end")
    assert {process.state for process in _both(one).values()} == {State.LEFT_OVER}
    assert set(_both(one)) == set(BOTH)

    stack.down(one, print)

    assert [pid for pid in pids if processes.is_running(pid)] == []
    assert processes.of_home(Home.of(bare)) == []
    assert {name: process.state for name, process in _both(bare).items()} == dict.fromkeys(BOTH, State.STOPPED)
    assert set(_both(one)) == {"generate"}


def test_down_stops_both(bare: Settings, running: Stack):
    pids = [process.pid for process in _both(running.settings).values() if process.pid]
    lines: list[str] = []

    stack.down(bare, lines.append)

    assert len(pids) == 2
    assert [pid for pid in pids if processes.is_running(pid)] == []
    assert any("generate-2, generate stopped" in line for line in lines)
    assert lines[-1] == f"the stack in {bare.home} is down"
