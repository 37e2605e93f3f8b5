"""How styles are chosen: shares against distributions whose truth is known, and what a rating does to them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from core.bandit import MOST_ANSWERS, Cell, Evidence, answers, choose, estimate, place, posterior, shares, weight
from core.estimates import Moments
from schemas.styles import Arm, Posterior, Style

CELL = Cell("starter+house", "email.subject", "commuters")
ELSEWHERE = Cell("starter+house", "meta.headline", "home")
BOTH = (Style.BENEFIT, Style.DETAIL)
PARTS = 4000
COUNTS = st.tuples(st.floats(0.5, 400), st.floats(0.5, 400))
LEAST = st.floats(0, 0.2)
OBSERVED = st.builds(
    Evidence,
    st.sampled_from(["email.subject", "meta.headline"]),
    st.sampled_from(["commuters", "home"]),
    st.sampled_from(BOTH),
    st.integers(0, 60).map(float),
    st.integers(0, 60).map(float),
)


def said(style: Style, yes: float, no: float, cell: Cell = CELL) -> Evidence:
    """Return what people said of the lines of a style in a cell."""
    return Evidence(cell.channel, cell.audience_id, style, yes, no)


def share_of(style: Style, known: Posterior) -> float:
    return next(arm.share for arm in known.arms if arm.style == style)


@given(st.lists(COUNTS, min_size=1, max_size=5), LEAST)
def test_shares_make_a_whole_and_none_is_less_than_the_least(counts: list[tuple[float, float]], least: float):
    found = shares(tuple(counts), least)

    assert sum(found) == pytest.approx(1, abs=1e-5)
    assert min(found) >= min(least, 1 / len(counts)) - 1e-6


@given(st.lists(COUNTS, min_size=2, max_size=3))
@settings(max_examples=40)
def test_without_a_least_share_a_style_is_chosen_as_often_as_it_is_the_best(counts: list[tuple[float, float]]):
    first, *others = (beta(yes, no) for yes, no in counts)
    # Summed over the shares of equal probability, where no density is infinite.
    parts = (np.arange(PARTS) + 0.5) / PARTS
    reached = [other.cdf(first.ppf(parts)) for other in others]
    expected = float(np.prod(reached, axis=0).mean())

    assert shares(tuple(counts), 0.0)[0] == pytest.approx(expected, abs=2e-3)


def test_shares_are_right_where_one_style_is_known_well_and_another_not_at_all():
    narrow, broad = (MOST_ANSWERS * 0.7, MOST_ANSWERS * 0.3), (2.0, 2.0)

    found = shares((narrow, broad), 0.0)

    assert found[0] == pytest.approx(float(beta(*broad).cdf(0.7)), abs=1e-3)


@given(COUNTS, st.lists(COUNTS, min_size=1, max_size=4), st.integers(1, 40))
def test_a_yes_gives_its_style_more_and_a_no_gives_it_less(
    first: tuple[float, float], others: list[tuple[float, float]], more: int
):
    (yes, no), before = first, shares((first, *others), 0.02)[0]

    assert shares(((yes + more, no), *others), 0.02)[0] >= before - 2e-3
    assert shares(((yes, no + more), *others), 0.02)[0] <= before + 2e-3


@given(st.lists(OBSERVED, max_size=12), st.integers(1, 40))
def test_a_yes_raises_what_is_expected_of_its_style(known: list[Evidence], more: int):
    before, liked, rejected = (
        estimate(posterior(CELL, BOTH, [*known, *said_more], 0.02).arms[0]).value
        for said_more in ([], [said(Style.BENEFIT, more, 0)], [said(Style.BENEFIT, 0, more)])
    )

    assert rejected - 1e-5 <= before <= liked + 1e-5


@given(st.lists(OBSERVED, max_size=12))
def test_the_order_of_the_answers_and_of_their_parts_does_not_count(known: list[Evidence]):
    halves = [
        Evidence(one.channel, one.audience_id, one.style, one.yes / 2, one.no / 2)
        for one in reversed(known)
        for _ in BOTH
    ]

    assert posterior(CELL, BOTH, halves, 0.05) == posterior(CELL, BOTH, known, 0.05)


def test_nothing_known_is_nothing_preferred():
    known = posterior(CELL, tuple(Style), [], 0.05)

    assert [arm.share for arm in known.arms] == pytest.approx([0.2] * 5, abs=1e-4)
    assert [arm.answers for arm in known.arms] == [0] * 5


def test_a_cell_without_answers_does_what_its_channel_says():
    neighbours = Cell(CELL.model, CELL.channel, "home")

    known = posterior(CELL, BOTH, [said(Style.BENEFIT, 40, 5, neighbours), said(Style.DETAIL, 5, 40, neighbours)], 0.05)

    assert share_of(Style.BENEFIT, known) > 0.8
    assert [arm.answers for arm in known.arms] == [0, 0]


def test_what_is_said_in_another_channel_counts_less_than_what_is_said_in_the_own():
    def told(cell: Cell) -> float:
        found = [said(Style.BENEFIT, 8, 2, cell), said(Style.DETAIL, 2, 8, cell)]
        return share_of(Style.BENEFIT, posterior(CELL, BOTH, found, 0.0))

    assert 0.5 < told(ELSEWHERE) < told(Cell(CELL.model, CELL.channel, "home")) < told(CELL)


def test_a_cell_with_many_answers_does_what_its_own_people_say():
    own = [said(Style.BENEFIT, 20, 80), said(Style.DETAIL, 80, 20)]
    others = [said(Style.BENEFIT, 900, 100, ELSEWHERE), said(Style.DETAIL, 100, 900, ELSEWHERE)]

    known = posterior(CELL, BOTH, [*own, *others], 0.05)

    assert share_of(Style.DETAIL, known) == pytest.approx(0.95, abs=0.01)


def test_the_parent_counts_as_four_answers():
    # All lines and the style anywhere say one half, so the cell has two of each, and what its own people said.
    known = posterior(CELL, BOTH, [said(Style.BENEFIT, 3, 3)], 0.05)

    assert [(arm.yes, arm.no) for arm in known.arms] == [(5, 5), (2, 2)]


def test_no_evidence_is_more_than_the_sum_can_tell_apart():
    (arm,) = posterior(CELL, (Style.BENEFIT,), [said(Style.BENEFIT, 3e6, 1e6)], 0.05).arms

    assert arm.yes + arm.no == pytest.approx(MOST_ANSWERS)
    assert arm.yes / MOST_ANSWERS == pytest.approx(0.75, abs=1e-4)


@given(st.integers(0, 2**63 - 1), st.text(max_size=96), COUNTS, COUNTS)
def test_a_choice_follows_from_the_job_and_what_was_stored(
    seed: int, job_id: str, first: tuple[float, float], second: tuple[float, float]
):
    known = posterior(CELL, BOTH, [said(Style.BENEFIT, *first), said(Style.DETAIL, *second)], 0.05)

    stored = Posterior.model_validate_json(known.model_dump_json())

    assert stored == known
    assert choose(stored, place(job_id, seed)) == choose(known, place(job_id, seed))


@given(st.floats(0, 1, exclude_max=True), st.lists(COUNTS, min_size=1, max_size=5))
def test_there_is_always_a_choice_and_it_has_a_share(decides: float, counts: list[tuple[float, float]]):
    styles = tuple(Style)[: len(counts)]
    parts = shares(tuple(counts), 0.05)
    arms = tuple(
        Arm(style=style, answers=0, yes=1, no=1, share=share) for style, share in zip(styles, parts, strict=True)
    )
    known = Posterior(model="m", channel="c", audience_id="a", least_share=0.05, arms=arms)

    assert share_of(choose(known, decides), known) > 0


def test_jobs_are_spread_over_the_styles_by_their_shares():
    known = posterior(CELL, BOTH, [said(Style.BENEFIT, 12, 8), said(Style.DETAIL, 8, 12)], 0.05)

    made = Counter(choose(known, place(f"spring-{number:06d}", 7)) for number in range(4000))

    assert made[Style.BENEFIT] / 4000 == pytest.approx(share_of(Style.BENEFIT, known), abs=0.03)


def test_another_campaign_with_the_same_jobs_tries_the_styles_on_others():
    first, second = ([place(f"{name}-{number:06d}", number) for number in range(50)] for name in ("monday", "tuesday"))

    assert len(set(first) | set(second)) == 100


@given(st.floats(0, 4e7), st.integers(1, 400))
def test_an_answer_counts_half_as_much_after_each_half_life(age: float, half_life: int):
    later = weight(age + half_life * 86_400, half_life)

    assert 0 < weight(age, half_life) <= 1
    assert later == pytest.approx(weight(age, half_life) / 2)


def test_what_was_said_today_and_what_is_dated_ahead_count_whole():
    assert (weight(80_000.0, 30), weight(-5.0, 30), weight(30 * 86_400.0, 30)) == (1, 1, 0.5)


def test_stars_are_answers_from_no_to_yes():
    one_star, three_stars, five_stars = (Moments.of_unit(2, 2 * stars, 2 * stars**2) for stars in (1, 3, 5))

    found = [answers(Moments(), one) for one in (one_star, three_stars, five_stars)]

    assert [(one.units, one.sizes, one.totals) for one in found] == [(1, 2, 0), (1, 2, 1), (1, 2, 2)]
    assert [one.squared_totals for one in found] == [0, 0.5, 2]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_stars_as_answers_have_the_moments_of_answers(stars: list[int]):
    whole = Moments.of_unit(len(stars), sum(stars), sum(one**2 for one in stars))
    expected = Moments.of_unit(len(stars), sum((one - 1) / 4 for one in stars))

    found = answers(Moments(), whole)

    assert found.totals == pytest.approx(expected.totals)
    assert found.squared_totals == pytest.approx(expected.squared_totals)


def test_the_interval_of_an_arm_is_that_of_its_distribution():
    found = estimate(Arm(style=Style.BENEFIT, answers=10, yes=8, no=4, share=0.5))

    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == pytest.approx(beta(8, 4).interval(0.95))
