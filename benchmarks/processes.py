"""Child processes of the benchmark: started with an environment, measured, and stopped whatever happens."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.errors import StateError
from core.settings import Settings
from deploy.waiting import wait_until

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 20.0


@contextmanager
def running(
    command: list[str],
    environment: Mapping[str, str] | None,
    log: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    stop_seconds: float = STOP_SECONDS,
    **account: Any,
) -> Iterator["Worker"]:
    """Run a command in a session of its own, so that an interrupt reaches only us and we stop it in order."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=log.parent, start_new_session=True, **account
        )
    try:
        yield Worker(process, log)
    finally:
        _stop(process, stop_signal, stop_seconds)


@contextmanager
def celery_worker(command: tuple[str, ...], settings: Settings, name: str) -> Iterator["Worker"]:
    """Run a Celery worker of the named app; its log is in the home folder."""
    app, *options = command
    line = [*(sys.executable, "-m", "celery", "-A", app, "worker", "-n", f"{name}@%h"), *options]
    line += ["--without-gossip", "--without-mingle", "-l", settings.log_level]
    with running(line, environment(settings), settings.home / "logs" / f"{name}.log") as worker:
        yield worker


@contextmanager
def answering(module: str, settings: Settings) -> Iterator["Answering"]:
    """Run a module of ours that reads orders from its standard input and answers each with lines of JSON."""
    log = settings.home / "logs" / f"{module}.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=log.parent,
            text=True,
            start_new_session=True,
        )
    try:
        yield Answering(process, log)
    finally:
        _stop(process, signal.SIGTERM, STOP_SECONDS)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a child that computes: the same for every variant."""
    # OpenMP threads that spin while they wait take the cores from everybody else on the machine.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "OMP_NUM_THREADS": str(settings.threads or 1)}
    return settings.environment() | quiet


@dataclass(frozen=True)
class Worker:
    """A running child with its log."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def cpu_seconds(self) -> float:
        """Return the CPU time it took so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def check(self) -> None:
        """Raise StateError when it ended."""
        if self.process.poll() is not None:
            raise StateError(f"a part of the benchmark ended: {_last_words(self.log)}")

    def wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until the condition holds; raises StateError when the child ends or time is up."""

        def is_over() -> bool:
            self.check()
            return condition()

        if not wait_until(is_over, seconds):
            raise StateError(f"{what}: not within {seconds:.0f} s: {_last_words(self.log)}")


class Answering:
    """A child that answers orders."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def order(self, **values: object) -> None:
        """Send an order and do not wait."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(values) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Return what it says next; raises StateError when that is an error, or when it ended."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise StateError(f"a part of the benchmark ended: {_last_words(self._log)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise StateError(answer["error"])
        return answer


def _stop(process: "subprocess.Popen[Any]", stop_signal: signal.Signals, seconds: float) -> None:
    """Ask the process to end; kill it when it takes too long."""
    process.send_signal(stop_signal)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").strip().splitlines()[-15:]) if log.exists() else "it has no log"
