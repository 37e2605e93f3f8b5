"""Limits of this process: calls in a minute, and how much of something goes on at once."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from core.errors import QuotaError

# Those that called longest ago are forgotten first: their buckets are full again anyway.
MOST_BUCKETS = 10_000
BUSY_RETRY_SECONDS = 10


class Buckets:
    """Counts calls by who makes them: each has a minute's calls at once, and gets them back evenly."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> float:
        """Take one call; return 0, or after how many seconds there is one again."""
        with self._lock:
            left = self._refilled(who)
            allowed = left >= 1
            self._keep(who, left - 1 if allowed else left)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute

    def is_empty(self, who: str) -> bool:
        """Tell whether there is no call left, without taking one."""
        with self._lock:
            return self._refilled(who) < 1

    def _refilled(self, who: str) -> float:
        now = time.monotonic()
        left, since = self._left.get(who, (float(self.per_minute), now))
        return min(self.per_minute, left + (now - since) * self.per_minute / 60)

    def _keep(self, who: str, left: float) -> None:
        self._left[who] = (left, time.monotonic())
        self._left.move_to_end(who)
        if len(self._left) > MOST_BUCKETS:
            self._left.popitem(last=False)


class Places:
    """How many may do something at once."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)
        self._count = count

    @contextmanager
    def taken(self, what: str) -> Iterator[None]:
        """Hold a place; raises QuotaError when all are taken, so that nobody waits for an unknown time."""
        if not self._free.acquire(blocking=False):
            raise QuotaError(f"{self._count} {what} are under way already; try again soon", BUSY_RETRY_SECONDS)
        try:
            yield
        finally:
            self._free.release()


def whole_seconds(seconds: float) -> int:
    """Return a time to wait as a header has it: whole, and never 0."""
    return max(1, ceil(seconds))
