"""Estimates against distributions whose truth is known: they shrink, and their intervals hold the truth."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from core.estimates import (
    Estimate,
    Moments,
    ShareModel,
    SharePeers,
    StarModel,
    StarPeers,
    beta_below,
    beta_quantile,
)

RATINGS = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=8), min_size=1, max_size=12)


def star_peers(rated: Sequence[Sequence[int]]) -> StarPeers:
    moments = sum((star_moments(one) for one in rated), Moments())
    return StarPeers(StarModel.fit(moments), moments)


def star_moments(stars: Sequence[int]) -> Moments:
    return Moments.of_unit(len(stars), sum(stars), sum(star**2 for star in stars))


def share_peers(answered: Sequence[tuple[int, int]]) -> SharePeers:
    moments = sum((Moments.of_unit(size, yes) for size, yes in answered), Moments())
    return SharePeers(ShareModel.fit(moments), moments)


def width(found: Estimate) -> float:
    return found.high - found.low


@given(RATINGS)
def test_stars_are_between_the_asset_and_its_peers_and_inside_their_interval(rated: list[list[int]]):
    peers = star_peers(rated)
    mean = peers.mean[0]

    found = peers.of_unit(len(rated[0]), sum(rated[0]))

    own = sum(rated[0]) / len(rated[0])
    assert min(own, mean) - 1e-9 <= found.value <= max(own, mean) + 1e-9
    assert 1 <= found.low <= found.value <= found.high <= 5


@given(RATINGS)
def test_more_ratings_with_the_same_mean_are_nearer_to_it_and_surer(rated: list[list[int]]):
    peers = star_peers(rated)

    few, many = peers.of_unit(2, 10), peers.of_unit(200, 1000)

    assert abs(many.value - 5) <= abs(few.value - 5)
    assert many.low >= few.low


def test_an_asset_without_ratings_is_what_its_peers_are():
    peers = star_peers([[4, 5], [4, 4], [3, 5]])

    assert peers.of_unit(0, 0).value == pytest.approx(peers.overall().value)
    assert width(peers.of_unit(0, 0)) > width(peers.overall())


def test_a_single_five_among_threes_is_hardly_above_them():
    peers = star_peers([[2, 3, 4] * 3] * 30 + [[5]])

    assert peers.of_unit(1, 5).value < 3.6
    assert peers.of_unit(50, 250).value > 4.5


def test_many_ratings_of_one_asset_are_not_many_assets():
    one_asset, many_assets = star_peers([[4] * 100, [2, 3]]), star_peers([[4]] * 100 + [[2, 3]])

    assert width(one_asset.overall()) > width(many_assets.overall())


def test_groups_that_do_not_differ_are_drawn_together():
    dice = random.Random(3)
    groups = [[[dice.randint(1, 5) for _ in range(3)] for _ in range(40)] for _ in range(3)]
    peers = star_peers([one for group in groups for one in group])
    summed = [sum((star_moments(one) for one in group), Moments()) for group in groups]
    raw = [one.means / one.units for one in summed]

    found = [one.value for one in peers.of_groups(summed)]

    assert max(found) - min(found) < max(raw) - min(raw)


def test_the_interval_of_stars_holds_the_truth_as_often_as_it_says():
    numbers = np.random.default_rng(5)
    held = total = 0
    for _ in range(60):
        chances = numbers.dirichlet([4, 4, 6, 8, 5], size=40)
        rated = [numbers.choice(5, size=1 + numbers.poisson(4), p=one) + 1 for one in chances]
        peers = star_peers([[int(star) for star in one] for one in rated])
        for one, chance in zip(rated, chances, strict=True):
            found = peers.of_unit(len(one), int(one.sum()))
            held += found.low <= chance @ np.arange(1, 6) <= found.high
            total += 1

    assert 0.92 <= held / total <= 0.99


def test_the_interval_of_approval_holds_the_truth_as_often_as_it_says():
    numbers = np.random.default_rng(6)
    held = total = 0
    for _ in range(40):
        truths = numbers.beta(6, 3, size=40)
        sizes = 1 + numbers.poisson(5, size=40)
        yes = numbers.binomial(sizes, truths)
        peers = share_peers(list(zip(map(int, sizes), map(int, yes), strict=True)))
        for truth, size, one in zip(truths, sizes, yes, strict=True):
            found = peers.of_unit(int(size), int(one))
            held += found.low <= truth <= found.high
            total += 1

    assert 0.92 <= held / total <= 0.99


def test_one_yes_is_not_certainty():
    found = share_peers([(4, 2)] * 20 + [(1, 1)]).of_unit(1, 1)

    assert 0.5 < found.value < 0.8
    assert found.low < 0.5


def test_answers_that_agree_about_each_asset_count_for_less():
    divided, agreed = share_peers([(10, 5)] * 20), share_peers([(10, 10), (10, 0)] * 10)

    assert agreed.model.alike > divided.model.alike
    assert width(agreed.overall()) > 2 * width(divided.overall())


@given(st.floats(0.01, 5000), st.floats(0.01, 500_000), st.floats(0, 1))
def test_the_beta_distribution_is_that_of_scipy(first: float, second: float, share: float):
    assert beta_below(share, first, second) == pytest.approx(beta.cdf(share, first, second), abs=1e-7)


@given(st.floats(0.5, 5000), st.floats(0.5, 500_000), st.sampled_from([0.025, 0.5, 0.975]))
def test_a_quantile_is_where_the_distribution_has_its_probability(first: float, second: float, probability: float):
    assert beta_below(beta_quantile(probability, first, second), first, second) == pytest.approx(probability, abs=1e-6)
