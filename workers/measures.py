"""The measures of a worker: what it counts of itself. Labels are kinds, outcomes and plain names of models."""

from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from core.ledger.leases import ALONE, Settled
from schemas.buckets import Bucket, plain_name

REGISTRY = CollectorRegistry()
FILLS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
# From a line on a large card to a picture on a small CPU.
JOB_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
UPLOAD_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
# A worker has a handful of models; a setting that changes cannot make their names many, but a bug could.
MOST_MODELS = 40
OTHER = "other"

BATCHES = Counter("factory_worker_batches", "Batches that came to their end.", ("kind",), registry=REGISTRY)
JOBS = Counter("factory_worker_jobs", "What became of jobs.", ("kind", "outcome"), registry=REGISTRY)
FILL = Histogram(
    "factory_worker_batch_fill",
    "Jobs of a batch, of as many as fit.",
    ("kind",),
    buckets=FILLS,
    registry=REGISTRY,
)
SECONDS = Histogram(
    "factory_worker_job_seconds",
    "Device seconds of a job in one round of candidates.",
    ("kind", "model"),
    buckets=JOB_SECONDS,
    registry=REGISTRY,
)
UPLOADS = Counter("factory_worker_uploads", "Assets stored, with their manifests.", ("kind",), registry=REGISTRY)
UPLOAD_SECONDS_OF_A_BATCH = Histogram(
    "factory_worker_upload_seconds",
    "How long a batch took to be stored, waits for the store included.",
    buckets=UPLOAD_SECONDS,
    registry=REGISTRY,
)
HALVINGS = Counter(
    "factory_worker_out_of_memory_halvings", "Batches halved for want of memory.", ("kind",), registry=REGISTRY
)
BUSY = Counter("factory_worker_busy_seconds", "Seconds in which the device worked.", registry=REGISTRY)
LOADED = Gauge("factory_worker_loaded_models", "Models and versions that are loaded.", registry=REGISTRY)
# Not shown before there was one: others than housekeeping do not sweep, and a start of it is no sweep.
LAST_SWEEP = Gauge("factory_worker_last_sweep_timestamp_seconds", "When housekeeping last swept.", registry=None)

_models: set[str] = set()


def note_sweep() -> None:
    """Note that a sweep came to its end: beat that is down shows as one that is long ago, or as none."""
    LAST_SWEEP.set_to_current_time()
    _show_sweeps()


@cache
def _show_sweeps() -> None:
    REGISTRY.register(LAST_SWEEP)


def count_batch(bucket: str, jobs: int, most: int, settled: Settled) -> None:
    """Count a batch of so many jobs that came to its end; one that nothing was left of is none."""
    if not jobs:
        return
    kind = Bucket.parse(bucket).kind
    BATCHES.labels(kind).inc()
    # What runs alone says nothing about how full batches are; what fits may have become less in the middle of one.
    if not bucket.endswith(ALONE):
        FILL.labels(kind).observe(min(1.0, jobs / most))
    outcomes = {"done": settled.done, "failed": settled.failed, "again": settled.retried}
    for outcome, ids in outcomes.items():
        JOBS.labels(kind, outcome).inc(len(ids))


def count_round(bucket: str, seconds: Iterable[float]) -> None:
    """Count the device seconds of the jobs of one round of candidates."""
    parsed = Bucket.parse(bucket)
    its_seconds = SECONDS.labels(parsed.kind, _plain(parsed.model))
    for one in seconds:
        its_seconds.observe(one)


def count_uploads(bucket: str, assets: int, seconds: float) -> None:
    """Count the assets of a batch that are stored now, and how long that took."""
    if assets:
        UPLOADS.labels(Bucket.parse(bucket).kind).inc(assets)
        UPLOAD_SECONDS_OF_A_BATCH.observe(seconds)


def count_halving(bucket: str) -> None:
    """Count a batch that did not fit into the memory of the device."""
    HALVINGS.labels(Bucket.parse(bucket).kind).inc()


def _plain(model: str) -> str:
    """Return a model as a label, one for all where there are too many."""
    name = plain_name(model)
    if name not in _models and len(_models) >= MOST_MODELS:
        return OTHER
    _models.add(name)
    return name
