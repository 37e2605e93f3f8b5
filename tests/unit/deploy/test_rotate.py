import itertools
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from supervisor import events

from core.settings import Settings
from deploy import rotate as rotation
from deploy.home import Home
from deploy.programs import LAUNCH
from deploy.rotate import Rotation, rotate

from support.waiting import wait_until

MEGABYTE = 2**20
# Runs a rotation that is killed before its Nth step that changes names or the log.
KILLED = """
import os, pathlib, signal, sys
from deploy.rotate import rotate

left = int(sys.argv[2])

def counted(step):
    def one(*arguments):
        global left
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return step(*arguments)
    return one

pathlib.Path.replace, os.truncate = counted(pathlib.Path.replace), counted(os.truncate)
rotate(pathlib.Path(sys.argv[1]), 3, 2**20)
"""
COUNTS = """
import os, sys, time
for number in range(int(sys.argv[1])):
    os.write(1, b"%d\\n" % number)
    if not number % 50: time.sleep(0.001)
"""


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
                rotate(log, 3, MEGABYTE)

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


def test_of_a_log_that_grew_for_long_the_end_is_kept(tmp_path: Path):
    log = tmp_path / "one.log"
    log.write_text("a line of long ago\n" * 100_000 + "the last\n")

    rotate(log, 3, len("the last\n"))

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"one.log": "", "one.log.1": "the last\n"}


def test_a_rotation_on_a_full_disk_changes_nothing_and_leaves_no_draft(tmp_path: Path):
    log, draft = tmp_path / "one.log", tmp_path / "one.log.0"
    log.write_text("new\n")
    log.with_name("one.log.1").write_text("older\n")
    draft.symlink_to("/dev/full")

    with pytest.raises(OSError, match="No space left"):
        rotate(log, 3, MEGABYTE)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "one.log": "new\n",
        "one.log.1": "older\n",
    }


@pytest.mark.parametrize("steps", range(4))
def test_a_rotation_that_is_killed_loses_no_log(steps: int, tmp_path: Path):
    log, wanted = tmp_path / "one.log", {"new\n", "older\n", "oldest\n"}
    for name, text in (("one.log", "new\n"), ("one.log.1", "older\n"), ("one.log.2", "oldest\n")):
        (tmp_path / name).write_text(text)

    ended = subprocess.run((sys.executable, "-c", KILLED, str(log), str(steps)), check=False)
    after_kill = {path.read_text() for path in tmp_path.iterdir()}
    rotate(log, 4, MEGABYTE)

    assert ended.returncode == -signal.SIGKILL
    assert after_kill == wanted
    assert {path.read_text() for path in tmp_path.iterdir()} == {"", *wanted}


def test_a_number_that_is_free_takes_what_comes_before_it(tmp_path: Path):
    log = tmp_path / "one.log"
    for name in ("one.log", "one.log.2", "one.log.3"):
        (tmp_path / name).write_text(name)

    rotate(log, 3, MEGABYTE)

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"one.log": "", "one.log.1": "one.log", "one.log.2": "one.log.2", "one.log.3": "one.log.3"}


def test_what_is_written_while_older_logs_move_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log, shift = tmp_path / "one.log", rotation._shift
    log.write_text("before\n")

    def shift_slowly(log: Path, files: int) -> None:
        shift(log, files)
        with log.open("a") as writer:
            writer.write("meanwhile\n")

    monkeypatch.setattr(rotation, "_shift", shift_slowly)

    rotate(log, 3, MEGABYTE)

    assert (log.read_text(), log.with_name("one.log.1").read_text()) == ("", "before\nmeanwhile\n")


def test_lines_that_are_written_meanwhile_are_lost_between_two_logs_alone(tmp_path: Path):
    log, lines, files = tmp_path / "one.log", 100_000, 1000
    with subprocess.Popen((*LAUNCH, str(log), sys.executable, "-c", COUNTS, str(lines))) as writer:
        while writer.poll() is None:
            if log.exists() and log.stat().st_size > MEGABYTE // 20:
                rotate(log, files, MEGABYTE)

    older = [log.with_name(f"{log.name}.{number}") for number in reversed(range(1, files + 1))]
    # The end of a line that was written at that very moment may be missing.
    texts = [one.read_text().rpartition("\n")[0] for one in (*older, log) if one.exists()]
    kept = [list(map(int, text.splitlines())) for text in texts]
    found = list(itertools.chain.from_iterable(kept))
    assert len(kept) > 3
    # Each log is whole, they are in order, and none has a line that another has.
    assert [one for one in kept if one and one != list(range(one[0], one[-1] + 1))] == []
    assert found == sorted(set(found))
    assert len(found) > lines * 0.9
