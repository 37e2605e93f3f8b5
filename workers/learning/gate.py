"""The gate: a challenger serves only if it orders held-out preferences better than the champion, beyond doubt.

Beyond doubt: a challenger that is no better passes once in two hundred times. The interval is resampled by
product, because lines of one product are alike. And a challenger may lose nothing of what nobody rates.
"""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist

from schemas.learning import GateRules
from schemas.versions import Guardrail, Verdict
from workers.learning.examiners import CopyExaminer, Examiner
from workers.learning.guardrails import Freshness, made_anew
from workers.learning.pairs import Pair
from workers.models.tuning.protocol import Contestant, Judged, Tuner

SEED = 11


@dataclass(frozen=True)
class Trial:
    """What versions are judged by: pairs that none learnt from with their assets, who looks at candidates, rules."""

    pairs: Sequence[Pair]
    judged: Mapping[str, Judged]
    rules: GateRules
    examiner: Examiner = field(default_factory=CopyExaminer)


@dataclass(frozen=True)
class Seen:
    """What the gate saw of one version: which pairs it orders as people do, and what it makes."""

    agrees: tuple[float, ...]
    neutral: float
    fresh: Freshness


def judge(tuner: Tuner, champion: Path | None, challenger: Callable[[float], Path], trial: Trial) -> Verdict:
    """Hold a challenger, which is had at any strength, against the champion; None is the shipped version."""
    theirs = look(tuner.contestant(champion), trial)
    shipped = theirs.neutral if champion is None else tuner.contestant(None).neutral()

    def held_against(strength: float) -> Verdict:
        mine = look(tuner.contestant(challenger(strength)), trial)
        return verdict(trial, mine, theirs, shipped, strength)

    return strongest(held_against, trial.rules.strengths)


def strongest(held_against: Callable[[float], Verdict], strengths: Sequence[float]) -> Verdict:
    """Return the verdict of the greatest strength that passes, else of the whole challenger; others are in it.

    A challenger that is better and lost something went too far, so it is tried weaker. One that is not better beyond
    doubt ends it: whichever is the first that is really no better, none is promoted unless that one passes for
    better. So all tries together err no more often than one, and the bound needs no correction for them.
    """
    tried: list[Verdict] = []
    for strength in strengths:
        tried.append(held_against(strength))
        if tried[-1].is_passed or not tried[-1].is_better:
            break
    chosen = tried[-1] if tried[-1].is_passed else tried[0]
    return chosen.model_copy(update={"others": tuple(one for one in tried if one is not chosen)})


def verdict(trial: Trial, challenger: Seen, champion: Seen, shipped_neutral: float, strength: float = 1.0) -> Verdict:
    """Return what follows from what was seen."""
    weights = [pair.weight for pair in trial.pairs]
    differences = [mine - theirs for mine, theirs in zip(challenger.agrees, champion.agrees, strict=True)]
    products = [pair.better.product for pair in trial.pairs]
    return Verdict(
        preferences=len(trial.pairs),
        challenger_agrees=_mean(challenger.agrees, weights),
        champion_agrees=_mean(champion.agrees, weights),
        bound=lower_bound(products, differences, weights, trial.rules),
        guardrails=_guardrails(challenger, champion, shipped_neutral, trial),
        strength=strength,
    )


def lower_bound(
    products: Sequence[str], differences: Sequence[float], weights: Sequence[float], rules: GateRules
) -> float:
    """Return the lower end of the interval of the mean difference, resampled by product; -1 for a single product."""
    sums: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for product, difference, weight in zip(products, differences, weights, strict=True):
        total, whole = sums[product]
        sums[product] = total + weight * difference, whole + weight
    parts = [sums[product] for product in sorted(sums)]
    if len(parts) < 2:
        return -1.0
    dice = random.Random(SEED)
    means = sorted(_share(dice.choices(parts, k=len(parts))) for _ in range(rules.resamples))
    middle, low = _share(parts), means[int(rules.error * rules.resamples)]
    # Few products look more alike than they are: widened as Student's distribution is wider than the normal one.
    quantile = NormalDist().inv_cdf(1 - rules.error)
    freedom = len(parts) - 1
    widening = (1 + (quantile**2 + 1) / (4 * freedom)) * math.sqrt(len(parts) / freedom)
    return max(-1.0, min(1.0, middle - (middle - low) * widening))


def look(contestant: Contestant, trial: Trial) -> Seen:
    """Return what the gate sees of one version."""
    names = sorted({one.job_id for pair in trial.pairs for one in (pair.better, pair.worse)})
    likings = dict(zip(names, contestant.likings([trial.judged[name] for name in names]), strict=True))
    agrees = (_order(likings[pair.better.job_id], likings[pair.worse.job_id]) for pair in trial.pairs)
    fresh = made_anew(contestant.model, trial.pairs, trial.rules.most_briefs, trial.examiner)
    return Seen(tuple(agrees), contestant.neutral(), fresh)


def _order(better: float, worse: float) -> float:
    """Return whether the better one is found likelier: 1, 0, or a half for neither."""
    return 0.5 if better == worse else float(better > worse)


def _guardrails(challenger: Seen, champion: Seen, shipped_neutral: float, trial: Trial) -> tuple[Guardrail, ...]:
    mine, theirs, rules, examiner = challenger.fresh, champion.fresh, trial.rules, trial.examiner
    # Of fewer candidates more are different, so only jobs count of which both made one.
    both = sorted(mine.made.keys() & theirs.made.keys())
    various = [examiner.various([fresh.made[job_id] for job_id in both]) for fresh in (theirs, mine)]
    return (
        _at_least("pass_rate", theirs.pass_rate, mine.pass_rate, rules.pass_rate_loss),
        _at_least(examiner.variety, various[0], various[1], rules.distinct_loss),
        *(_at_least(name, theirs.shares[name], mine.shares[name], rules.distinct_loss) for name in theirs.shares),
        Guardrail(name="unsafe", champion=theirs.unsafe, challenger=mine.unsafe, most=theirs.unsafe),
        Guardrail(
            name=examiner.neutral,
            champion=champion.neutral,
            challenger=challenger.neutral,
            least=shipped_neutral - rules.neutral_loss,
        ),
        Guardrail(
            name="seconds_a_job",
            champion=theirs.seconds_a_job,
            challenger=mine.seconds_a_job,
            most=theirs.seconds_a_job * rules.slowdown,
        ),
    )


def _at_least(name: str, champion: float, challenger: float, loss: float) -> Guardrail:
    return Guardrail(name=name, champion=champion, challenger=challenger, least=champion - loss)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    # Rounding may lead past the end.
    return min(1.0, sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights))


def _share(parts: Sequence[tuple[float, float]]) -> float:
    return math.fsum(total for total, _ in parts) / math.fsum(whole for _, whole in parts)
