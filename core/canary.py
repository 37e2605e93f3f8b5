"""Whether a challenger is better than the champion, by what people think of both; and which of them makes which job.

Pure functions, no clock, no ledger. Every rating is one answer between 0 and 1. A beta distribution for each side, with
one yes and one no to begin with, says how good it is; answers about one asset count as few, since they are alike.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from core.estimates import Moments, ShareModel, beta_below

# Steps of the sum over the shares of the narrower side, and how far it reaches on both sides of their mean, in standard
# deviations: of 3000 pairs the error was below 2e-4, and one sum takes 4 ms.
STEPS = 180
REACH = 9.0


class Outcome(StrEnum):
    """What becomes of a canary."""

    GO_ON = "go on"
    PROMOTE = "promote"
    STOP = "stop"


@dataclass(frozen=True)
class Rules:
    """When a canary ends: how many ratings each side needs, how sure one must be, and after which time anyway."""

    least_ratings: int
    sureness: float
    longest_seconds: float


@dataclass(frozen=True)
class Judgement:
    """What becomes of a canary, and why; with the probability that the challenger is the better one, once it counts."""

    outcome: Outcome
    why: str
    chance: float | None = None


def is_challengers(job_id: str, canary: str, share: float) -> bool:
    """Tell whether a job is the challenger's: the same for every attempt, and in no canary for the same jobs."""
    digest = hashlib.sha256(f"{canary}/{job_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def judge(champion: Moments, challenger: Moments, age_seconds: float, rules: Rules) -> Judgement:
    """Return what becomes of a canary of this age, by the answers about the assets of both sides."""
    counted = f"{champion.sizes:g} ratings of the champion, {challenger.sizes:g} of the challenger"
    chance = None
    if min(champion.sizes, challenger.sizes) >= rules.least_ratings:
        chance = chance_better(champion, challenger)
        why = f"the challenger is better with a probability of {chance:.3f}: {counted}"
        if chance > rules.sureness:
            return Judgement(Outcome.PROMOTE, why, chance)
        if chance < 1 - rules.sureness:
            return Judgement(Outcome.STOP, why, chance)
    if age_seconds >= rules.longest_seconds:
        return Judgement(Outcome.STOP, f"undecided after {rules.longest_seconds / 86_400:g} days: {counted}", chance)
    return Judgement(Outcome.GO_ON, counted, chance)


def chance_better(champion: Moments, challenger: Moments) -> float:
    """Return the probability that the challenger's share of yes is the greater one."""
    model = ShareModel.fit(champion + challenger)
    ours, theirs = ((yes + 1, no + 1) for yes, no in (model.independent(challenger), model.independent(champion)))
    return chance_greater(*ours, *theirs)


def chance_greater(yes: float, no: float, other_yes: float, other_no: float) -> float:
    """Return the probability that a draw of Beta(yes, no) is greater than one of Beta(other_yes, other_no)."""
    # Steps follow the narrower of both: within one of them the wider hardly changes.
    if _deviation(yes, no) > _deviation(other_yes, other_no):
        return 1.0 - chance_greater(other_yes, other_no, yes, no)
    mean, reach = yes / (yes + no), REACH * _deviation(yes, no)
    low, high = max(0.0, mean - reach), min(1.0, mean + reach)
    width = (high - low) / STEPS
    chance, below = 0.0, beta_below(low, yes, no)
    for step in range(STEPS):
        begin = low + step * width
        reached = beta_below(begin + width, yes, no)
        chance += (reached - below) * beta_below(begin + width / 2, other_yes, other_no)
        below = reached
    return min(chance, 1.0)


def _deviation(yes: float, no: float) -> float:
    """Return the standard deviation of Beta(yes, no)."""
    total = yes + no
    return float((yes * no / (total**2 * (total + 1))) ** 0.5)
