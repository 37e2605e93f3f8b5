import subprocess
from pathlib import Path

import pytest
from supervisor import events

from core.settings import Settings
from deploy.home import Home
from deploy.programs import LAUNCH
from deploy.rotate import Rotation, rotate

from support.waiting import wait_until


class Words(list[str]):
    """The log of a supervisor."""

    def warn(self, text: str) -> None:
        self.append(text)


class Options:
    """What a rotation asks of a supervisor."""

    def __init__(self, home: Home) -> None:
        self.logger = Words()
        self.logfile = str(home.logs / "supervisor.log")


class Supervisord:
    def __init__(self, home: Home) -> None:
        self.options = Options(home)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.of(Settings(home=tmp_path / "home"))
    home.create()
    return home


def test_whoever_writes_to_a_log_writes_on_while_it_is_rotated(tmp_path: Path):
    log = tmp_path / "one.log"
    with subprocess.Popen((*LAUNCH, str(log), "cat"), stdin=subprocess.PIPE) as writer:
        assert writer.stdin
        for text in ("first\n", "second\n", "third\n", "fourth\n", "fifth\n"):
            writer.stdin.write(text.encode())
            writer.stdin.flush()
            wait_until(lambda text=text: log.exists() and log.read_text() == text, 30, text)
            if text != "fifth\n":
                rotate(log, 3)

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    # Three older ones are kept, so the oldest of five is gone.
    assert kept == {
        "one.log": "fifth\n",
        "one.log.1": "fourth\n",
        "one.log.2": "third\n",
        "one.log.3": "second\n",
    }


def test_the_supervisor_rotates_what_has_grown_but_its_own_log(home: Home):
    big = b"x" * (2**20 + 1)
    for name in ("grown", "supervisor"):
        (home.logs / f"{name}.log").write_bytes(big)
    (home.logs / "small.log").write_text("small")
    supervisord = Supervisord(home)
    Rotation(supervisord, str(home.logs), "1", "3")

    events.notify(events.Tick5Event(0, supervisord))
    events.clear()

    sizes = {path.name: path.stat().st_size for path in home.logs.iterdir()}
    assert sizes == {"grown.log": 0, "grown.log.1": len(big), "supervisor.log": len(big), "small.log": 5}


def test_a_log_that_cannot_be_rotated_is_told_and_ends_no_supervisor(home: Home):
    (home.logs / "grown.log").write_bytes(b"x" * (2**20 + 1))
    (home.logs / "grown.log.0").mkdir()
    supervisord = Supervisord(home)
    Rotation(supervisord, str(home.logs), "1", "3")

    events.notify(events.Tick5Event(0, supervisord))
    events.clear()

    (told,) = supervisord.options.logger
    assert told.startswith("grown.log grows on: ")
