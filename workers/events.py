"""Tells Flower about every job, in Celery's own event format: the task is `generate.<kind>`, its id the job's."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError

from schemas.jobs import Job

logger = logging.getLogger(__name__)

Event = tuple[str, dict[str, Any]]
# Flower is a window only: after a failure, do not make batches wait for the broker again and again.
PAUSE_SECONDS = 5.0


class JobEvents:
    """Sends job events over a connection of its own. A broker that is away costs events, never a job."""

    def __init__(self, app: Celery, nodename: str) -> None:
        self._app = app
        self._nodename = nodename
        self._lock = threading.Lock()
        self._dispatcher: Any = None
        self._quiet_until = 0.0

    def send(self, events: Iterable[Event]) -> None:
        """Send the events in one go."""
        with self._lock:
            if time.monotonic() < self._quiet_until:
                return
            try:
                dispatcher = self._connected()
                for name, fields in events:
                    dispatcher.send(name, **fields)
                dispatcher.flush()
            except (OperationalError, OSError) as error:
                logger.warning("job events not sent, the broker does not answer: %s", error)
                self._dispatcher = None
                self._quiet_until = time.monotonic() + PAUSE_SECONDS

    def _connected(self) -> Any:
        if self._dispatcher is None:
            connection = self._app.connection_for_write()
            self._dispatcher = self._app.events.Dispatcher(
                connection, hostname=self._nodename, buffer_group={"task"}, buffer_limit=2000
            )
        return self._dispatcher


def begun(job: Job, attempt: int) -> tuple[Event, Event]:
    """Return the events of a job whose batch the device begins; its arguments are what a person looks for."""
    brief = job.brief
    # A list of tasks shows about the first fifty characters; the job's id begins with its campaign anyway.
    what = f"{brief.music.mood}, {brief.music.seconds:g} s" if brief.music else brief.product.name
    shown = (what, brief.channel, brief.audience.id, job.campaign_id)
    fields = {"uuid": job.id, "name": f"generate.{job.kind}", "args": repr(shown), "kwargs": "{}", "root_id": job.id}
    received = fields | {"retries": attempt - 1, "parent_id": None, "eta": None, "expires": None}
    return ("task-received", received), ("task-started", {"uuid": job.id})


def succeeded(job_id: str, key: str, seconds: float) -> Event:
    """Return the event of a job that has its asset."""
    return "task-succeeded", {"uuid": job_id, "result": repr(key), "runtime": seconds}


def failed(job_id: str, message: str) -> Event:
    """Return the event of a job that became a dead letter."""
    return "task-failed", {"uuid": job_id, "exception": message, "traceback": ""}


def retried(job_id: str, message: str) -> Event:
    """Return the event of a job that will be tried again."""
    return "task-retried", {"uuid": job_id, "exception": message, "traceback": ""}
