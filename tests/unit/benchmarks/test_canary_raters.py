"""Canaries end as those want who are heard: a majority, or where there are referees, they."""

from collections import Counter

import pytest

from benchmarks.canary_raters import end_of_canary
from core.canary import Outcome, Rules

RULES = Rules(least_ratings=30, sureness=0.99, longest_seconds=1.0)
# What people with the taste like of the challenger; of the champion it is 0.6.
WORSE, BETTER = 0.4, 0.8


def ends(crowd: str, challenger: float) -> Counter[Outcome]:
    return Counter(end_of_canary(crowd, challenger, seed, RULES) for seed in range(4))


@pytest.mark.parametrize("crowd", ["careful", "careful and hostile", "hostile majority, the careful one a referee"])
def test_what_is_worse_is_not_promoted(crowd: str):
    assert ends(crowd, WORSE)[Outcome.PROMOTE] == 0


def test_what_is_better_is_not_stopped_by_careful_people():
    assert ends("careful", BETTER)[Outcome.STOP] == 0


def test_a_hostile_majority_has_what_is_worse_promoted():
    assert ends("hostile majority", WORSE)[Outcome.PROMOTE] >= 2
