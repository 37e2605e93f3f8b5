"""What a version writes anew for held-out products: whether it passes its checks, how various it is, and how fast."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.campaigns import Kind
from schemas.jobs import Brief, Job
from workers.checks.copy import check
from workers.checks.words import words_of
from workers.learning.pairs import Pair
from workers.models.protocol import Model

# Rules whose breach is a danger, not a flaw.
UNSAFE_RULES = frozenset({"banned_words", "unsafe"})


@dataclass(frozen=True)
class Freshness:
    """The shares of candidates that pass their checks and that are unsafe, seconds, and lines.

    Seconds are those of the processor where that is what computes: other processes then make nothing look slow.
    """

    pass_rate: float
    unsafe: float
    seconds_a_job: float
    # The best line of each job that has one, by job.
    lines: dict[str, str]


def fresh_jobs(pairs: Sequence[Pair], most: int) -> list[Job]:
    """Return a job for each brief of the pairs, from as many products as possible, always with the same seeds."""
    briefs: dict[str, tuple[str, Brief]] = {}
    for pair in pairs:
        for one in (pair.better, pair.worse):
            briefs.setdefault(one.brief.model_dump_json(), (one.product, one.brief))
    in_turn: dict[str, list[str]] = {}
    for name in sorted(briefs):
        in_turn.setdefault(briefs[name][0], []).append(name)
    turns = sorted((place, product, name) for product, names in in_turn.items() for place, name in enumerate(names))
    return [
        Job(
            id=f"gate-{number:04d}",
            campaign_id="gate",
            kind=Kind.COPY,
            bucket="copy/gate/any",
            brief=briefs[name][1],
            variant=0,
            seed=number,
        )
        for number, (_, _, name) in enumerate(turns[:most])
    ]


def fresh_lines(model: Model, pairs: Sequence[Pair], most: int) -> Freshness:
    """Have a version write for the briefs of the pairs, and return what came of it."""
    jobs = fresh_jobs(pairs, most)
    clock = time.process_time if model.device == "cpu" else time.monotonic
    started = clock()
    made = model.generate(jobs, 1)
    seconds = (clock() - started) / max(len(jobs), 1)
    passed, unsafe, samples = 0, 0, 0
    lines: dict[str, str] = {}
    for job, some in zip(jobs, made, strict=True):
        for sample in some:
            text = sample.data.decode()
            broken = {one.name for one in check(text, job.brief) if not one.passed}
            samples += 1
            passed += not broken
            unsafe += bool(broken & UNSAFE_RULES)
            if not broken:
                lines.setdefault(job.id, text)
    whole = max(samples, 1)
    return Freshness(passed / whole, unsafe / whole, seconds, lines)


def distinct_pairs(texts: Sequence[str]) -> float:
    """Return the share of different ones among all pairs of neighbouring words; 1 where there are none."""
    pairs = [pair for text in texts for pair in pairwise(words_of(text.lower()))]
    return len(set(pairs)) / len(pairs) if pairs else 1.0
