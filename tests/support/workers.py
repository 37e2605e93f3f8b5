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

from support.waiting import wait_until


class Workers:
    """The worker processes of one test."""

    def __init__(self, settings: Settings, logs: Path) -> None:
        self._settings = settings
        self._logs = logs
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, name: str = "copy", queues: str | None = None, host: str | None = None, **changes: object
    ) -> subprocess.Popen[bytes]:
        """Start a worker on these queues, or on all of them, with these settings changed, on this host of a network."""
        environment = self._settings.model_copy(update=changes).environment() | {"OMP_NUM_THREADS": "1"}
        command = ["ip", "netns", "exec", host] if host else []
        command += [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-n", f"{name}@%h"]
        command += ["-Q", queues] if queues else []
        with (self._logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--without-gossip", "--without-mingle"], env=environment, stdout=log, stderr=log
            )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self._started:
            process.kill()
            process.wait(10)


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
