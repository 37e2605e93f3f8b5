"""The models on this device: loaded once, one batch at a time. A bad job never harms its batch mates."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from core.errors import FactoryError, ModelLoadError, PermanentError
from core.ledger.leases import Failure, Leases
from core.settings import Settings
from core.storage import Storage
from schemas.buckets import Bucket, reference_and_adapter
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.models.protocol import Model, Sample

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What the device made of one job: candidates, or a failure; and the device time that is its part."""

    job: Job
    samples: tuple[Sample, ...]
    failure: Failure | None
    device_seconds: float


class Engine:
    """One device. Threads take turns: `with engine.turn(): engine.generate(...)`."""

    def __init__(self, settings: Settings, leases: Leases, storage: Storage) -> None:
        self._settings = settings
        self._leases = leases
        self._storage = storage
        self._turn = threading.Lock()
        self._models: dict[str, Model] = {}
        self._limits: dict[str, int] = {}
        # When the device began what it is doing now (monotonic seconds); None while it is idle.
        self.busy_since: float | None = None
        self.busy_seconds = 0.0
        self.device = device_name(settings.device)

    def batch_size(self, bucket: str) -> int:
        """Return how many jobs of the bucket to claim: the setting, or what was found to fit this device."""
        if bucket not in self._limits:
            known = self._leases.batch_limit(self.device, bucket)
            self._limits[bucket] = min(self._settings.batch_size, known or self._settings.batch_size)
        return self._limits[bucket]

    def model_of(self, bucket: str) -> Model:
        """Return the loaded model of a bucket; the first call loads it."""
        name = Bucket.parse(bucket).model
        if name not in self._models:
            self._models[name] = self._load(Bucket.parse(bucket).kind, name)
        return self._models[name]

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait until the device is free and hold it; yields the seconds waited."""
        asked_at = time.monotonic()
        with self._turn:
            yield time.monotonic() - asked_at

    def generate(self, bucket: str, jobs: Sequence[Job], attempt: int) -> list[Result]:
        """Return a result for each job, in their order. Never raises what one job caused. Call it in a turn."""
        self.busy_since = started = time.monotonic()
        try:
            return self._bisect(bucket, jobs, attempt)
        finally:
            self.busy_since = None
            self.busy_seconds += time.monotonic() - started

    def _bisect(self, bucket: str, jobs: Sequence[Job], attempt: int) -> list[Result]:
        started = time.monotonic()
        try:
            made = self.model_of(bucket).generate(jobs, attempt)
        except torch.OutOfMemoryError as error:
            return self._halve(bucket, jobs, attempt, error, time.monotonic() - started)
        except Exception as error:  # noqa: BLE001 - whatever a model raises, its job is found and named
            if len(jobs) > 1 and not isinstance(error, ModelLoadError):
                logger.warning("batch of %d in %s failed (%s): bisecting", len(jobs), bucket, type(error).__name__)
                return self._split(bucket, jobs, attempt)
            seconds = (time.monotonic() - started) / len(jobs)
            return [Result(job, (), _failure(job, error, seconds), seconds) for job in jobs]
        seconds = (time.monotonic() - started) / len(jobs)
        return [Result(job, tuple(samples), None, seconds) for job, samples in zip(jobs, made, strict=True)]

    def _split(self, bucket: str, jobs: Sequence[Job], attempt: int) -> list[Result]:
        half = len(jobs) // 2
        return self._bisect(bucket, jobs[:half], attempt) + self._bisect(bucket, jobs[half:], attempt)

    def _halve(
        self, bucket: str, jobs: Sequence[Job], attempt: int, error: torch.OutOfMemoryError, seconds: float
    ) -> list[Result]:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(jobs) == 1:
            message = "the device has too little memory even for this job alone; use a smaller model or dtype"
            failure = Failure(jobs[0].id, "out_of_memory", f"{message} ({error})"[:2000], True, seconds)
            return [Result(jobs[0], (), failure, seconds)]
        limit = len(jobs) // 2
        logger.warning("out of memory with %d jobs in %s: from now on %d", len(jobs), bucket, limit)
        self._limits[bucket] = min(limit, self.batch_size(bucket))
        self._leases.set_batch_limit(self.device, bucket, self._limits[bucket])
        return self._split(bucket, jobs, attempt)

    def _load(self, kind: Kind, name: str) -> Model:
        started = time.monotonic()
        reference, adapter = reference_and_adapter(name)
        loaders = {Kind.COPY: self._load_copy}
        model = loaders[kind](self._local(reference), adapter)
        logger.info("loaded %s on %s in %.1f s", model.version, model.device, time.monotonic() - started)
        return model

    def _load_copy(self, reference: str, adapter: str | None) -> Model:
        from workers.models import copy  # noqa: PLC0415 - only a worker of this kind pays for it

        settings = self._settings
        return copy.load(reference, adapter, settings.device, settings.dtype, self.cache, settings.threads)

    @property
    def cache(self) -> Path:
        """Return the folder of converted and fetched models."""
        return self._settings.home.absolute() / "models"

    def _local(self, reference: str) -> str:
        """Return the reference, an S3 one as the folder it was fetched to."""
        if not reference.startswith("s3://"):
            return reference
        bucket, _, prefix = reference.removeprefix("s3://").partition("/")
        if bucket != self._storage.bucket:
            raise ModelLoadError(f"{reference} is not in the factory's bucket {self._storage.bucket}: copy it there")
        prefix = prefix.rstrip("/") + "/"
        folder = self.cache / "s3" / prefix
        keys = [key for key, _ in self._storage.list(prefix)]
        if not keys:
            raise ModelLoadError(f"{reference} holds no files")
        for key in keys:
            target = folder / key.removeprefix(prefix)
            if not target.resolve().is_relative_to(folder.resolve()):
                raise ModelLoadError(f"{reference} holds a key that leaves its folder: {key}")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_name(f".{target.name}.part")
                part.write_bytes(self._storage.get_whole(key))
                part.rename(target)
        return str(folder)


def device_name(wanted: str) -> str:
    """Return the device that `auto` stands for, with the card's name, so that limits are kept for each kind of card."""
    device = wanted if wanted != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    return f"{device} {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def _failure(job: Job, error: Exception, seconds: float) -> Failure:
    code = {True: "model_load", False: "model_error"}[isinstance(error, ModelLoadError)]
    text = str(error) if isinstance(error, FactoryError) else f"{type(error).__name__}: {error}"
    is_permanent = isinstance(error, PermanentError) and not isinstance(error, ModelLoadError)
    logger.error("job %s failed: %s", job.id, type(error).__name__, exc_info=error)
    return Failure(job.id, code, text[:2000], is_permanent, seconds)
