"""What one run of one variant made, and how ratios between variants are told: the median, and how far rounds differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median


@dataclass(frozen=True)
class Made:
    """Jobs, the time they took, and the CPU time of the process that made them."""

    jobs: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Return jobs a second."""
        return self.jobs / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Return the CPU time of one job."""
        return self.cpu_seconds / self.jobs * 1000

    def __add__(self, other: "Made") -> "Made":
        return Made(self.jobs + other.jobs, self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds)


@dataclass(frozen=True)
class FactoryMade(Made):
    """A run of the factory, as its ledger tells it."""

    done: int
    failed: int
    # Device seconds of all jobs, and the mean batch as a share of the batch size.
    device_seconds: float
    fill: float

    @property
    def device_busy(self) -> float:
        """Return the share of the time in which the device computed."""
        return self.device_seconds / self.seconds


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Return median, least and greatest."""
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, the 95th and 99th percentile and the mean, in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50_ms": round(ordered[round(last * 0.5)] * 1000, 2),
        "p95_ms": round(ordered[round(last * 0.95)] * 1000, 2),
        "p99_ms": round(ordered[round(last * 0.99)] * 1000, 2),
        "mean_ms": round(mean(ordered) * 1000, 2),
    }
