"""Processes that begin with their libraries loaded: forked from one process of the session that did nothing but load.

A worker takes seven seconds of a core to load torch and transformers, and tests start some sixty of them. How one
starts from nothing is proven where the embedded stack and the commands start it.
"""

import atexit
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

# None of them reads the environment of a worker. Numpy starts threads unless OMP_NUM_THREADS says 1, as make does.
LOADED = (
    "celery.__main__",
    "celery.bin.celery",
    "celery.bin.worker",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "core.ledger",
    "workers.generate",
    "workers.learning.train",
    "workers.models.copy_loading",
    "workers.models.music.references",
)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    return context


class Fork:
    """A process that was forked, with what tests ask of one that was started by a command."""

    def __init__(self, call: Callable[..., None], *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        given = call, arguments, dict(environment), log
        self._process = _context().Process(target=_run, args=given)
        self._process.start()
        assert self._process.pid
        # Multiprocessing waits at its end for all that it started: a test that failed must not leave it waiting.
        atexit.register(self.kill)
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def wait(self, seconds: float | None = None) -> int:
        """Return its exit code once it has ended; fail when it does not within the time."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", seconds or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(call: Callable[..., None], arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
    """Become what a command would have started: its environment, its output, one thread for torch."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()  # noqa: TID251 - of a process that is to be another one
    os.environ.update(environment)  # noqa: TID251
    # The server of forks is silent about what it could not load.
    assert set(LOADED) <= set(sys.modules), set(LOADED) - set(sys.modules)
    sys.modules["torch"].set_num_threads(1)
    call(*arguments)


def celery(*arguments: str) -> None:
    """Run Celery's command."""
    main: Any = sys.modules["celery.__main__"]
    sys.argv = ["celery", *arguments]
    main.main()
