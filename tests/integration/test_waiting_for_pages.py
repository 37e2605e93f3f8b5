"""`factory up` on a busy machine: pages that load for long are waited for, those that end or hang are named."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import StateError
from core.settings import Settings
from deploy import pages, processes, supervision
from deploy.home import Home
from deploy.pages import wait_for_pages
from deploy.programs import Program, supervisor_config
from deploy.sequence import stop_supervised
from deploy.supervision import Supervisor

from support.waiting import free_port

# What each of them does until it listens: it computes, as imports do.
LOADS = """
import sys, time
ends = time.process_time() + float(sys.argv[1])
while time.process_time() < ends: pass
"""
LISTENS = "import socket; one = socket.create_server(('127.0.0.1', int(sys.argv[2]))); time.sleep(600)"
Starter = Callable[[str], Settings]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    """Start a stack of two: Flower that listens at once, and an API that loads for two seconds and then does this."""
    monkeypatch.setattr(pages, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(pages, "STILL_SECONDS", 1.0)
    settings = Settings(home=tmp_path / "home", api_port=free_port(), flower_port=free_port())
    home = Home.of(settings)

    def start_them(then: str) -> Settings:
        home.create()
        (tmp_path / "flower.py").write_text(LOADS + LISTENS)
        (tmp_path / "api.py").write_text(LOADS + then)
        programs = [
            Program("flower", (sys.executable, str(tmp_path / "flower.py"), "0", str(settings.flower_port)), 0),
            Program("api", (sys.executable, str(tmp_path / "api.py"), "2", str(settings.api_port)), 0),
        ]
        (home.run / "supervisord.conf").write_text(supervisor_config(home, programs))
        supervisor = Supervisor(home)
        supervisor.launch(settings.environment() | processes.marks(home, ()))
        for program in programs:
            supervisor.start(program.name)
        return settings

    yield start_them
    stop_supervised(home, print)


def test_pages_that_load_for_long_are_waited_for(start: Starter):
    told: list[str] = []
    settings = start(LISTENS)

    wait_for_pages(settings, told.append)

    assert len(told) == 1
    assert told[0].startswith("waiting for api")
    assert told[0].endswith(": loading takes longer on a busy machine")


def test_pages_that_hang_are_named(start: Starter):
    settings = start("print('at the door', flush=True); time.sleep(600)")

    with pytest.raises(StateError, match=r"api hangs: for 1 s it did next to nothing; its log:\n  at the door"):
        wait_for_pages(settings, print)


def test_pages_that_end_are_named_with_the_end_of_their_log(start: Starter):
    settings = start("sys.exit('no such table')")

    with pytest.raises(StateError, match=rf"at 127.0.0.1:{settings.api_port}: api ended before .*\n  no such table"):
        wait_for_pages(settings, print)


@pytest.fixture
def stop_supervisor(
    monkeypatch: pytest.MonkeyPatch,
    start: Starter,  # noqa: ARG001 - ends its stack, after this one
) -> Iterator[Callable[[Settings], None]]:
    """Stop a supervisor, as a machine does that has no time for it: it takes calls and answers none."""
    stopped: list[int] = []

    def stop(settings: Settings) -> None:
        pid = Supervisor(Home.of(settings)).pid
        assert pid
        stopped.append(pid)
        monkeypatch.setattr(supervision, "RPC_SECONDS", 0.2)
        os.kill(pid, signal.SIGSTOP)

    yield stop
    monkeypatch.undo()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)


def test_pages_are_waited_for_while_the_supervisor_does_not_answer(
    start: Starter, stop_supervisor: Callable[[Settings], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pages, "STILL_SECONDS", 60.0)
    settings, told = start(LISTENS), []
    stop_supervisor(settings)

    wait_for_pages(settings, told.append)

    assert [words.partition(":")[0] for words in told] == ["waiting for api"]


def test_a_supervisor_that_never_answers_again_is_named(start: Starter, stop_supervisor: Callable[[Settings], None]):
    settings = start("time.sleep(600)")
    stop_supervisor(settings)

    with pytest.raises(StateError, match="api may have ended: the supervisor does not answer for 1 s"):
        wait_for_pages(settings, print)


def test_why_a_process_gets_no_log_is_in_that_of_the_supervisor(start: Starter, tmp_path: Path):
    logs = tmp_path / "home" / "logs"
    # Whatever cannot be opened: rights say nothing to the superuser.
    (logs / "api.log").mkdir(parents=True)
    settings = start(LISTENS)

    with pytest.raises(StateError, match=rf"(?s)api ended before it answered; .* see {logs}/supervisor.log"):
        wait_for_pages(settings, print)

    assert (
        f"WARN api: cannot write its log: [Errno 21] Is a directory: '{logs}/api.log'"
        in (logs / "supervisor.log").read_text()
    )


def test_the_end_of_a_log_that_was_emptied_just_now_is_in_the_one_before(tmp_path: Path):
    home = Home.of(Settings(home=tmp_path / "home"))
    home.create()
    (home.logs / "api.log").touch()
    (home.logs / "api.log.1").write_text("first\nlast\n")

    assert Supervisor(home).last_words("api") == "first\n  last"
