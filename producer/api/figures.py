"""The figures of the factory as Prometheus reads them. Labels come from short lists, never from what is typed."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from core.ledger import Ledger
from core.ledger.figures import Snapshot
from core.settings import Settings
from schemas.buckets import plain_name
from schemas.campaigns import Kind
from schemas.jobs import JobState

KEPT_SECONDS = 5.0
# Counting takes at most this share of the time of one process, however large the ledger has grown.
MOST_SHARE = 0.05
# Models beyond these, in the order of their names, are one: whatever is configured, the page stays short.
MOST_MODELS = 40
OTHER = "other"
_REASON = re.compile(r"[a-z][a-z_]{0,39}")
HOUR_SECONDS = 3600.0

Label = tuple[str, ...]


class Exposition:
    """The page of metrics, read anew from the ledger when the last one is too old."""

    def __init__(self, ledger: Ledger, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._page = b""
        self._good_until = 0.0

    def page(self) -> bytes:
        """Return the page; raises LedgerError when the ledger is away."""
        # Whoever asks while it is read waits for that: two at once would only take twice as long.
        with self._lock:
            began_at = self._clock()
            if not self._page or began_at >= self._good_until:
                self._page = render(self._ledger.figures.snapshot(), self._settings)
                took = self._clock() - began_at
                self._good_until = began_at + took + max(KEPT_SECONDS, took / MOST_SHARE)
            return self._page


def render(snapshot: Snapshot, settings: Settings) -> bytes:
    """Return figures as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(_Families(list(families(snapshot, settings))))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def families(snapshot: Snapshot, settings: Settings) -> Iterator[Metric]:
    """Yield every family of metrics."""
    yield from _work(snapshot)
    yield from _made(snapshot, settings)
    yield from _learning(snapshot)
    yield from _backlogs(snapshot)
    disk = shutil.disk_usage(next(path for path in (settings.home, *settings.home.absolute().parents) if path.exists()))
    yield GaugeMetricFamily("factory_disk_free_bytes", "Free bytes where the home of the API is.", disk.free)
    yield GaugeMetricFamily("factory_disk_size_bytes", "All bytes where the home of the API is.", disk.total)


def _work(snapshot: Snapshot) -> Iterator[Metric]:
    states = {(kind, state): snapshot.jobs.get((kind, state), 0) for kind in Kind for state in JobState}
    yield _gauge("factory_jobs", "Jobs by state.", ("kind", "state"), states.items())
    waiting = {(kind,): snapshot.claimable[kind].count if kind in snapshot.claimable else 0 for kind in Kind}
    yield _gauge("factory_claimable_jobs", "Jobs that a worker could claim now.", ("kind",), waiting.items())
    # Whoever scales workers needs both in one: work in hand is work, too.
    wanted = {(kind,): waiting[kind,] + states[kind, JobState.LEASED] for kind in Kind}
    yield _gauge("factory_wanted_jobs", "Jobs that a worker could claim now or has in hand.", ("kind",), wanted.items())
    oldest = {(kind,): snapshot.claimable[kind].oldest_seconds if kind in snapshot.claimable else 0.0 for kind in Kind}
    yield _gauge(
        "factory_oldest_waiting_seconds", "How long the oldest such job has waited.", ("kind",), oldest.items()
    )
    letters: dict[Label, float] = {}
    for (kind, code), count in snapshot.dead_letters.items():
        label = (kind, code if _REASON.fullmatch(code) else OTHER)
        letters[label] = letters.get(label, 0) + count
    yield _gauge("factory_dead_letters", "Failed jobs by reason.", ("kind", "reason"), letters.items())


def _made(snapshot: Snapshot, settings: Settings) -> Iterator[Metric]:
    counts: dict[Label, float] = {}
    seconds: dict[Label, float] = {}
    named = set(sorted(snapshot.made)[:MOST_MODELS])
    for key, made in snapshot.made.items():
        label = (key[0].value, plain_name(key[1]) if key in named else OTHER)
        counts[label] = counts.get(label, 0) + made.assets
        seconds[label] = seconds.get(label, 0.0) + made.device_seconds
    yield _counter("factory_assets", "Assets made.", ("kind", "model"), counts.items())
    yield _counter(
        "factory_asset_device_seconds", "Device seconds of these assets.", ("kind", "model"), seconds.items()
    )
    spent = snapshot.spent_device_seconds
    yield CounterMetricFamily("factory_device_seconds", "Device seconds spent, on failures too.", spent)
    if settings.device_hour_price is not None:
        cost = spent / HOUR_SECONDS * settings.device_hour_price
        yield CounterMetricFamily("factory_cost", "Device time at FACTORY_DEVICE_HOUR_PRICE an hour.", cost)


def _learning(snapshot: Snapshot) -> Iterator[Metric]:
    opinions = snapshot.opinions
    ratings = {(kind,): one.ratings for kind, one in opinions.items()}
    yield _gauge("factory_ratings", "Ratings that count.", ("kind",), ratings.items())
    standing = {(kind, "approved"): one.approved for kind, one in opinions.items()}
    standing |= {(kind, "rejected"): one.rejected for kind, one in opinions.items()}
    yield _gauge(
        "factory_rated_assets", "Assets that people approved or rejected.", ("kind", "standing"), standing.items()
    )
    trainings = {(kind,): snapshot.open_trainings.get(kind, 0) for kind in Kind}
    yield _gauge("factory_open_trainings", "Trainings that are not at their end.", ("kind",), trainings.items())
    canaries: dict[Label, float] = {}
    for one in snapshot.canaries:
        canaries[one.kind,] = max(canaries.get((one.kind,), 0.0), snapshot.at - one.since)
    yield _gauge("factory_canary_seconds", "How long the oldest canary runs.", ("kind",), canaries.items())


def _backlogs(snapshot: Snapshot) -> Iterator[Metric]:
    told = {
        "outbox": (snapshot.outbox, "Deliveries to webhooks that are not made", "a delivery is overdue"),
        "inbox": (snapshot.inbox, "Messages of feedback that are not recorded", "a message has waited"),
        "late_schedules": (snapshot.late_schedules, "Schedules that are due and not looked at", "a schedule is late"),
        "due_runs": (snapshot.due_runs, "Runs that are decided and not submitted", "a run has waited"),
    }
    for name, (backlog, what, since) in told.items():
        yield GaugeMetricFamily(f"factory_{name}", f"{what}.", backlog.count)
        yield GaugeMetricFamily(f"factory_{name}_oldest_seconds", f"For how long {since}.", backlog.oldest_seconds)


def _gauge(
    name: str, told: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, told, labels=labels)
    for label, value in sorted(values, key=lambda one: tuple(one[0])):
        family.add_metric([*map(str, label)], value)
    return family


def _counter(
    name: str, told: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, told, labels=labels)
    for label, value in sorted(values, key=lambda one: tuple(one[0])):
        family.add_metric([*map(str, label)], value)
    return family
