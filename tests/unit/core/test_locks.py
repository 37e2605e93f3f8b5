"""Locks of folders: one at a time, none that outlives its process, and going on where a disk keeps none."""

import errno
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from core.locks import alone_with

from support.lockless import refuse_locks

DEADLINE_SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "starter"


def _enter(folder: Path) -> str:
    with alone_with(folder):
        return "entered"


def _hold(folder: Path, is_held: Event) -> None:
    with alone_with(folder):
        is_held.set()
        threading.Event().wait()


def test_whoever_comes_second_waits_until_the_first_is_done(folder: Path):
    with ThreadPoolExecutor(1) as pool:
        with alone_with(folder):
            second = pool.submit(_enter, folder)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)

        assert second.result(DEADLINE_SECONDS) == "entered"


def test_folders_do_not_wait_for_each_other(folder: Path):
    with alone_with(folder), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_enter, folder.with_name("other")).result(DEADLINE_SECONDS) == "entered"


def test_what_is_done_may_fail_and_keeps_nobody_waiting(folder: Path):
    with pytest.raises(ZeroDivisionError), alone_with(folder):
        raise ZeroDivisionError

    assert _enter(folder) == "entered"


def test_a_process_that_is_killed_keeps_nobody_waiting(folder: Path):
    context = multiprocessing.get_context("forkserver")
    is_held = context.Event()
    process = context.Process(target=_hold, args=(folder, is_held))
    process.start()
    assert is_held.wait(DEADLINE_SECONDS)
    assert process.pid

    os.kill(process.pid, signal.SIGKILL)
    process.join(DEADLINE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_enter, folder).result(DEADLINE_SECONDS) == "entered"


def test_every_account_that_may_write_there_can_hold_it(folder: Path):
    before = os.umask(0o077)
    try:
        _enter(folder)
    finally:
        os.umask(before)

    (lock,) = folder.parent.iterdir()
    assert lock.stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_where_a_disk_keeps_no_locks_it_goes_on_and_says_so(
    code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    refuse_locks(monkeypatch, code)

    assert _enter(folder) == "entered"
    assert f"the disk of {folder} keeps no locks ({os.strerror(code)})" in caplog.text


def test_other_trouble_with_a_lock_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    refuse_locks(monkeypatch, errno.EIO)

    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        _enter(folder)


def test_a_link_is_not_followed(folder: Path, tmp_path: Path):
    folder.parent.mkdir()
    (folder.parent / f".{folder.name}.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        _enter(folder)
    assert not (tmp_path / "elsewhere").exists()
