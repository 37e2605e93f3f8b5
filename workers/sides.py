"""Which version makes which job: the champion, or the challenger for a fixed part of the jobs while a canary runs."""

import threading
import time
from collections.abc import Iterable

from core.canary import is_challengers
from core.ledger.promotions import Order, Promotions, Serving
from schemas.buckets import Bucket
from schemas.campaigns import Kind

# A promotion counts from the first batch on that begins after this time.
POINTER_SECONDS = 2.0


class Sides:
    """What serves each model, as this process read it last. Threads may share it."""

    def __init__(self, promotions: Promotions) -> None:
        self._promotions = promotions
        self._lock = threading.Lock()
        self._read: dict[tuple[Kind, str], tuple[float, Serving]] = {}

    def of(self, bucket: str, job_ids: Iterable[str]) -> dict[str, str]:
        """Return the version that makes each of these jobs of a bucket."""
        serving = self._serving(bucket)
        return {
            job_id: serving.challenger
            if serving.canary and is_challengers(job_id, serving.canary, serving.share)
            else serving.champion
            for job_id in job_ids
        }

    def withdraw(self, bucket: str, version: str, order: Order) -> None:
        """Let a version that cannot be loaded serve no longer; what serves now is read anew."""
        parsed = Bucket.parse(bucket)
        changed = self._promotions.withdraw(version, self._serving(bucket), order)
        with self._lock:
            self._read[parsed.kind, parsed.model] = time.monotonic(), changed

    def _serving(self, bucket: str) -> Serving:
        parsed = Bucket.parse(bucket)
        key = parsed.kind, parsed.model
        with self._lock:
            read_at, serving = self._read.get(key, (-POINTER_SECONDS, None))
            if serving is None or time.monotonic() - read_at >= POINTER_SECONDS:
                serving = self._promotions.serving(*key)
                self._read[key] = time.monotonic(), serving
            return serving
