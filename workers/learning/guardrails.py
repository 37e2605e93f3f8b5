"""What a version makes anew for held-out products: whether it passes its checks, how various it is, and how fast."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.campaigns import Kind
from schemas.jobs import Brief, Job
from workers.learning.examiners import Examiner
from workers.learning.pairs import Pair
from workers.models.protocol import Model


@dataclass(frozen=True)
class Freshness:
    """The shares of candidates that pass their checks and that are unsafe, seconds, and what was made.

    Seconds are those of the processor where that is what computes: other processes then make nothing look slow.
    """

    pass_rate: float
    unsafe: float
    seconds_a_job: float
    # Of each job that has one that passes, the best one, as candidates are compared: the line itself, or a likeness.
    made: dict[str, str]
    # The means of what else is worth something.
    shares: dict[str, float] = field(default_factory=dict)


def fresh_jobs(pairs: Sequence[Pair], most: int, kind: Kind = Kind.COPY) -> list[Job]:
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
            kind=kind,
            bucket=f"{kind}/gate/any",
            brief=briefs[name][1],
            variant=0,
            seed=number,
        )
        for number, (_, _, name) in enumerate(turns[:most])
    ]


def made_anew(model: Model, pairs: Sequence[Pair], most: int, examiner: Examiner) -> Freshness:
    """Have a version make candidates for the briefs of the pairs, and return what came of it."""
    jobs = fresh_jobs(pairs, most, examiner.kind)
    clock = time.process_time if model.device == "cpu" else time.monotonic
    started = clock()
    made = model.generate(jobs, 1)
    seconds = (clock() - started) / max(len(jobs), 1)
    passed, unsafe, samples = 0, 0, 0
    best: dict[str, str] = {}
    shares: dict[str, list[float]] = defaultdict(list)
    for job, some in zip(jobs, made, strict=True):
        for sample in some:
            found = examiner.look(job, sample)
            samples += 1
            passed += found.is_passed
            unsafe += found.is_unsafe
            for name, value in found.shares.items():
                shares[name].append(value)
            if found.is_passed:
                best.setdefault(job.id, found.shown)
    whole = max(samples, 1)
    means = {name: sum(values) / len(values) for name, values in sorted(shares.items())}
    return Freshness(passed / whole, unsafe / whole, seconds, best, means)
