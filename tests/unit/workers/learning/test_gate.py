"""The gate: what is no better does not pass; what is clearly better does, unless it lost something."""

import random

import pytest

from schemas.campaigns import Kind
from schemas.learning import curriculum
from schemas.versions import Verdict
from workers.learning.examiners import distinct_pairs
from workers.learning.gate import Seen, Trial, lower_bound, strongest, verdict
from workers.learning.guardrails import Freshness
from workers.learning.materials import plain
from workers.learning.pairs import Pair, pairs_of
from workers.learning.snapshot import take

from support.heard import MODEL, answer, heard, lines_of

RULES = curriculum().gate
FEWER = RULES.model_copy(update={"resamples": 2000})
FRESH = Freshness(pass_rate=0.8, unsafe=0.0, seconds_a_job=1.0, made={"a": "Dark cocoa", "b": "Warm honey"})


def some_pairs() -> list[Pair]:
    lines = lines_of(60, 4)
    said = [answer(line, rater, approves=line.job.variant % 2 == 0) for line in lines for rater in ("ada", "bo")]
    taken = take(heard(lines, said), Kind.COPY, MODEL, curriculum())
    return pairs_of(taken, curriculum().snapshot, held_out=True)


PAIRS = some_pairs()
NONE, ALL = (0.0,) * len(PAIRS), (1.0,) * len(PAIRS)


def found(agrees: tuple[float, ...] = ALL, neutral: float = -1.0, **changes: object) -> Verdict:
    fresh = Freshness(**{**FRESH.__dict__, **changes})
    return verdict(Trial(PAIRS, plain(PAIRS), FEWER), Seen(agrees, neutral, fresh), Seen(NONE, -1.0, FRESH), -1.0)


def test_a_challenger_that_orders_all_pairs_right_passes():
    one = found()

    assert (one.challenger_agrees, one.champion_agrees, one.bound) == (1.0, 0.0, 1.0)
    assert one.is_passed


def test_a_challenger_like_the_champion_does_not_pass():
    assert not found(agrees=NONE).is_passed


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({"pass_rate": 0.69}, "pass_rate"),
        ({"unsafe": 0.01}, "unsafe"),
        ({"seconds_a_job": 1.6}, "seconds_a_job"),
        ({"neutral": -1.3}, "neutral_log_p"),
        ({"made": {"a": "Dark cocoa", "b": "Dark cocoa"}}, "distinct_pairs"),
    ],
)
def test_whatever_it_gains_a_challenger_may_lose_nothing_that_nobody_rates(changes: dict[str, object], lost: str):
    one = found(**changes)

    assert [guardrail.name for guardrail in one.guardrails if not guardrail.is_kept] == [lost]
    assert not one.is_passed


def test_what_else_a_kind_is_judged_by_may_not_be_lost_either():
    before = Freshness(**{**FRESH.__dict__, "shares": {"novelty": 0.9, "in_key": 0.99}})
    after = Freshness(**{**FRESH.__dict__, "shares": {"novelty": 0.7, "in_key": 0.95}})

    one = verdict(Trial(PAIRS, plain(PAIRS), FEWER), Seen(ALL, -1.0, after), Seen(NONE, -1.0, before), -1.0)

    assert [guardrail.name for guardrail in one.guardrails if not guardrail.is_kept] == ["novelty"]
    assert not one.is_passed


def test_luck_passes_about_once_in_two_hundred_times():
    dice = random.Random(5)
    products = [str(number // 6) for number in range(90)]
    rules = RULES.model_copy(update={"resamples": 1000})

    # Whole products lean one way, as those of real people do.
    passed = 0
    for _ in range(300):
        leans = [dice.gauss(0, 0.3) for _ in range(15)]
        differences = [float(leans[number // 6] + dice.gauss(0, 0.6) > 0) * 2 - 1 for number in range(90)]
        passed += lower_bound(products, differences, [1.0] * 90, rules) > 0

    assert passed <= 5


class Walk:
    """What is found at each strength, and which ones were asked for."""

    def __init__(self, **found: Verdict) -> None:
        self.found, self.asked = {1.0: found["whole"], 0.67: found["weaker"], 0.33: found["weakest"]}, list[float]()

    def __call__(self, strength: float) -> Verdict:
        self.asked.append(strength)
        return self.found[strength].model_copy(update={"strength": strength})


GOOD, LOST, NO_BETTER = found(), found(pass_rate=0.69), found(agrees=NONE)


@pytest.mark.parametrize(
    ("walk", "asked", "chosen", "others"),
    [
        (Walk(whole=GOOD, weaker=GOOD, weakest=GOOD), [1.0], 1.0, []),
        (Walk(whole=LOST, weaker=GOOD, weakest=GOOD), [1.0, 0.67], 0.67, [1.0]),
        (Walk(whole=LOST, weaker=LOST, weakest=GOOD), [1.0, 0.67, 0.33], 0.33, [1.0, 0.67]),
    ],
    ids=["whole", "weaker", "weakest"],
)
def test_the_first_strength_that_loses_nothing_passes(
    walk: Walk, asked: list[float], chosen: float, others: list[float]
):
    one = strongest(walk, RULES.strengths)

    assert (walk.asked, one.strength, [other.strength for other in one.others]) == (asked, chosen, others)
    assert one.is_passed
    assert not any(other.is_passed for other in one.others)


@pytest.mark.parametrize(
    ("walk", "asked"),
    [
        (Walk(whole=NO_BETTER, weaker=GOOD, weakest=GOOD), [1.0]),
        (Walk(whole=LOST, weaker=NO_BETTER, weakest=GOOD), [1.0, 0.67]),
        (Walk(whole=LOST, weaker=LOST, weakest=LOST), [1.0, 0.67, 0.33]),
    ],
    ids=["no better", "no better when weaker", "loses always"],
)
def test_where_one_is_no_better_no_weaker_one_is_tried_and_the_whole_is_refused(walk: Walk, asked: list[float]):
    one = strongest(walk, RULES.strengths)

    assert (walk.asked, one.strength, [other.strength for other in one.others]) == (asked, 1.0, asked[1:])
    assert not one.is_passed


def test_luck_passes_no_more_often_when_weaker_ones_are_tried():
    dice = random.Random(6)
    products = [str(number // 6) for number in range(90)]
    # At one in twenty it shows: of three tries, each with a luck of its own, one in seven would pass.
    rules = RULES.model_copy(update={"resamples": 500, "error": 0.05})

    def held_against(strength: float) -> Verdict:
        leans = [dice.gauss(0, 0.3) for _ in range(15)]
        differences = [float(leans[number // 6] + dice.gauss(0, 0.6) > 0) * 2 - 1 for number in range(90)]
        bound = lower_bound(products, differences, [1.0] * 90, rules)
        return dice.choice((GOOD, LOST)).model_copy(update={"bound": bound, "strength": strength})

    passed = sum(strongest(held_against, rules.strengths).is_passed for _ in range(400))

    assert passed <= 20


def test_lines_of_one_product_prove_nothing():
    assert lower_bound(["a"] * 50, [1.0] * 50, [1.0] * 50, RULES) == -1.0


def test_the_same_figures_give_the_same_bound():
    differences = [float(number % 3 - 1) for number in range(60)]
    products = [str(number % 12) for number in range(60)]

    bounds = {lower_bound(products, differences, [1.0] * 60, FEWER) for _ in range(3)}

    assert len(bounds) == 1


def test_word_pairs_that_come_again_make_lines_less_distinct():
    assert distinct_pairs(["dark cocoa and honey", "dark cocoa and smoke"]) == pytest.approx(4 / 6)
    assert distinct_pairs([]) == 1.0
