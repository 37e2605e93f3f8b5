"""Checks candidates and takes the best that passes and that its campaign does not hold yet."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from core.ledger.assets import Assets
from core.ledger.leases import Failure
from schemas.assets import Check
from schemas.jobs import Job
from workers.checks import copy as copy_checks
from workers.models.protocol import Sample

# The check that looks at the campaign instead of the line.
NEW = "near-duplicate"
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

    @cached_property
    def fingerprint(self) -> str:
        """Return a hash that is equal for texts that read the same."""
        return hashlib.sha256(copy_checks.fingerprint(self.text).encode()).hexdigest()


class Chooser:
    """Chooses for the jobs of this process; batches in hand count as taken before the ledger knows them."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets
        self._lock = threading.Lock()
        self._in_hand: list[Chosen] = []

    def choose(self, made: Sequence[tuple[Job, Sequence[Sample]]]) -> tuple[list[Chosen], dict[str, Counter[str]]]:
        """Return the chosen candidates, and for the jobs without one how often each check failed.

        What was chosen stays in hand until `forget`, so that two batches of this process never choose alike.
        """
        reasons: dict[str, Counter[str]] = {job.id: Counter() for job, _ in made}
        fit = [(job, _repaired(job, samples)) for job, samples in made]
        with self._lock:
            taken = self._taken(fit)
            chosen = [best for job, candidates in fit if (best := _first_fit(candidates, taken, reasons[job.id]))]
            self._in_hand += chosen
        return chosen, reasons

    def _taken(self, fit: Sequence[tuple[Job, Sequence[Chosen]]]) -> "_Taken":
        """Return what the campaigns of these jobs hold, in the ledger and in hand."""
        texts = self._assets.texts(product_of(job) for job, _ in fit)
        candidates = [(job.campaign_id, one.fingerprint) for job, several in fit for one in several]
        taken = _Taken(texts, self._assets.held(candidates))
        for one in self._in_hand:
            taken.add(one)
        return taken

    def forget(self, chosen: Iterable[Chosen]) -> None:
        """Let go of what the ledger now holds, or what was given up."""
        gone = {id(one) for one in chosen}
        with self._lock:
            self._in_hand = [one for one in self._in_hand if id(one) not in gone]


@dataclass
class _Taken:
    """Texts by product, for near-duplicates; fingerprints by campaign, for the very same line."""

    texts: dict[Product, list[str]]
    fingerprints: set[tuple[str, str]]

    def add(self, one: Chosen) -> None:
        self.texts.setdefault(product_of(one.job), []).append(one.text)
        self.fingerprints.add((one.job.campaign_id, one.fingerprint))

    def holds(self, one: Chosen) -> bool:
        if (one.job.campaign_id, one.fingerprint) in self.fingerprints:
            return True
        return copy_checks.is_near_duplicate(one.text, self.texts.get(product_of(one.job), []))


def rejection(job: Job, reasons: Counter[str], seconds: float) -> Failure:
    """Return the dead letter of a job without a candidate fit to deliver: what was wrong, and the way out."""
    told = ", ".join(f"{reason} ({count}x)" for reason, count in reasons.most_common(4)) or "the model made nothing"
    advice = "give the product a fuller description, or edit the brief and retry"
    return Failure(job.id, "rejected", f"no line passed the checks: {told}; {advice}", True, seconds)


def product_of(job: Job) -> Product:
    """Return what near-duplicates of a job's text are looked for in."""
    return job.campaign_id, job.brief.product.sku


def _repaired(job: Job, samples: Sequence[Sample]) -> list[Chosen]:
    """Return the candidates as they would be delivered, not checked yet."""
    return [
        Chosen(job, copy_checks.repair(sample.data.decode(), job.brief), sample, (), rank)
        for rank, sample in enumerate(samples)
    ]


def _first_fit(candidates: Sequence[Chosen], taken: _Taken, reasons: Counter[str]) -> Chosen | None:
    """Return the best candidate that passes and is new; those behind it need no check."""
    for one in candidates:
        checks = copy_checks.check(one.text, one.job.brief)
        wrong = next((check.name for check in checks if not check.passed), None)
        if wrong is None and not taken.holds(one):
            taken.add(one)
            return replace(one, checks=(*checks, Check(name=NEW, passed=True)))
        reasons[wrong or NEW] += 1
    return None
