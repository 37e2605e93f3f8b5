"""When a canary ends: against distributions whose truth is known, and by how often it is wrong."""

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import beta

from core.canary import Outcome, Rules, chance_better, chance_greater, is_challengers, judge
from core.estimates import Moments

RULES = Rules(least_ratings=30, sureness=0.95, longest_seconds=86_400.0)
CANARIES = 40
# What a canary may come to before it is undecided, and how often it is looked at meanwhile.
RATINGS, A_LOOK = 1500, 100
PARTS = 4000
# A side begins with one yes and one no.
SHARES = st.floats(1, 400)


def answers(yes: int, no: int) -> Moments:
    """Return one answer each about so many assets."""
    return sum([Moments.of_unit(1, 1)] * yes + [Moments.of_unit(1, 0)] * no, Moments())


def end_of_canary(dice: random.Random, champion: float, challenger: float, rules: Rules) -> Outcome:
    """Return how a canary on half of the jobs ends when people like so great shares of both sides."""
    ours, theirs = Moments(), Moments()
    for number in range(1, RATINGS + 1):
        if dice.random() < 0.5:
            ours += Moments.of_unit(1, float(dice.random() < challenger))
        else:
            theirs += Moments.of_unit(1, float(dice.random() < champion))
        if number % A_LOOK == 0 and (found := judge(theirs, ours, 0.0, rules)).outcome != Outcome.GO_ON:
            return found.outcome
    return judge(theirs, ours, rules.longest_seconds, rules).outcome


def promoted(champion: float, challenger: float, rules: Rules = RULES) -> float:
    """Return the share of canaries that promote their challenger."""
    dice = random.Random(11)
    ends = [end_of_canary(dice, champion, challenger, rules) for _ in range(CANARIES)]
    return ends.count(Outcome.PROMOTE) / CANARIES


# One side that says little and one that says much: steps of the former would pass over the latter.
@example(1, 2, 1, 184)
@example(1, 184, 1, 2)
@given(SHARES, SHARES, SHARES, SHARES)
def test_the_chance_is_that_of_two_beta_distributions(yes: float, no: float, other_yes: float, other_no: float):
    ours, theirs = beta(yes, no), beta(other_yes, other_no)
    # Summed over the shares of equal probability, where no density is infinite.
    parts = (np.arange(PARTS) + 0.5) / PARTS
    expected = float(theirs.cdf(ours.ppf(parts)).mean())

    assert chance_greater(yes, no, other_yes, other_no) == pytest.approx(expected, abs=1e-3)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_what_is_better_for_one_side_is_worse_for_the_other(yes: int, no: int, other_yes: int, other_no: int):
    ours, theirs = answers(yes, no), answers(other_yes, other_no)

    assert chance_better(theirs, ours) + chance_better(ours, theirs) == pytest.approx(1, abs=1e-3)


@given(SHARES, SHARES, st.integers(1, 60))
def test_another_yes_speaks_for_the_challenger_and_another_no_against_it(yes: float, no: float, more: int):
    before = chance_greater(yes, no, 31, 31)

    assert chance_greater(yes + more, no, 31, 31) >= before - 1e-3
    assert chance_greater(yes, no + more, 31, 31) <= before + 1e-3


def test_many_answers_about_one_asset_say_less_than_one_about_each():
    theirs = answers(50, 50)
    about_one = sum([Moments.of_unit(20, 14)] * 5, Moments())

    assert 0.5 < chance_better(theirs, about_one) < chance_better(theirs, answers(70, 30))


@given(st.integers(0, 29), st.integers(0, 400), st.booleans())
def test_nothing_is_decided_before_each_side_has_its_ratings(few: int, many: int, is_ours: bool):  # noqa: FBT001
    sides = (answers(few, 0), answers(0, many))

    judged = judge(*(sides if is_ours else sides[::-1]), 0.0, RULES)

    assert (judged.outcome, judged.chance) == (Outcome.GO_ON, None)


def test_a_clear_difference_ends_a_canary_and_a_small_one_only_its_time():
    better, worse = answers(45, 15), answers(25, 35)

    assert judge(worse, better, 0.0, RULES).outcome == Outcome.PROMOTE
    assert judge(better, worse, 0.0, RULES).outcome == Outcome.STOP
    assert judge(answers(30, 30), answers(31, 29), 86_399.0, RULES).outcome == Outcome.GO_ON
    late = judge(answers(30, 30), answers(31, 29), 86_400.0, RULES)
    assert (late.outcome, late.why.split(":")[0]) == (Outcome.STOP, "undecided after 1 days")


def test_the_last_look_of_a_canary_still_promotes_what_is_better():
    assert judge(answers(25, 35), answers(45, 15), 86_400.0, RULES).outcome == Outcome.PROMOTE


def test_how_often_a_canary_promotes_what_is_no_better():
    equal, strict = promoted(0.6, 0.6), promoted(0.6, 0.6, Rules(30, 0.99, 1.0))
    worse, better = promoted(0.6, 0.5), promoted(0.6, 0.7)

    # Each look is another chance to be wrong; the figures stand in docs/learning.md.
    assert 0.05 <= equal <= 0.25
    assert strict <= 0.08
    assert worse <= 0.02
    assert better >= 0.9


@given(st.text("0123456789abcdef", min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_a_job_stays_on_its_side(job_id: str, share: float):
    sides = {is_challengers(job_id, "copy-20261126-00000001/3", share) for _ in range(3)}

    assert len(sides) == 1
    # A greater share takes nobody away from the challenger.
    if sides == {True}:
        assert is_challengers(job_id, "copy-20261126-00000001/3", min(share * 1.1, 1.0))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_the_jobs_is_the_challengers_and_other_canaries_take_others(share: float):
    jobs = [f"spring-{number:06d}" for number in range(4000)]

    first, second = ({job for job in jobs if is_challengers(job, canary, share)} for canary in ("a/1", "a/3"))

    assert len(first) / len(jobs) == pytest.approx(share, abs=0.03)
    assert len(first & second) / len(jobs) == pytest.approx(share**2, abs=0.03)
