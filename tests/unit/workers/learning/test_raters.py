"""How much a person counts: whoever agrees with the others does, whoever clicks without reading does not."""

import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from core.ledger.opinions import Compared, Said
from schemas.learning import curriculum
from workers.learning.raters import votes_of, votes_of_pairs, weights_of

RULES = curriculum().raters
ASSETS = 60


def weights(answers: dict[str, Callable[[int, random.Random], bool]], seed: int = 1) -> dict[str, float]:
    """Return the weights of people who all rate the same assets; every second one is good."""
    dice = random.Random(seed)
    said = [
        Said(f"a-{number:03d}", ("default", name), None, answers[name](number, dice))
        for number in range(ASSETS)
        for name in answers
    ]
    things = {f"a-{number:03d}": str(number) for number in range(ASSETS)}
    return {person[1]: weight for person, weight in weights_of(votes_of(said, things), RULES).items()}


def careful(number: int, dice: random.Random) -> bool:
    return (number % 2 == 0) != (dice.random() < 0.1)


def at_random(_: int, dice: random.Random) -> bool:
    return dice.random() < 0.5


def against(number: int, _: random.Random) -> bool:
    return number % 2 == 1


def always(_number: int, _dice: random.Random) -> bool:
    return True


def test_careful_people_count_and_all_others_next_to_nothing():
    found = weights(
        {"ada": careful, "bo": careful, "cy": careful, "random": at_random, "hostile": against, "always": always}
    )

    least = min(found["ada"], found["bo"], found["cy"])
    assert least > 0.3
    assert found["hostile"] == 0
    assert max(found["random"], found["always"]) < least / 10


def test_two_who_contradict_each_other_count_nothing():
    assert weights({"for": lambda number, _: number % 2 == 0, "against": against}) == {"for": 0, "against": 0}


def test_somebody_alone_is_supposed_to_be_of_some_use():
    assert 0 < weights({"ada": careful})["ada"] < 0.3


def test_who_likes_everything_says_nothing_of_any_asset():
    said = [Said(f"a-{number}", ("default", "fan"), 5, None) for number in range(200)]

    values = [vote.value for vote in votes_of(said, {one.job_id: one.job_id for one in said})]

    assert max(map(abs, values)) < 0.01


def test_an_answer_goes_before_stars_and_alike_assets_are_one():
    said = [
        Said("a", ("t", "ada"), 5, False),
        Said("b", ("t", "ada"), None, False),
        Said("c", ("t", "ada"), None, True),
    ]

    votes = votes_of(said, {"a": "same", "b": "same", "c": "other"})

    assert [(vote.thing, vote.value > 0) for vote in votes] == [("other", True), ("same", False)]


def test_a_pair_is_one_pair_whoever_is_named_first_and_a_tie_says_neither():
    compared = [
        Compared("b", "a", ("t", "ada"), "a"),
        Compared("a", "b", ("t", "bo"), "b"),
        Compared("a", "b", ("t", "cy"), None),
    ]

    votes = votes_of_pairs(compared, {"a": "A", "b": "B"})

    assert [(vote.thing, vote.person[1], vote.value) for vote in votes] == [
        ("A>B", "ada", 1.0),
        ("A>B", "bo", -1.0),
        ("A>B", "cy", 0.0),
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.one_of(st.booleans(), st.integers(1, 5))),
        min_size=1,
        max_size=60,
    )
)
def test_no_ratings_give_a_weight_outside_its_bounds(given_ratings: list[tuple[int, int, bool | int]]):
    latest = {(asset, person): value for asset, person, value in given_ratings}
    said = [
        Said(str(asset), ("t", str(person)), *((None, value) if isinstance(value, bool) else (value, None)))
        for (asset, person), value in latest.items()
    ]

    found = weights_of(votes_of(said, {str(number): str(number) for number in range(7)}), RULES)

    assert all(0 <= weight <= 1 for weight in found.values())
    assert found.keys() == {one.person for one in said}
