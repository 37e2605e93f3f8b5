"""Finishes and checks candidates and takes the best that passes and that its campaign does not hold yet."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.errors import PermanentError
from core.ledger.assets import Assets, Place
from core.ledger.leases import Failure
from schemas.assets import Check
from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.finishing.protocol import Finished, Finisher
from workers.models.protocol import Sample

# The check that looks at the campaign instead of the asset.
NEW = "near-duplicate"
# What is said where a model offers no candidate at all.
NOTHING = "the model made nothing that it is sure of"
# What a sample that cannot be finished is counted as.
FINISH = "finish"
# Near-duplicates are looked for among what one reader may see: one product and kind, in one channel, for one audience.
# The very same line is never taken twice in a campaign.
Shelf = tuple[Kind, Place]


@dataclass(frozen=True)
class Chosen:
    """The accepted candidate of a job, finished, with the checks it passed."""

    job: Job
    finished: Finished
    sample: Sample
    checks: tuple[Check, ...]
    rank: int
    # The version that made it, as its asset names it.
    model: str


class Chooser:
    """Chooses for the jobs of this process; batches in hand count as taken before the ledger knows them."""

    def __init__(self, assets: Assets, finishers: Mapping[Kind, Finisher]) -> None:
        self._assets = assets
        self._finishers = finishers
        self._lock = threading.Lock()
        self._in_hand: list[Chosen] = []

    def choose(
        self, made: Sequence[tuple[Job, Sequence[Sample]]], version: str
    ) -> tuple[list[Chosen], dict[str, Counter[str]]]:
        """Return the chosen candidates, and for the jobs without one how often each check failed.

        What was chosen stays in hand until `forget`, so that two batches of this process never choose alike.
        """
        reasons: dict[str, Counter[str]] = {job.id: Counter() for job, _ in made}
        fit = [(job, self._finished(job, samples, version, reasons[job.id])) for job, samples in made]
        with self._lock:
            taken = self._taken(fit)
            chosen = [best for job, candidates in fit if (best := self._first_fit(candidates, taken, reasons[job.id]))]
            self._in_hand += chosen
        return chosen, reasons

    def forget(self, chosen: Iterable[Chosen]) -> None:
        """Let go of what the ledger now holds, or what was given up."""
        gone = {id(one) for one in chosen}
        with self._lock:
            self._in_hand = [one for one in self._in_hand if id(one) not in gone]

    def _finished(self, job: Job, samples: Sequence[Sample], version: str, reasons: Counter[str]) -> list[Chosen]:
        """Return the candidates as they would be delivered, not checked yet."""
        found = []
        for rank, sample in enumerate(samples):
            try:
                finished = self._finishers[job.kind].finish(job, sample, version)
            except PermanentError as error:
                reasons[f"{FINISH}: {error}"] += 1
                continue
            found.append(Chosen(job, finished, sample, (), rank, version))
        return found

    def _taken(self, fit: Sequence[tuple[Job, Sequence[Chosen]]]) -> "_Taken":
        """Return what the campaigns of these jobs hold, in the ledger and in hand."""
        candidates = [(job.campaign_id, one.finished.fingerprint) for job, several in fit for one in several]
        taken = _Taken(self._alike([job for job, _ in fit]), self._assets.held(candidates))
        for one in self._in_hand:
            taken.add(one)
        return taken

    def _alike(self, jobs: Collection[Job]) -> dict[Shelf, list[Finished]]:
        """Return what the products of these jobs hold, as far as near-duplicates can be told by it."""
        products = {
            kind: {(job.campaign_id, job.brief.product.sku) for job in jobs if job.kind == kind}
            for kind in (Kind.COPY, Kind.IMAGE, Kind.MUSIC)
        }
        texts = self._assets.texts(products[Kind.COPY]) if products[Kind.COPY] else {}
        likenesses = self._assets.likenesses(products[Kind.IMAGE]) if products[Kind.IMAGE] else {}
        found: dict[Shelf, list[Finished]] = {
            (Kind.COPY, place): [_held(preview=text) for text in some] for place, some in texts.items()
        }
        for place, some in likenesses.items():
            found[Kind.IMAGE, place] = [_held(likeness=one) for one in some]
        pieces = self._assets.likenesses(products[Kind.MUSIC]) if products[Kind.MUSIC] else {}
        for (campaign_id, sku, _, _), some in pieces.items():
            found.setdefault(_music_shelf(campaign_id, sku), []).extend(_held(likeness=one) for one in some)
        return found

    def _first_fit(self, candidates: Sequence[Chosen], taken: "_Taken", reasons: Counter[str]) -> Chosen | None:
        """Return the best candidate that passes and is new; those behind it need no check."""
        for one in candidates:
            finisher = self._finishers[one.job.kind]
            checks = finisher.check(one.job, one.finished)
            wrong = next((check.name for check in checks if not check.passed), None)
            if wrong is None and not taken.holds(one, finisher):
                taken.add(one)
                return replace(one, checks=(*checks, Check(name=NEW, passed=True)))
            reasons[wrong or NEW] += 1
        return None


@dataclass
class _Taken:
    """What is there by shelf, for near-duplicates; fingerprints by campaign, for the very same."""

    finished: dict[Shelf, list[Finished]] = field(default_factory=dict)
    fingerprints: set[tuple[str, str]] = field(default_factory=set)

    def add(self, one: Chosen) -> None:
        self.finished.setdefault(shelf_of(one.job), []).append(one.finished)
        self.fingerprints.add((one.job.campaign_id, one.finished.fingerprint))

    def holds(self, one: Chosen, finisher: Finisher) -> bool:
        if (one.job.campaign_id, one.finished.fingerprint) in self.fingerprints:
            return True
        return finisher.is_near_duplicate(one.finished, self.finished.get(shelf_of(one.job), []))


def rejection(job: Job, reasons: Counter[str], seconds: float) -> Failure:
    """Return the dead letter of a job without a candidate fit to deliver: what was wrong, and the way out."""
    told = ", ".join(f"{reason} ({count}x)" for reason, count in reasons.most_common(4)) or NOTHING
    what = {Kind.COPY: "line", Kind.IMAGE: "picture", Kind.CREATIVE: "advertisement", Kind.MUSIC: "piece"}[job.kind]
    advice = "give the product a fuller description, or edit the brief and retry"
    if job.kind == Kind.MUSIC:
        advice = "ask for another mood, energy or key, as in `--edit JOB music.mood=calm`, and retry"
    return Failure(job.id, "rejected", f"no {what} passed the checks: {told}; {advice}", True, seconds)


def shelf_of(job: Job) -> Shelf:
    """Return what near-duplicates of a job's asset are looked for in."""
    brief = job.brief
    if job.kind == Kind.MUSIC:
        return _music_shelf(job.campaign_id, brief.product.sku)
    return job.kind, (job.campaign_id, brief.product.sku, brief.channel, brief.audience.id)


def _music_shelf(campaign_id: str, sku: str) -> Shelf:
    """Return the shelf of all music of a campaign: nobody wants a tune of a brand twice, wherever it is heard."""
    return Kind.MUSIC, (campaign_id, sku, "", "")


def _held(preview: str = "", likeness: str = "") -> Finished:
    """Return what the ledger knows of an asset, to compare with."""
    return Finished(b"", "", preview, "", likeness)
