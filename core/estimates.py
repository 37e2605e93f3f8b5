"""What few ratings say and do not say: means and shares that shrink towards those of their peers, with an interval.

Empirical Bayes. Assets are units whose true values differ; how much they differ is learnt from all rated assets of a
campaign together, so an asset with two ratings is judged mostly by its peers, one with two hundred by itself. The
formulas stand in docs/ratings.md. Intervals hold the true value with a probability of about 95 %.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

LEAST_STARS, MOST_STARS = 1.0, 5.0
# Before anything is known: assets have three stars, give or take one; they differ by half a star, raters of one by one.
# Each of these guesses counts as much as so many assets or ratings.
GUESSED_MEAN, GUESSED_MEAN_VARIANCE = 3.0, 1.0
GUESSED_NOISE, GUESSED_SPREAD, GUESSES = 1.0, 0.25, 10.0
GUESSED_GROUP_SPREAD, GROUP_GUESSES = 0.05, 2.0
# How alike two answers about one asset are, beyond their share in all: approvals much, clicks hardly.
ALIKE_APPROVALS, ALIKE_CLICKS = 0.2, 0.002
LEAST_ALIKE, MOST_ALIKE = 1e-7, 0.95
SIGMAS = 1.959964
TAIL = 0.025
_TINY = 1e-300


@dataclass(frozen=True)
class Estimate:
    """The likeliest value, and where the true one is with a probability of 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Moments:
    """What the observations of several units add up to. A unit has `size` observations and their `total`."""

    units: float = 0.0
    # The sizes, their squares, the totals, and the squares of totals over the sizes.
    sizes: float = 0.0
    squared_sizes: float = 0.0
    totals: float = 0.0
    squared_totals: float = 0.0
    # Of the single observations; of the means of units; one over each size. Not needed where observations are 0 or 1.
    squares: float = 0.0
    means: float = 0.0
    inverses: float = 0.0

    @classmethod
    def of_unit(cls, size: float, total: float, squares: float = 0.0) -> Self:
        """Return the moments of one unit; of one without observations, none."""
        if not size:
            return cls()
        return cls(1.0, size, size**2, total, total**2 / size, squares, total / size, 1 / size)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both sets of units."""
        return Moments(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class StarModel:
    """How stars vary: the noise among raters of one asset, and the spread of the true stars of assets (variances)."""

    noise: float
    spread: float

    @classmethod
    def fit(cls, rated: Moments) -> Self:
        """Learn it from all rated assets."""
        within = max(rated.squares - rated.squared_totals, 0.0)
        noise = (within + GUESSES * GUESSED_NOISE) / (rated.sizes - rated.units + GUESSES)
        if rated.units < 2:
            return cls(noise, GUESSED_SPREAD)
        freedom = rated.units - 1
        between = rated.squared_totals - rated.totals**2 / rated.sizes
        usual_size = (rated.sizes - rated.squared_sizes / rated.sizes) / freedom
        found = max(0.0, (between / freedom - noise) / usual_size)
        return cls(noise, (freedom * found + GUESSES * GUESSED_SPREAD) / (freedom + GUESSES))

    def error(self, rated: Moments) -> float:
        """Return the variance of the mean of these assets, each counted once, however many rated it."""
        return (self.spread * rated.units + self.noise * rated.inverses) / rated.units**2


@dataclass(frozen=True)
class StarPeers:
    """All rated assets together, and what single ones and groups of them are by that."""

    model: StarModel
    all: Moments

    @property
    def mean(self) -> tuple[float, float]:
        """Return the mean of the true stars, and the variance of that mean."""
        guess = 1 / GUESSED_MEAN_VARIANCE
        found = 1 / self.model.error(self.all) if self.all.units else 0.0
        own = self.all.means / self.all.units if self.all.units else 0.0
        return (found * own + guess * GUESSED_MEAN) / (found + guess), 1 / (found + guess)

    def overall(self) -> Estimate:
        """Return the mean stars of an asset."""
        return _stars(*self.mean)

    def of_unit(self, size: int, total: float) -> Estimate:
        """Return the stars of one asset with so many ratings; without any, what its peers say."""
        return self._shrunk(self.model.spread, self.model.noise / size if size else None, total / max(size, 1))

    def of_groups(self, groups: Sequence[Moments]) -> list[Estimate]:
        """Return the mean stars of groups of these assets, each shrunk towards the mean of all."""
        errors = [self.model.error(one) if one.units else None for one in groups]
        means = [one.means / max(one.units, 1) for one in groups]
        spread = _group_spread([(1 / error, mean) for error, mean in zip(errors, means, strict=True) if error])
        return [self._shrunk(spread, error, mean) for error, mean in zip(errors, means, strict=True)]

    def _shrunk(self, spread: float, error: float | None, found: float) -> Estimate:
        mean, variance = self.mean
        own = 0.0 if error is None else spread / (spread + error)
        return _stars(own * found + (1 - own) * mean, spread * (1 - own) + (1 - own) ** 2 * variance)


@dataclass(frozen=True)
class ShareModel:
    """Answers of yes or no: the share of yes, and how alike two answers about one asset are (their correlation)."""

    share: float
    alike: float

    @classmethod
    def fit(cls, answered: Moments, guessed_alike: float = ALIKE_APPROVALS) -> Self:
        """Learn it from all assets with answers: Kleinman's moments, how much more they differ than coins."""
        share = (answered.totals + 1) / (answered.sizes + 2)
        freedom = answered.units - 1
        if freedom < 1:
            return cls(share, guessed_alike)
        mean = answered.totals / answered.sizes
        apart, coin = answered.squared_totals - mean * answered.totals, mean * (1 - mean)
        room = answered.sizes - answered.squared_sizes / answered.sizes - freedom
        if coin <= 0 or room <= 0:
            return cls(share, guessed_alike)
        found = min(max((apart / coin - freedom) / room, LEAST_ALIKE), MOST_ALIKE)
        return cls(share, (freedom * found + GUESSES * guessed_alike) / (freedom + GUESSES))

    def independent(self, answered: Moments) -> tuple[float, float]:
        """Return yes and no as so many independent answers: a hundred about one asset say less than one about each."""
        if not answered.sizes:
            return 0.0, 0.0
        kept = 1 / (1 + self.alike * (answered.squared_sizes / answered.sizes - 1))
        return kept * answered.totals, kept * (answered.sizes - answered.totals)


@dataclass(frozen=True)
class SharePeers:
    """All assets with answers together, and what single ones and groups of them are by that."""

    model: ShareModel
    all: Moments

    def overall(self) -> Estimate:
        """Return the share of yes among all."""
        yes, no = self.model.independent(self.all)
        return _share(yes + 1, no + 1)

    def of_unit(self, size: float, total: float) -> Estimate:
        """Return the share of yes of one asset; without answers, that of its peers."""
        return self._shrunk(1 / self.model.alike - 1, total, size - total)

    def of_groups(self, groups: Sequence[Moments]) -> list[Estimate]:
        """Return the share of yes of groups of these assets, each shrunk a little towards that of all."""
        return [self._shrunk(GROUP_GUESSES, *self.model.independent(one)) for one in groups]

    def _shrunk(self, strength: float, yes: float, no: float) -> Estimate:
        return _share(strength * self.model.share + yes, strength * (1 - self.model.share) + no)


def _group_spread(groups: Sequence[tuple[float, float]]) -> float:
    """Return the variance of the true means of groups (DerSimonian and Laird), with a guess where they are few.

    Groups are given by their weights, which are one over the variances of their means, and their means.
    """
    freedom = len(groups) - 1
    if freedom < 1:
        return GUESSED_GROUP_SPREAD
    total = sum(weight for weight, _ in groups)
    mean = sum(weight * value for weight, value in groups) / total
    apart = sum(weight * (value - mean) ** 2 for weight, value in groups)
    room = total - sum(weight**2 for weight, _ in groups) / total
    found = max(0.0, (apart - freedom) / room)
    return (freedom * found + GROUP_GUESSES * GUESSED_GROUP_SPREAD) / (freedom + GROUP_GUESSES)


def _stars(value: float, variance: float) -> Estimate:
    half = SIGMAS * math.sqrt(variance)
    return Estimate(value, max(LEAST_STARS, value - half), min(MOST_STARS, value + half))


def _share(yes: float, no: float) -> Estimate:
    """Return the mean of a beta distribution and its middle 95 %."""
    return Estimate(yes / (yes + no), beta_quantile(TAIL, yes, no), beta_quantile(1 - TAIL, yes, no))


def beta_quantile(probability: float, first: float, second: float) -> float:
    """Return below which share a beta distribution has this probability."""
    low, high = 0.0, 1.0
    # Halving fifty times leaves less than a double can tell apart near 1.
    for _ in range(50):
        middle = (low + high) / 2
        if beta_below(middle, first, second) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_below(share: float, first: float, second: float) -> float:
    """Return the probability that a beta distribution is below a share: the regularised incomplete beta function."""
    if share <= 0 or share >= 1:
        return 0.0 if share <= 0 else 1.0
    # The fraction converges quickly on this side of the mean; on the other one the distribution is turned round.
    if share > (first + 1) / (first + second + 2):
        return 1 - beta_below(1 - share, second, first)
    log_front = math.lgamma(first + second) - math.lgamma(first) - math.lgamma(second)
    log_front += first * math.log(share) + second * math.log1p(-share)
    return math.exp(log_front) * _fraction(share, first, second) / first


def _fraction(share: float, first: float, second: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, _away_from_zero(1 - (first + second) * share / (first + 1))
    d = 1 / d
    value = d
    for step in range(1, 10_000):
        even = step * (second - step) * share / ((first + 2 * step - 1) * (first + 2 * step))
        odd = -(first + step) * (first + second + step) * share / ((first + 2 * step) * (first + 2 * step + 1))
        for factor in (even, odd):
            d = 1 / _away_from_zero(1 + factor * d)
            c = _away_from_zero(1 + factor / c)
            value *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
