"""Which style a line is written in, learnt from ratings as they come: a bandit by Thompson sampling, pure.

Every style of a cell (the lines of a model for one channel and audience) has a beta distribution of its share of yes.
What is known of its parent counts as `PARENT` further answers with the parent's mean: the parent of a cell is the style
in its channel, whose parent is the style anywhere, whose parent are all lines of the model. So a cell without ratings
does what its channel says, and one with many what its own people say. Answers are counted as `core/canary.py` does it:
yes 1, no 0, stars in between, several about one asset as few; their weight halves every half-life.

Thompson (1933) draws a share from each distribution and takes the style with the greatest, so each is chosen as often
as it is likely to be the best. Here that probability is computed and not drawn: p(i) is the integral of the density of
i times the probability of all others to be below. So it can be shown and stored, and one number of the job decides.
Each style keeps a least share e: of k styles, e + (1 - k e) p(i). See Russo et al., A Tutorial on Thompson Sampling
(2018); for answers that come late and in batches Chapelle and Li, An Empirical Evaluation of Thompson Sampling (2011).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from hashlib import blake2b
from operator import mul

from core.estimates import Estimate, Moments, beta_quantile
from schemas.ratings import MOST_STARS
from schemas.styles import Arm, Posterior, Style

DAY_SECONDS = 86_400.0
# What a parent counts for, in answers: benchmarks/README.md tells what others came to.
PARENT = 4.0
# Below half an answer a density has no end at 0 or 1; beyond ten thousand the steps of the sum would be too wide.
LEAST_ANSWERS, MOST_ANSWERS = 0.5, 10_000.0
# The sum over angles, arcsin of the root of the share: there every distribution is nearly normal, with a deviation of
# half of one over the root of its answers, wherever its mean is. Errors are below 1e-3.
STEPS, REACH = 400, 6.0
# What is stored is what is reckoned with: so many digits of it.
DIGITS = 6
TAIL = 0.025


@dataclass(frozen=True)
class Rules:
    """How styles are chosen: at all, how fast ratings are forgotten, and how often each style is tried at least."""

    is_on: bool = True
    half_life_days: float = 90.0
    least_share: float = 0.02


@dataclass(frozen=True, order=True)
class Cell:
    """What lines have in common that are chosen for alike: who writes them, where they stand, whom they speak to."""

    model: str
    channel: str
    audience_id: str


@dataclass(frozen=True)
class Evidence:
    """What people said of the lines of a channel, audience and style: as so many independent answers of today."""

    channel: str
    audience_id: str
    style: Style
    yes: float
    no: float


def answers(approval: Moments, stars: Moments) -> Moments:
    """Return what is observed of assets as answers between 0 and 1; a yes or no and stars are two answers."""
    steps = MOST_STARS - 1
    as_answers = Moments(
        units=stars.units,
        sizes=stars.sizes,
        squared_sizes=stars.squared_sizes,
        totals=(stars.totals - stars.sizes) / steps,
        # Of (total - size)^2 / size, summed over the assets.
        squared_totals=(stars.squared_totals - 2 * stars.totals + stars.sizes) / steps**2,
    )
    return approval + as_answers


def weight(age_seconds: float, half_life_days: float) -> float:
    """Return what an answer of this age still counts. It changes once a day, so that what was stored stays the same."""
    return float(0.5 ** (max(0.0, age_seconds) // DAY_SECONDS / half_life_days))


def posterior(
    cell: Cell, styles: Sequence[Style], evidence: Iterable[Evidence], least_share: float, parent: float = PARENT
) -> Posterior:
    """Return what is known of these styles in a cell, with the share of the next choices of each."""
    known = list(evidence)
    whole = _mean(0.5, 2.0, known)
    counts, own = [], []
    for style in styles:
        mine = [one for one in known if one.style == style]
        in_channel = [one for one in mine if one.channel == cell.channel]
        in_cell = [one for one in in_channel if one.audience_id == cell.audience_id]
        mean = _mean(_mean(whole, parent, mine), parent, in_channel)
        own.append(round(sum(one.yes + one.no for one in in_cell), DIGITS))
        counts.append(_counts(mean, parent, in_cell))
    parts = shares(tuple(counts), least_share)
    return Posterior(
        model=cell.model,
        channel=cell.channel,
        audience_id=cell.audience_id,
        least_share=least_share,
        arms=tuple(
            Arm(style=style, answers=answered, yes=yes, no=no, share=share)
            for style, answered, (yes, no), share in zip(styles, own, counts, parts, strict=True)
        ),
    )


def _mean(parent: float, strength: float, found: Sequence[Evidence]) -> float:
    """Return the share of yes of these answers, drawn towards that of their parent."""
    yes, no = sum(one.yes for one in found), sum(one.no for one in found)
    return (strength * parent + yes) / (strength + yes + no)


def _counts(mean: float, parent: float, found: Sequence[Evidence]) -> tuple[float, float]:
    yes = parent * mean + sum(one.yes for one in found)
    no = parent * (1 - mean) + sum(one.no for one in found)
    fits = min(1.0, MOST_ANSWERS / (yes + no))
    return round(max(LEAST_ANSWERS, fits * yes), DIGITS), round(max(LEAST_ANSWERS, fits * no), DIGITS)


@lru_cache(maxsize=1024)
def shares(counts: tuple[tuple[float, float], ...], least_share: float) -> tuple[float, ...]:
    """Return how often each of these beta distributions is chosen; together that is always."""
    least = min(least_share, 1 / len(counts))
    chances = _chances(counts)
    return tuple(round(least + (1 - len(counts) * least) * chance, DIGITS) for chance in chances)


def _chances(counts: Sequence[tuple[float, float]]) -> list[float]:
    """Return the probability of each distribution that its draw is the greatest."""
    angles = _angles(counts)
    densities = [_density(yes, no, angles) for yes, no in counts]
    below = [_below(density) for density in densities]
    chances = []
    for number, density in enumerate(densities):
        others = [one for place, one in enumerate(below) if place != number]
        chances.append(sum(part * reduce(mul, reached, 1.0) for part, *reached in zip(density, *others, strict=True)))
    whole = sum(chances)
    return [chance / whole for chance in chances]


def _angles(counts: Sequence[tuple[float, float]]) -> list[float]:
    """Return the middles of the steps of the sum, over all places where some distribution is."""
    places = [(math.asin(math.sqrt(yes / (yes + no))), REACH / (2 * math.sqrt(yes + no))) for yes, no in counts]
    low = max(0.0, min(middle - reach for middle, reach in places))
    high = min(math.pi / 2, max(middle + reach for middle, reach in places))
    return [low + (high - low) * (step + 0.5) / STEPS for step in range(STEPS)]


def _density(yes: float, no: float, angles: Sequence[float]) -> list[float]:
    """Return the probability of each step: of a share x = sin^2 of the angle, sin^(2 yes - 1) cos^(2 no - 1)."""
    logs = [(2 * yes - 1) * math.log(math.sin(one)) + (2 * no - 1) * math.log(math.cos(one)) for one in angles]
    greatest = max(logs)
    heights = [math.exp(one - greatest) for one in logs]
    whole = sum(heights)
    return [height / whole for height in heights]


def _below(density: Sequence[float]) -> list[float]:
    """Return the probability to be below the middle of each step."""
    reached, found = 0.0, []
    for part in density:
        found.append(reached + part / 2)
        reached += part
    return found


def place(job_id: str, seed: int) -> float:
    """Return the number from 0 to 1 that decides for a job: the same for every attempt, another one for each job."""
    digest = blake2b(f"style\0{seed}\0{job_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def choose(known: Posterior, decides: float) -> Style:
    """Return the style that a number from 0 to 1 falls on, when each takes its share."""
    reached = 0.0
    for arm in known.arms:
        reached += arm.share
        if decides < reached:
            return arm.style
    return known.arms[-1].style


def estimate(arm: Arm) -> Estimate:
    """Return the mean share of yes of an arm, and its middle 95 %."""
    low, high = (beta_quantile(part, arm.yes, arm.no) for part in (TAIL, 1 - TAIL))
    return Estimate(arm.yes / (arm.yes + arm.no), low, high)
