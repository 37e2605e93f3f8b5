"""The gate: a challenger serves only if it orders held-out preferences better than the champion, beyond doubt.

Beyond doubt: a challenger that is no better passes once in two hundred times. The interval is resampled by
product, because lines of one product are alike. And a challenger may lose nothing of what nobody rates.
"""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

from schemas.learning import GateRules
from schemas.versions import Guardrail, Verdict
from workers.learning.guardrails import Freshness, distinct_pairs, fresh_lines
from workers.learning.pairs import Pair
from workers.models.tuning.protocol import Contestant, Judged, Tuner

SEED = 11


@dataclass(frozen=True)
class Seen:
    """What the gate saw of one version: which pairs it orders as people do, and how it writes."""

    agrees: tuple[float, ...]
    neutral: float
    fresh: Freshness


def judge(tuner: Tuner, champion: Path | None, challenger: Path, pairs: Sequence[Pair], rules: GateRules) -> Verdict:
    """Hold a challenger against the champion on pairs that neither learnt from; None is the shipped version."""
    mine, theirs = (look(tuner.contestant(version), pairs, rules) for version in (challenger, champion))
    shipped = theirs.neutral if champion is None else tuner.contestant(None).neutral()
    return verdict(pairs, mine, theirs, shipped, rules)


def verdict(
    pairs: Sequence[Pair], challenger: Seen, champion: Seen, shipped_neutral: float, rules: GateRules
) -> Verdict:
    """Return what follows from what was seen."""
    weights = [pair.weight for pair in pairs]
    differences = [mine - theirs for mine, theirs in zip(challenger.agrees, champion.agrees, strict=True)]
    products = [pair.better.product for pair in pairs]
    return Verdict(
        preferences=len(pairs),
        challenger_agrees=_mean(challenger.agrees, weights),
        champion_agrees=_mean(champion.agrees, weights),
        bound=lower_bound(products, differences, weights, rules),
        guardrails=_guardrails(challenger, champion, shipped_neutral, rules),
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


def look(contestant: Contestant, pairs: Sequence[Pair], rules: GateRules) -> Seen:
    """Return what the gate sees of one version."""
    assets = {one.job_id: Judged(one.brief, one.text) for pair in pairs for one in (pair.better, pair.worse)}
    likings = dict(zip(assets, contestant.likings(list(assets.values())), strict=True))
    agrees = (_order(likings[pair.better.job_id], likings[pair.worse.job_id]) for pair in pairs)
    return Seen(tuple(agrees), contestant.neutral(), fresh_lines(contestant.model, pairs, rules.most_briefs))


def _order(better: float, worse: float) -> float:
    """Return whether the better one is found likelier: 1, 0, or a half for neither."""
    return 0.5 if better == worse else float(better > worse)


def _guardrails(challenger: Seen, champion: Seen, shipped_neutral: float, rules: GateRules) -> tuple[Guardrail, ...]:
    mine, theirs = challenger.fresh, champion.fresh
    # Of fewer lines more word pairs are different, so only jobs count of which both made a line.
    both = sorted(mine.lines.keys() & theirs.lines.keys())
    distinct = [distinct_pairs([fresh.lines[job_id] for job_id in both]) for fresh in (theirs, mine)]
    return (
        Guardrail(
            name="pass_rate",
            champion=theirs.pass_rate,
            challenger=mine.pass_rate,
            least=theirs.pass_rate - rules.pass_rate_loss,
        ),
        Guardrail(
            name="distinct_pairs",
            champion=distinct[0],
            challenger=distinct[1],
            least=distinct[0] - rules.distinct_loss,
        ),
        Guardrail(name="unsafe", champion=theirs.unsafe, challenger=mine.unsafe, most=theirs.unsafe),
        Guardrail(
            name="neutral_log_p",
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


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    # Rounding may lead past the end.
    return min(1.0, sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights))


def _share(parts: Sequence[tuple[float, float]]) -> float:
    return math.fsum(total for total, _ in parts) / math.fsum(whole for _, whole in parts)
