"""The models on this device: loaded once, one batch at a time. A bad job never harms its batch mates."""

import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core import locks, traces, versions
from core.errors import (
    BrokenVersionError,
    CorruptAssetError,
    FactoryError,
    LedgerError,
    ModelLoadError,
    PermanentError,
)
from core.ledger.leases import Failure, Leases
from core.ledger.versions import Versions
from core.settings import Settings
from core.storage import Storage
from schemas.buckets import Bucket, reference_and_adapter
from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.versions import SHIPPED, name_of_version
from workers import measures
from workers.models.protocol import NO_PARTS, Model, Parts, Sample

if TYPE_CHECKING:
    from workers.models.copy_loading import CopyBase

logger = logging.getLogger(__name__)

# Versions of one model that stay loaded: champion and challenger; without a canary the former champion, so that a
# rollback takes no time.
MOST_VERSIONS = 2
OUT_OF_MEMORY = "out_of_memory"
# How long a limit counts: maybe somebody else used the device, or its process has another model by now.
LIMIT_SECONDS = 24 * 3600.0
MODEL_LOAD = "model_load"


@dataclass(frozen=True)
class Result:
    """What the device made of one job: candidates, or a failure; and the device time that is its part."""

    job: Job
    samples: tuple[Sample, ...]
    failure: Failure | None
    device_seconds: float
    # What made the samples, as assets name it.
    model: str = ""


class Engine:
    """One device. Threads take turns: `with engine.turn(): engine.generate(...)`."""

    def __init__(self, settings: Settings, leases: Leases, storage: Storage, registered: Versions) -> None:
        self._settings = settings
        self._leases = leases
        self._storage = storage
        self._registered = registered
        # Who holds the device may ask for it again. Composing needs no device, only that one batch has it at a time.
        self._device_turn, self._compose_turn = threading.RLock(), threading.RLock()
        # Of each model the versions that are loaded, the one used last behind.
        self._models: dict[tuple[Kind, str], dict[str, Model]] = {}
        self._bases: dict[str, CopyBase] = {}
        # The most jobs of each bucket in a batch, and until when that counts (monotonic seconds).
        self._limits: dict[str, tuple[int, float]] = {}
        # When the device began its batch (monotonic seconds); None while it is idle or loads a model.
        self.busy_since: float | None = None
        self.busy_seconds = 0.0
        # Whether a model is being loaded, and whether the one that was wanted last is there.
        self._is_loading, self._has_last = False, True
        self.device = device_name(settings.device)

    def batch_size(self, bucket: str) -> int:
        """Return how many jobs of the bucket to claim: the setting, or what was found to fit this device lately."""
        limit, ends_at = self._limits.get(bucket, (0, 0.0))
        if time.monotonic() >= ends_at:
            known = self._leases.batch_limit(self.device, bucket, LIMIT_SECONDS)
            limit = min(self._settings.batch_size, known or self._settings.batch_size)
            self._limits[bucket] = limit, time.monotonic() + LIMIT_SECONDS
        return limit

    def model_of(self, bucket: str, version: str = SHIPPED) -> Model:
        """Return the loaded model of a bucket, in the weights of a version; the first call loads it."""
        key = Bucket.parse(bucket).kind, Bucket.parse(bucket).model
        loaded = self._models.setdefault(key, {})
        if version not in loaded:
            while len(loaded) >= MOST_VERSIONS:
                del loaded[next(iter(loaded))]
            self._is_loading, self._has_last = True, False
            try:
                with traces.span("load model", {"factory.version": version or "shipped"}):
                    loaded[version] = self._load_alone(key, version)
            finally:
                self._is_loading = False
                measures.LOADED.set(sum(map(len, self._models.values())))
        self._has_last = True
        # Put behind the others: the one used longest ago goes first.
        loaded[version] = loaded.pop(version)
        return loaded[version]

    @property
    def is_ready(self) -> bool:
        """Return whether a batch could begin: not while the first model is being loaded, or one cannot be."""
        if self._is_loading:
            return any(list(self._models.values()))
        return self._has_last

    def make_ready(self, bucket: str, version: str) -> None:
        """Load a version that was trained, if it is not; call it in a turn.

        Raises BrokenVersionError when it can be loaded nowhere, TransientError when the store is away, ModelLoadError
        when this machine lacks the model itself.
        """
        if version == SHIPPED:
            return
        try:
            self.model_of(bucket, version)
        except CorruptAssetError as error:
            raise BrokenVersionError(version, str(error)) from error
        except ModelLoadError as error:
            # Where the model loads in the weights it ships with, the machine has what it needs.
            self.model_of(bucket)
            raise BrokenVersionError(version, str(error)) from error
        except torch.OutOfMemoryError as error:
            # Where jobs are made this is met again, and said of each of them.
            logger.warning("no room for version %s: %s", version, error)

    def _load_alone(self, key: tuple[Kind, str], version: str) -> Model:
        """Load a model; where it does not fit beside its other versions, they make room."""
        was_busy = self.busy_since is not None
        # A large model may load for longer than a batch may take.
        self.busy_since = None
        try:
            return self._load(*key, version)
        except torch.OutOfMemoryError:
            if not self._models[key]:
                raise
            logger.warning("%s: %s does not fit beside its other versions, which make room", key[1], version)
        finally:
            self.busy_since = time.monotonic() if was_busy else None
        self._models[key].clear()
        _empty_cache()
        return self._load(*key, version)

    @contextmanager
    def turn(self, bucket: str) -> Iterator[float]:
        """Wait until what the bucket needs is free and hold it; yields the seconds waited."""
        asked_at = time.monotonic()
        with self._compose_turn if _is_composed(bucket) else self._device_turn:
            yield time.monotonic() - asked_at

    def generate(
        self, bucket: str, jobs: Sequence[Job], attempt: int, parts: Parts = NO_PARTS, version: str = SHIPPED
    ) -> list[Result]:
        """Return a result for each job, in their order. Never raises what one job caused. Call it in a turn."""
        if _is_composed(bucket):
            return self._bisect(bucket, version, jobs, attempt, parts)
        self.busy_since = started = time.monotonic()
        try:
            return self._bisect(bucket, version, jobs, attempt, parts)
        finally:
            self.busy_since = None
            worked = time.monotonic() - started
            self.busy_seconds += worked
            measures.BUSY.inc(worked)

    def _bisect(self, bucket: str, version: str, jobs: Sequence[Job], attempt: int, parts: Parts) -> list[Result]:
        started = time.monotonic()
        failure: Failure | None = None
        made: list[list[Sample]] = []
        name = ""
        try:
            model = self.model_of(bucket, version)
            name = model.version
            # The first batch does not pay for loading.
            started = time.monotonic()
            made = model.generate(jobs, attempt, parts)
        except Exception as error:  # noqa: BLE001 - whatever a model raises, its job is found and named
            failure = _failure(jobs[0], error)
        # Here the error and the frames it held are gone, and with them the tensors that filled the device.
        seconds = (time.monotonic() - started) / len(jobs)
        if failure is None:
            return [Result(job, tuple(some), None, seconds, name) for job, some in zip(jobs, made, strict=True)]
        if len(jobs) > 1 and failure.code == OUT_OF_MEMORY:
            measures.count_halving(bucket)
            self._remember_limit(bucket, len(jobs) // 2)
        if len(jobs) > 1 and failure.code != MODEL_LOAD:
            logger.warning("batch of %d in %s failed (%s): halving", len(jobs), bucket, failure.code)
            traces.tell("halved", {"factory.jobs": len(jobs), "factory.failure.code": failure.code})
            half = len(jobs) // 2
            return [
                *self._bisect(bucket, version, jobs[:half], attempt, parts),
                *self._bisect(bucket, version, jobs[half:], attempt, parts),
            ]
        failed = [replace(failure, job_id=job.id, device_seconds=seconds) for job in jobs]
        return [Result(job, (), one, seconds) for job, one in zip(jobs, failed, strict=True)]

    def _remember_limit(self, bucket: str, limit: int) -> None:
        _empty_cache()
        limit = min(limit, self.batch_size(bucket))
        self._limits[bucket] = limit, time.monotonic() + LIMIT_SECONDS
        logger.warning("for a day at most %d jobs in %s", limit, bucket)
        try:
            self._leases.set_batch_limit(self.device, bucket, limit)
        except LedgerError as error:
            logger.warning("the limit is kept in this process alone: %s", error)

    def _load(self, kind: Kind, name: str, version: str) -> Model:
        """Load a model. A version takes the place of its adapter, and names itself."""
        started = time.monotonic()
        reference, adapter = reference_and_adapter(name)
        if version != SHIPPED:
            adapter = str(versions.fetch(self._storage, self._registered.get(version).described, self.cache))
        loaders = {
            Kind.COPY: self._load_copy,
            Kind.IMAGE: self._load_image,
            Kind.CREATIVE: self._load_creative,
            Kind.MUSIC: self._load_music,
        }
        model = loaders[kind](self._local(reference), adapter)
        if version != SHIPPED:
            model.version = name_of_version(name, version)
        logger.info("loaded %s on %s in %.1f s", model.version, model.device, time.monotonic() - started)
        return model

    def _load_copy(self, reference: str, adapter: str | None) -> Model:
        from workers.models import copy_loading  # noqa: PLC0415 - only a worker of this kind pays for it

        settings = self._settings
        if reference not in self._bases:
            # Kept, so that another version need load no more than its adapter.
            self._bases[reference] = copy_loading.open_base(
                reference,
                settings.device,
                settings.dtype,
                self.cache,
                settings.threads,
                own_words=settings.copy_own_words == "on",
            )
        return self._bases[reference].model(adapter)

    def _load_image(self, reference: str, adapter: str | None) -> Model:
        from workers.models import image  # noqa: PLC0415 - only a worker of this kind pays for it

        settings = self._settings
        options = image.ImageOptions(
            steps=settings.image_steps, offload=settings.image_offload, slicing=settings.image_slicing
        )
        return image.load(reference, adapter, settings.device, settings.dtype, self.cache, settings.threads, options)

    def _load_creative(self, _reference: str, _adapter: str | None) -> Model:
        from workers.models.creative.model import CreativeModel  # noqa: PLC0415 - only a worker of this kind pays

        return CreativeModel()

    def _load_music(self, reference: str, adapter: str | None) -> Model:
        from workers.models.music import references  # noqa: PLC0415 - only a worker of this kind pays for it

        settings = self._settings
        return references.load(reference, settings.device, settings.dtype, self.cache, settings.threads, adapter)

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
        targets = {key: folder / key.removeprefix(prefix) for key, _ in self._storage.list(prefix)}
        if not targets:
            raise ModelLoadError(f"{reference} holds no files")
        for key, target in targets.items():
            if not target.resolve().is_relative_to(folder.resolve()):
                raise ModelLoadError(f"{reference} holds a key that leaves its folder: {key}")
        if not all(target.exists() for target in targets.values()):
            # Of several processes that want it at once one fetches it: a model may have many gigabytes.
            with locks.alone_with(folder):
                for key, target in targets.items():
                    if not target.exists():
                        _keep(self._storage.get_whole(key), target)
        return str(folder)


def _keep(data: bytes, target: Path) -> None:
    """Write a file that is there whole or not at all, whoever else writes it at the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # A temporary file is private; a model may be read by every account that runs a worker.
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_composed(bucket: str) -> bool:
    return Bucket.parse(bucket).kind == Kind.CREATIVE


def device_name(wanted: str) -> str:
    """Return the device that `auto` stands for, with the card's name, so that limits are kept for each kind of card."""
    device = wanted if wanted != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    return f"{device} {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def _failure(job: Job, error: Exception) -> Failure:
    """Return what a model's error means for a job; a missing model or memory is a matter of this machine."""
    if isinstance(error, torch.OutOfMemoryError):
        # Where nothing fits, each of many jobs says so: its place in the model tells nothing more.
        logger.error("no room for a batch with job %s: %s", job.id, error)
        text = f"the device has too little memory even for this job alone; use a smaller model or dtype ({error})"
        return Failure(job.id, OUT_OF_MEMORY, text[:2000], is_permanent=False)
    logger.error("a batch with job %s failed", job.id, exc_info=error)
    if isinstance(error, ModelLoadError):
        return Failure(job.id, MODEL_LOAD, str(error)[:2000], is_permanent=False)
    text = str(error) if isinstance(error, FactoryError) else f"{type(error).__name__}: {error}"
    return Failure(job.id, "model_error", text[:2000], isinstance(error, PermanentError))
