"""Worker processes that a test starts, stops and kills."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.broker import make_app
from core.ledger import Ledger
from core.settings import Settings
from producer import campaigns
from producer.submit import submit

from support.forks import Fork, celery
from support.waiting import wait_until

Process = Fork | subprocess.Popen[bytes]


class Workers:
    """The worker processes of one test."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        self._settings = settings
        self._logs = logs
        self._started: list[Process] = []

    def start(
        self, name: str = "copy", queues: str | None = None, host: str | None = None, **changes: object
    ) -> Process:
        """Start a worker on these queues, or on all of them, with these settings changed, on this host of a network."""
        environment = self._settings.model_copy(update=changes).environment() | {"OMP_NUM_THREADS": "1"}
        arguments = ["-A", "workers.app", "worker", "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]
        arguments += ["-Q", queues] if queues else []
        log = self._logs / f"{name}.log"
        if host:
            process = _on_host(host, arguments, environment, log)
        else:
            process = Fork(celery, *arguments, environment=environment, log=log)
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._started:
            process.kill()
            process.wait(10)


def _on_host(host: str, arguments: list[str], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """Start a worker on a host of a network, which a process that exists cannot move to."""
    command = ["ip", "netns", "exec", host, sys.executable, "-m", "celery", *arguments]
    with log.open("ab") as file:
        return subprocess.Popen(command, env=environment, stdout=file, stderr=file)


@contextmanager
def made_by_worker(text: str, settings: Settings, ledger: Ledger, folder: Path) -> Iterator[str]:
    """Have a worker make the campaign of this text; gives its id, and kills the worker in the end."""
    (folder / "campaign.yaml").write_text(text)
    workers = Workers(settings, folder)
    workers.start("generate")
    source = campaigns.read(folder / "campaign.yaml")
    submit(source, settings, ledger, make_app(settings))
    try:
        wait_until(lambda: ledger.campaigns.status(source.id).is_settled, 120)
        yield source.id
    finally:
        workers.end()
