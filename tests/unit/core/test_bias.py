"""Whether groups differ: alike ones are hardly ever called different, and few answers prove nothing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bias import Difference, compared, product_groups

COUNTS = st.tuples(st.integers(0, 500), st.integers(0, 500))
OPPOSITE = {Difference.HIGHER: Difference.LOWER, Difference.LOWER: Difference.HIGHER}


@given(COUNTS, COUNTS, st.integers(1, 50))
def test_if_a_group_is_higher_than_the_rest_the_rest_is_lower(
    group: tuple[int, int], rest: tuple[int, int], groups: int
):
    found = compared(group, rest, groups)

    assert compared(rest, group, groups) == OPPOSITE.get(found, found)


@given(COUNTS, COUNTS)
def test_among_more_groups_it_takes_more_to_differ(group: tuple[int, int], rest: tuple[int, int]):
    if compared(group, rest, 100) in OPPOSITE:
        assert compared(group, rest, 2) == compared(group, rest, 100)


@pytest.mark.parametrize(
    ("group", "rest", "found"),
    [
        ((90, 10), (500, 500), Difference.HIGHER),
        ((10, 90), (500, 500), Difference.LOWER),
        ((50, 50), (500, 500), Difference.ALIKE),
        ((9, 0), (0, 500), Difference.TOO_FEW),
        ((500, 500), (0, 9), Difference.TOO_FEW),
        ((0, 0), (0, 0), Difference.TOO_FEW),
    ],
)
def test_what_is_found(group: tuple[int, int], rest: tuple[int, int], found: Difference):
    assert compared(group, rest, 4) == found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_of_reports_on_alike_groups_about_one_in_a_hundred_calls_any_different(share: float):
    dice = random.Random(5)
    false_alarms = 0
    for _ in range(1000):
        yes = [sum(dice.random() < share for _ in range(40)) for _ in range(5)]
        rests = [(sum(yes) - one, 160 - sum(yes) + one) for one in yes]
        found = {compared((one, 40 - one), rest, 5) for one, rest in zip(yes, rests, strict=True)}
        false_alarms += bool(found & set(OPPOSITE))

    assert false_alarms < 25


@pytest.mark.parametrize(
    ("skus", "groups"),
    [
        (("TEA-1", "TEA-2", "MUG-1"), {"TEA-1": "TEA", "TEA-2": "TEA", "MUG-1": "MUG"}),
        (("A.B-1", "A.B-2", "C_1"), {"A.B-1": "A.B", "A.B-2": "A.B", "C_1": "C"}),
        (("TEA-1", "TEA-2"), None),
        (("TEA", "MUG"), None),
        (("TEA-1", "MUG-1"), None),
        ((), None),
    ],
)
def test_products_are_grouped_by_what_their_skus_share_where_that_tells_something(
    skus: tuple[str, ...], groups: dict[str, str] | None
):
    assert product_groups(skus) == groups
