"""Plain Celery from the outside: send one message a job, and read what its worker says it did."""

import json
from typing import Any

from celery import Celery

from benchmarks import media_work
from benchmarks.made import Made
from benchmarks.processes import Worker
from core.settings import Settings
from schemas.campaigns import Kind

QUEUE = "plain"
GENERATE = "plain.generate"
NOTHING = "plain.nothing"
DONE_FILE = "plain.jsonl"
COMMAND = ("benchmarks.plain_worker", "-Q", QUEUE, "--pool=solo")
LONGEST_SECONDS = 600.0


def make_app(settings: Settings) -> Celery:
    """Return an app that loses as little as Celery alone can promise: late acknowledgement, one message in hand."""
    app = Celery("plain", broker=settings.broker_url.get_secret_value(), backend=None)
    app.conf.update(
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        task_default_queue=QUEUE,
        worker_send_task_events=True,
        broker_connection_retry_on_startup=True,
    )
    return app


class Plain:
    """A running worker of plain Celery."""

    def __init__(self, settings: Settings, worker: Worker) -> None:
        self._settings = settings
        self._app = make_app(settings)
        self._worker = worker
        self._done_file = settings.home / DONE_FILE

    def make(self, campaign_id: str, count: int, kind: Kind = Kind.COPY) -> Made:
        """Run so many jobs; the time counts from the beginning of the first task to the end of the last."""
        planned = media_work.jobs(kind, campaign_id, count, self._settings)
        self._done_file.unlink(missing_ok=True)
        cpu_before = self._worker.cpu_seconds
        with self._app.producer_or_acquire() as producer:
            for job in planned:
                self._app.send_task(GENERATE, (job.model_dump_json(),), producer=producer)
        self._worker.wait_for(lambda: len(self._done()) == count, LONGEST_SECONDS, "plain Celery's jobs")
        done = self._done()
        seconds = max(one["ended_at"] for one in done) - min(one["began_at"] for one in done)
        return Made(count, seconds, self._worker.cpu_seconds - cpu_before)

    def message_cpu_ms(self, count: int) -> float:
        """Return what a message that asks for nothing costs the worker, over so many of them."""
        self._done_file.unlink(missing_ok=True)
        cpu_before = self._worker.cpu_seconds
        with self._app.producer_or_acquire() as producer:
            for number in range(count):
                self._app.send_task(NOTHING, (str(number),), {"is_last": number == count - 1}, producer=producer)
        self._worker.wait_for(lambda: len(self._done()) == 1, LONGEST_SECONDS, "plain Celery's messages")
        return (self._worker.cpu_seconds - cpu_before) / count * 1000

    def _done(self) -> list[dict[str, Any]]:
        if not self._done_file.exists():
            return []
        text = self._done_file.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
