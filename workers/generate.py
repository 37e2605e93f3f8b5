"""One batch after the other: claim, generate, choose, publish, finish. Three threads walk this at once.

While one thread has the device, another has claimed the next batch and a third publishes the last one.
"""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from celery import Celery

from core import traces
from core.broker import ring
from core.errors import (
    BrokenVersionError,
    BrokerError,
    ModelLoadError,
    OutdatedError,
    SettingsError,
    TransientError,
)
from core.ledger import Ledger
from core.ledger.leases import ALONE, Failure, Lease, Pick, Settled
from core.ledger.promotions import Order
from core.settings import Settings
from core.storage import Storage
from schemas.assets import Asset
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers import events, measures
from workers.choose import Chooser, Chosen, rejection
from workers.engine import Engine, Result
from workers.events import JobEvents
from workers.finishing import finishers
from workers.gather import gather
from workers.keeper import LeaseKeeper, worker_id
from workers.models.protocol import NO_PARTS, Parts, Sample
from workers.publish import publish
from workers.sides import Sides
from workers.traced import Batches, tell_outcome

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Rounds of new candidates before a job is given up as one whose brief cannot be served.
ROUNDS = 3
# How long a device stays with a warm bucket while others of the same urgency wait.
WARM_SECONDS = 3.0
# A batch that waited longer than this for the device is filled up before it runs.
STALE_SECONDS = 0.05
BACKOFF_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 15.0


@dataclass
class Batch:
    """What became of the jobs of one lease so far."""

    lease: Lease
    # When the device began it; until then, when it was claimed.
    began_at: float = field(default_factory=time.monotonic)
    # The version that makes each job, for all rounds: a promotion in the middle changes nothing.
    versions: dict[str, str] = field(default_factory=dict)
    chosen: list[tuple[Chosen, float]] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    # Device seconds of each job, and how often which check failed.
    seconds: Counter[str] = field(default_factory=Counter)
    reasons: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    span: traces.Span = traces.OFF


class StoppingError(traces.CalmError):
    """The worker is stopping: give back what is in hand. Never leaves this module."""


class Generator:
    """Serves tickets on one device."""

    def __init__(
        self, settings: Settings, app: Celery, ledger: Ledger, nodename: str, stopping: threading.Event
    ) -> None:
        self._settings = settings
        self._app = app
        self._worker = worker_id(nodename)
        self._stopping = stopping
        self._ledger = ledger
        self._storage = Storage(settings)
        self._engine = Engine(settings, self._ledger.leases, self._storage, self._ledger.versions)
        self._sides = Sides(self._ledger.promotions)
        self._chooser = Chooser(self._ledger.assets, finishers(settings))
        self._events = JobEvents(app, nodename)
        self._traced = Batches(ledger.campaigns)
        self._uploads = ThreadPoolExecutor(settings.upload_threads, thread_name_prefix="upload")
        self._keeper = LeaseKeeper(self._ledger.leases, settings.batch_limit_seconds, lambda: self._engine.busy_since)
        self._keeper.start()

    @property
    def moves(self) -> bool:
        """Return whether the device is idle, or not busy with one batch for longer than one may take."""
        since = self._engine.busy_since
        return since is None or time.monotonic() - since <= self._settings.batch_limit_seconds

    @property
    def is_ready(self) -> bool:
        """Return whether a batch could begin now."""
        return self._engine.is_ready

    def serve(self, kind: Kind) -> None:
        """Answer a ticket: work until nothing of the kind waits, or until other tickets shall have their turn."""
        ends_at = time.monotonic() + self._settings.slice_seconds
        try:
            while pick := self._patiently(lambda: self._ledger.leases.pick([kind])):
                self._end_if_stopping()
                self._serve_bucket(kind, pick)
                if time.monotonic() > ends_at and self._passed_on(kind):
                    return
        except StoppingError:
            return

    def _serve_bucket(self, kind: Kind, pick: Pick) -> None:
        """Stay with a warm bucket for a while, unless something more urgent waits."""
        cools_at = time.monotonic() + WARM_SECONDS
        while self._run_batch(pick.bucket) and time.monotonic() < cools_at:
            following = self._patiently(lambda: self._ledger.leases.pick([kind]))
            if following is None or following.urgency < pick.urgency:
                return

    def _passed_on(self, kind: Kind) -> bool:
        try:
            ring(self._app, kind)
        except BrokerError as error:
            logger.warning("going on without tickets: %s", error)
            return False
        return True

    def _run_batch(self, bucket: str) -> bool:
        """Run one batch of the bucket; return False when nothing of it was left."""
        if not bucket.endswith(ALONE):
            return self._walk(bucket)
        # Others that were claimed alone meanwhile would be lost with this job, as often as it is, and be given up.
        with self._engine.turn(bucket):
            return self._walk(bucket)

    def _walk(self, bucket: str) -> bool:
        began = traces.now()
        batch = self._claim(bucket)
        if batch is None:
            return False
        with self._traced.recorded(bucket, began) as batch.span:
            self._carry_out(batch)
        return True

    def _carry_out(self, batch: Batch) -> None:
        try:
            self._make(batch)
            self._settle(batch)
        except StoppingError:
            self._give_back(batch)
            raise
        except OutdatedError:
            # Whatever we wrote might be wrong in newer tables; the lease ends, and a newer worker takes the jobs.
            raise
        except Exception as error:
            # Nobody foresaw this: say so in each job and let its attempts decide.
            logger.exception("batch in %s failed", batch.lease.bucket)
            batch.span.fail(type(error).__name__)
            message = f"{type(error).__name__}: {error}"[:2000]
            failed = [Failure(job.id, "internal", message, is_permanent=False) for job in batch.lease.jobs]
            settled = self._patiently(lambda: self._ledger.leases.finish(batch.lease, (), failed))
            tell_outcome(batch.span, settled, failed)
            self._traced.finished(settled.finished_campaigns)
        finally:
            self._keeper.drop(batch.lease.token)
            self._chooser.forget(one for one, _ in batch.chosen)

    def _claim(self, bucket: str) -> Batch | None:
        self._end_if_stopping()
        size = self._engine.batch_size(bucket)
        lease = self._patiently(lambda: self._ledger.leases.claim(bucket, size, self._worker))
        if lease is None:
            return None
        self._keeper.hold(lease.token)
        return Batch(lease)

    def _give_back(self, batch: Batch) -> None:
        try:
            self._ledger.leases.give_back(batch.lease)
        except TransientError as error:
            logger.warning("%d jobs wait until their lease ends: %s", len(batch.lease.jobs), error)

    def _make(self, batch: Batch) -> None:
        """Generate and choose, with new candidates for the jobs that had no good one."""
        bucket = batch.lease.bucket
        with self._turn(bucket) as waited_seconds:
            self._end_if_stopping()
            if waited_seconds > STALE_SECONDS:
                self._refill(batch)
            jobs: Sequence[Job] = batch.lease.jobs
            if not jobs:
                return
            self._traced.link(batch.span, jobs)
            attempts = batch.lease.attempts
            batch.began_at = time.monotonic()
            self._events.send(event for job in jobs for event in events.begun(job, attempts[job.id]))
            parts = self._gather(jobs)
            batch.versions = self._divide(bucket, [job.id for job in jobs])
            results = self._generate(batch, jobs, 1, parts)
        jobs = self._choose(batch, results)
        for attempt in range(2, ROUNDS + 1):
            if not jobs:
                return
            with self._turn(bucket):
                results = self._generate(batch, jobs, attempt, parts)
            jobs = self._choose(batch, results)
        batch.failed += [rejection(job, batch.reasons[job.id], batch.seconds[job.id]) for job in jobs]

    @contextmanager
    def _turn(self, bucket: str) -> Iterator[float]:
        asked = traces.now()
        with self._engine.turn(bucket) as waited_seconds:
            traces.passed("wait for device", asked)
            yield waited_seconds

    def _divide(self, bucket: str, job_ids: Sequence[str]) -> dict[str, str]:
        """Return the version that makes each job, every one of them loaded.

        One that is broken is withdrawn for all to see, and what serves then is asked again: nothing is ever made by
        another version than the ledger says.
        """
        while True:
            found = self._patiently(lambda: self._sides.of(bucket, job_ids))
            try:
                for version in sorted(set(found.values())):
                    self._patiently(partial(self._engine.make_ready, bucket, version))
            except BrokenVersionError as error:
                order = Order(self._worker, f"a worker cannot load it: {error}")
                logger.error("version %s is withdrawn: %s", error.version, error)  # noqa: TRY400 - it says all
                self._patiently(partial(self._sides.withdraw, bucket, error.version, order))
            except ModelLoadError:
                # This machine lacks something: each job says what.
                return found
            else:
                return found

    def _generate(self, batch: Batch, jobs: Sequence[Job], attempt: int, parts: Parts) -> list[Result]:
        """Have each version make its part of the jobs: the versions of a batch are never mixed."""
        bucket, results = batch.lease.bucket, []
        for version in sorted(set(batch.versions.values())):
            mine = [job for job in jobs if batch.versions[job.id] == version]
            if mine:
                with traces.span("generate", {"factory.jobs": len(mine), "factory.round": attempt}) as span:
                    made = self._engine.generate(bucket, mine, attempt, parts, version)
                    failed = sum(1 for one in made if one.failure)
                    span.note({"factory.version": version or "shipped", "factory.jobs.failed": failed})
                results += made
        measures.count_round(bucket, (result.device_seconds for result in results))
        return results

    def _gather(self, jobs: Sequence[Job]) -> Parts:
        """Fetch what the jobs are made of: the assets of their inputs, and the brand's logo."""
        if not any(job.inputs for job in jobs):
            return NO_PARTS
        with traces.span("gather"):
            return self._patiently(lambda: gather(self._ledger.assets, self._storage, jobs))

    def _refill(self, batch: Batch) -> None:
        """Claim anew when the batch is not full: more jobs may have come while the device was busy."""
        bucket, old = batch.lease.bucket, batch.lease
        if len(old.jobs) >= self._engine.batch_size(bucket):
            return
        self._give_back(batch)
        self._keeper.drop(old.token)
        fresh = self._claim(bucket)
        batch.lease = fresh.lease if fresh else Lease(old.token, bucket, (), {})

    def _choose(self, batch: Batch, results: Sequence[Result]) -> list[Job]:
        """Add what passes the checks to the batch; return the jobs that need other candidates."""
        batch.seconds.update({result.job.id: result.device_seconds for result in results})
        batch.failed += [result.failure for result in results if result.failure]
        by_model: defaultdict[str, list[tuple[Job, tuple[Sample, ...]]]] = defaultdict(list)
        for result in results:
            if not result.failure:
                by_model[result.model].append((result.job, result.samples))
        left: list[Job] = []
        for model, made in by_model.items():
            with traces.span("choose", {"factory.jobs": len(made)}) as span:
                chosen, wrong = self._patiently(partial(self._chooser.choose, made, model))
                span.note({"factory.jobs.chosen": len(chosen)})
            batch.chosen += [(one, batch.seconds[one.job.id]) for one in chosen]
            for job_id, counted in wrong.items():
                batch.reasons[job_id].update(counted)
            done = {one.job.id for one in chosen}
            left += [job for job, _ in made if job.id not in done]
        return left

    def _settle(self, batch: Batch) -> None:
        """Publish and record. S3 or the database away: wait and go on, the lease is renewed meanwhile."""
        began_at = time.monotonic()
        with traces.span("upload", {"factory.assets": len(batch.chosen)}):
            stored: list[Asset] = self._patiently(
                lambda: publish(self._storage, self._uploads, batch.chosen, self._engine.device)
            )
        measures.count_uploads(batch.lease.bucket, len(stored), time.monotonic() - began_at)
        with traces.span("finish"):
            settled = self._patiently(lambda: self._ledger.leases.finish(batch.lease, stored, batch.failed))
        self._tell(batch, stored, settled)
        tell_outcome(batch.span, settled, batch.failed)
        self._traced.finished(settled.finished_campaigns)
        most = self._engine.batch_size(batch.lease.bucket)
        measures.count_batch(batch.lease.bucket, len(batch.lease.jobs), most, settled)
        for kind in settled.released_kinds:
            self._passed_on(kind)
        logger.info(
            "batch of %d in %s: %d done, %d failed, %d again, %.2f s",
            len(batch.lease.jobs),
            batch.lease.bucket,
            len(settled.done),
            len(settled.failed),
            len(settled.retried),
            time.monotonic() - batch.began_at,
        )

    def _tell(self, batch: Batch, stored: Sequence[Asset], settled: Settled) -> None:
        seconds = time.monotonic() - batch.began_at
        keys = {asset.job_id: asset.location.key for asset in stored}
        told = {failure.job_id: failure.message for failure in batch.failed}
        self._events.send(
            [events.succeeded(job_id, keys[job_id], seconds) for job_id in settled.done]
            + [events.failed(job_id, told[job_id]) for job_id in settled.failed]
            + [events.retried(job_id, told.get(job_id, "reads like another line")) for job_id in settled.retried]
        )

    def _patiently(self, step: Callable[[], T]) -> T:
        """Return what the step returns, however often the ledger or S3 is away meanwhile.

        A store that refuses us is mended by people while we wait, so that is no reason to fail jobs either.
        """
        pause = BACKOFF_SECONDS
        while True:
            try:
                return step()
            except (TransientError, SettingsError) as error:
                logger.warning("waiting %.1f s: %s", pause, error)
                traces.tell("waits", {"error.type": type(error).__name__, "factory.wait_seconds": pause})
            self._end_if_stopping()
            self._stopping.wait(pause)
            pause = min(pause * 2, BACKOFF_LIMIT_SECONDS)

    def _end_if_stopping(self) -> None:
        if self._stopping.is_set():
            raise StoppingError
