"""Checks candidates and takes the best that passes and that its campaign does not hold yet."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.ledger.assets import Assets
from core.ledger.leases import Failure
from schemas.assets import Check
from schemas.jobs import Job
from workers.checks import copy as copy_checks
from workers.models.protocol import Sample

# (campaign id, sku): near-duplicates are looked for among the texts of one product.
Product = tuple[str, str]


@dataclass(frozen=True)
class Chosen:
    """The accepted candidate of a job, repaired, with the checks it passed."""

    job: Job
    text: str
    sample: Sample
    checks: tuple[Check, ...]
    rank: int

    @property
    def fingerprint(self) -> str:
        """Return a hash that is equal for texts that read the same."""
        return hashlib.sha256(copy_checks.fingerprint(self.text).encode()).hexdigest()


class Chooser:
    """Chooses for the jobs of this process; batches in hand count as taken before the ledger knows them."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._lock = threading.Lock()
        self._in_hand: Counter[tuple[Product, str]] = Counter()

    def choose(self, made: Sequence[tuple[Job, Sequence[Sample]]]) -> tuple[list[Chosen], dict[str, Counter[str]]]:
        """Return the chosen candidates, and for the jobs without one how often each check failed.

        What was chosen stays in hand until `forget`, so that two batches of this process never choose alike.
        """
        chosen: list[Chosen] = []
        reasons: dict[str, Counter[str]] = {}
        with self._lock:
            taken = self._assets.texts(_product(job) for job, _ in made)
            for (product, text), count in self._in_hand.items():
                if count and product in taken:
                    taken[product].append(text)
            for job, samples in made:
                best = _first_acceptable(job, samples, taken[_product(job)], reasons)
                if best is not None:
                    chosen.append(best)
                    taken[_product(job)].append(best.text)
                    self._in_hand[_product(job), best.text] += 1
        return chosen, reasons

    def forget(self, chosen: Iterable[Chosen]) -> None:
        """Let go of what the ledger now holds, or what was given up."""
        with self._lock:
            for one in chosen:
                key = (_product(one.job), one.text)
                self._in_hand[key] -= 1
                if not self._in_hand[key]:
                    del self._in_hand[key]


def rejection(job: Job, reasons: Counter[str], seconds: float) -> Failure:
    """Return the dead letter of a job without a candidate fit to deliver: what was wrong, and the way out."""
    told = ", ".join(f"{reason} ({count}x)" for reason, count in reasons.most_common(4)) or "the model made nothing"
    advice = "give the product a fuller description, or edit the brief and retry"
    return Failure(job.id, "rejected", f"no line passed the checks: {told}; {advice}", True, seconds)


def _first_acceptable(
    job: Job, samples: Sequence[Sample], taken: Sequence[str], reasons: dict[str, Counter[str]]
) -> Chosen | None:
    for rank, sample in enumerate(samples):
        text = copy_checks.repair(sample.data.decode(), job.brief)
        checks = copy_checks.check(text, job.brief)
        wrong = [check.name for check in checks if not check.passed]
        if not wrong and copy_checks.is_near_duplicate(text, taken):
            wrong = ["near-duplicate"]
        if not wrong:
            return Chosen(job, text, sample, (*checks, Check(name="near-duplicate", passed=True)), rank)
        reasons.setdefault(job.id, Counter()).update(wrong[:1])
    return None


def _product(job: Job) -> Product:
    return job.campaign_id, job.brief.product.sku
