"""Waiting with a deadline: for a condition, or for a lock that another process holds."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import SettingsError, StateError

POLL_SECONDS = 0.1


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Tell whether the condition came true within so many seconds."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(POLL_SECONDS)
    return True


@contextmanager
def exclusive(lock_file: Path, seconds: float, holder: str) -> Iterator[None]:
    """Hold the lock of the file; raises StateError when another process keeps it longer than so many seconds.

    The lock ends with the process that holds it, however that ends.
    """
    try:
        handle = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SettingsError(f"cannot open {lock_file}: {error.strerror}") from error
    try:
        if not wait_until(lambda: _is_locked(handle), seconds):
            raise StateError(f"{holder} is still at work (it holds {lock_file}): wait for it, or stop it")
        yield
    finally:
        os.close(handle)


def _is_locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
