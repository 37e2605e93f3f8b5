"""A worker whose model makes its candidates from nothing: all that is left is what the factory itself costs.

`celery -A benchmarks.noop_worker worker`. The whole way is the product's own code with another engine; two more tasks
leave parts of the way out, so that the cost of each part shows.
"""

import itertools
import random
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from celery import Celery, signals

from benchmarks import work
from benchmarks.overhead import LEDGER_ALONE, PUBLISHED
from core.broker import GENERATE, make_app
from core.ledger import Ledger
from core.settings import Settings
from schemas.assets import Asset, Location
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.versions import SHIPPED
from workers.choose import Chosen
from workers.engine import Engine
from workers.events import JobEvents
from workers.finishing.copy import finished_line
from workers.generate import Batch, Generator
from workers.models.protocol import NO_PARTS, Model, Parts, Sample

# Never served by: a ticket of one task must not be passed on to another.
SLICE_SECONDS = 3600.0

settings = Settings.load().model_copy(update={"slice_seconds": SLICE_SECONDS})
app = make_app(settings)
stopping = threading.Event()
_once = threading.Lock()


class NoopModel:
    """Makes one candidate a job at once, different for every seed."""

    version = "no-op"
    device = "cpu"

    def __init__(self) -> None:
        self._texts = [" ".join(words) for words in itertools.permutations(work.WORDS, 3)]
        # In their order, neighbours would read alike.
        random.Random(0).shuffle(self._texts)

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return the candidate of each job."""
        return [[Sample(self._texts[job.seed].encode(), "text/plain", 0.0, {"attempt": attempt})] for job in jobs]


class NoopEngine(Engine):
    """An engine with no device behind it."""

    def model_of(self, bucket: str, version: str = SHIPPED) -> Model:
        """Return the one model, whatever the bucket."""
        del bucket, version
        return _noop_model()


class Noop(Generator):
    """The whole way: claim, checks, choice, S3, ledger, events."""

    def __init__(
        self, settings: Settings, app: Celery, ledger: Ledger, nodename: str, stopping: threading.Event
    ) -> None:
        super().__init__(settings, app, ledger, nodename, stopping)
        self._engine = NoopEngine(settings, self._ledger.leases, self._storage, self._ledger.versions)


class Published(Noop):
    """Without checks and events: claim, S3, ledger."""

    def __init__(
        self, settings: Settings, app: Celery, ledger: Ledger, nodename: str, stopping: threading.Event
    ) -> None:
        super().__init__(settings, app, ledger, nodename, stopping)
        self._events = _Silent(app, nodename)

    def _make(self, batch: Batch) -> None:
        bucket, jobs = batch.lease.bucket, batch.lease.jobs
        with self._engine.turn(bucket):
            results = self._engine.generate(bucket, jobs, 1)
        batch.chosen = [
            (
                Chosen(made.job, finished_line(sample.data.decode()), sample, (), 0, NoopModel.version),
                made.device_seconds,
            )
            for made in results
            for sample in made.samples[:1]
        ]


class LedgerAlone(Published):
    """Claim and finish only: what tickets and ledger cost."""

    def _settle(self, batch: Batch) -> None:
        self._ledger.leases.finish(batch.lease, [_asset(one) for one, _ in batch.chosen])


class _Silent(JobEvents):
    """Sends nothing."""

    def send(self, events: Any) -> None:
        """Let the events be, and their making too: they are made as they are taken."""
        del events


@cache
def _ledger() -> Ledger:
    return Ledger(settings)


@cache
def _noop_model() -> NoopModel:
    return NoopModel()


def _asset(one: Chosen) -> Asset:
    place = Location(key="nowhere", offset_bytes=0, length_bytes=1, sha256="")
    return Asset(
        job_id=one.job.id,
        campaign_id=one.job.campaign_id,
        sku=one.job.brief.product.sku,
        location=place,
        manifest=place,
        content_type="text/plain",
        preview=one.finished.preview,
        fingerprint=one.finished.fingerprint,
        model="no-op",
        device_seconds=0.0,
    )


@cache
def _generator(task: str, nodename: str) -> Noop:
    makers = {GENERATE: Noop, PUBLISHED: Published, LEDGER_ALONE: LedgerAlone}
    return makers[task](settings, app, _ledger(), nodename, stopping)


def _serve(task: Any, kind: str) -> None:
    with _once:
        generator = _generator(task.name, task.request.hostname)
    generator.serve(Kind(kind))


@app.task(name=GENERATE, bind=True)
def whole(self: Any, kind: str) -> None:
    """Answer a ticket as the factory's worker does."""
    _serve(self, kind)


@app.task(name=PUBLISHED, bind=True)
def published(self: Any, kind: str) -> None:
    """Answer a ticket without checks and events."""
    _serve(self, kind)


@app.task(name=LEDGER_ALONE, bind=True)
def ledger_alone(self: Any, kind: str) -> None:
    """Answer a ticket with claim and finish alone."""
    _serve(self, kind)


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stopping.set()
