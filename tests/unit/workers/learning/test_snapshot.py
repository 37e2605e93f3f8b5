"""A snapshot: the same ratings give the same bytes, nobody is named, and a product is on one side for ever."""

import json
import random
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.opinions import Compared, Heard, Person, Said
from schemas.campaigns import Kind
from schemas.jobs import MusicOrder
from schemas.learning import Opinion, Preference, curriculum
from workers.learning.pairs import pairs_of
from workers.learning.snapshot import Snapshot, is_held_out, product_of, take

from support.heard import MODEL, answer, brief_of, heard, lines_of, shuffled

RULES = curriculum()
LINES = lines_of(products=12, variants=4)
SAID = [answer(line, rater, approves=line.job.variant % 2 == 0) for line in LINES for rater in ("ada", "bo")]


def snapshot(some: Heard | None = None) -> Snapshot:
    return take(some or heard(LINES, SAID), Kind.COPY, MODEL, RULES)


@given(st.integers(0, 1000))
def test_the_order_of_arrival_changes_no_byte(seed: int):
    assert snapshot(shuffled(heard(LINES, SAID), seed)).to_bytes() == snapshot().to_bytes()


def test_what_is_written_reads_back_as_it_was():
    assert Snapshot.from_bytes(snapshot().to_bytes()) == snapshot()


def test_the_first_line_keeps_its_bytes_and_tells_of_referees_where_there_are_any():
    judged = take(heard(LINES, SAID), Kind.COPY, MODEL, RULES, frozenset({("default", "ada")}))
    always = (
        '{"type":"snapshot","version":1,"kind":"copy","model":"starter+house",'
        '"ratings":96,"comparisons":0,"raters":2,"trusted_raters":2'
    )

    assert [some.to_bytes().decode().splitlines()[0] for some in (snapshot(), judged)] == (
        [always + "}", always + ',"referees":1}']
    )


def test_no_person_is_named_in_it():
    text = snapshot().to_bytes().decode()

    assert "ada" not in text
    assert json.loads(text.splitlines()[0])["raters"] == 2


def test_every_asset_is_an_opinion_with_what_people_think_of_it():
    opinions = snapshot().opinions

    assert len(opinions) == len(LINES)
    assert {one.liking > 0 for one in opinions if one.text in {"Line 0", "Line 2"}} == {True}
    assert {one.liking < 0 for one in opinions if one.text in {"Line 1", "Line 3"}} == {True}


def test_the_same_line_for_the_same_brief_is_one_opinion():
    same = lines_of(products=3, variants=4, text=lambda job: f"Line {job.variant % 2}")
    said = [answer(line, "ada", approves=line.job.variant % 2 == 0) for line in same]

    assert len(snapshot(heard(same, said)).opinions) == 6


def test_what_people_contradict_each_other_on_is_left_out():
    more = [
        answer(LINES[0], name, approves=number < 3) for number, name in enumerate(("cy", "di", "ed", "fe", "gu", "ho"))
    ]
    agreeing = [answer(line, one.person[1], approves=line.job.variant % 2 == 0) for one in more for line in LINES[1:]]
    said = [*SAID[2:], *more, *agreeing]

    assert LINES[0].job.id not in {one.job_id for one in snapshot(heard(LINES, said)).opinions}


def test_a_comparison_is_a_preference_of_the_better_one():
    some = heard(LINES, SAID)
    compared = tuple(
        Compared(LINES[start].job.id, LINES[start + 1].job.id, ("default", rater), LINES[start + 1].job.id)
        for start in range(0, len(LINES), 4)
        for rater in ("ada", "bo")
    )

    found = snapshot(type(some)(some.assets, some.ratings, compared, 0, 0)).preferences

    assert [(one.worse, one.better) for one in found] == sorted(
        ((LINES[start].job.id, LINES[start + 1].job.id) for start in range(0, len(LINES), 4)), key=lambda pair: pair[1]
    )


def test_a_product_is_held_out_for_ever_whatever_its_name_is_written_like():
    one = brief_of(3)
    shouted = one.model_copy(update={"brand": one.brand.model_copy(update={"name": "NORTHBEAM "})})

    assert product_of(one) == product_of(shouted)
    shares = [is_held_out(product_of(brief_of(number)), 0.25) for number in range(400)]
    assert 70 < sum(shares) < 130


REFEREES = frozenset({("default", "ada"), ("default", "bo")})


def opinions_of(said: list[Said], referees: frozenset[Person] = REFEREES) -> dict[bool, list[Opinion]]:
    """Return what is believed on both sides of the split, by whether it is held out."""
    taken = take(heard(LINES, said), Kind.COPY, MODEL, RULES, referees)
    return {side: [one for one in taken.opinions if one.is_held_out == side] for side in (False, True)}


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_nothing_that_others_than_referees_say_moves_what_versions_are_judged_by(seed: int, strangers: int):
    dice = random.Random(seed)
    foreign = [
        answer(line, f"stranger {number}", approves=dice.random() < 0.5)
        for number in range(strangers)
        for line in LINES
        if dice.random() < 0.7
    ]

    assert opinions_of([*SAID, *foreign])[True] == opinions_of(SAID)[True] != []


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_an_alike_asset_that_others_speak_of_does_not_take_the_place_of_a_judged_one(seed: int):
    dice = random.Random(seed)
    alike = lines_of(products=12, variants=6, text=lambda job: f"Line {job.variant % 2}")
    judged = [line for line in alike if dice.random() < 0.5]
    said = [answer(line, "ada", approves=line.job.variant % 2 == 0) for line in judged]
    compared = [Compared(one.job.id, other.job.id, ("default", "bo"), one.job.id) for one, other in pairwise(judged)]
    foreign = [answer(line, "stranger", approves=True) for line in alike if dice.random() < 0.5]
    beside = [
        Compared(one.job.id, other.job.id, ("default", "stranger"), other.job.id)
        for one, other in pairwise(alike)
        if dice.random() < 0.5
    ]

    def judging(ratings: list[Said], comparisons: list[Compared]) -> list[Opinion | Preference]:
        """Return what is held out where the ledger knows assets only by what was said of them."""
        told = {one.job_id for one in (*ratings, *comparisons)} | {one.other_job_id for one in comparisons}
        some = replace(heard([line for line in alike if line.job.id in told], ratings), comparisons=tuple(comparisons))
        taken = take(some, Kind.COPY, MODEL, RULES, REFEREES)
        return [one for one in (*taken.opinions, *taken.preferences) if one.is_held_out]

    assert judging([*said, *foreign], [*compared, *beside]) == judging(said, compared) != []


def test_others_than_referees_go_on_teaching():
    told = opinions_of([one for one in SAID if one.person == ("default", "ada")], frozenset({("default", "bo")}))

    assert told[False] != []
    assert told[True] == []


def test_a_hostile_majority_turns_what_is_learnt_and_not_what_judges():
    hostile = [answer(one, f"foe {n}", approves=one.job.variant % 2 == 1) for one in LINES for n in range(3)]

    alone, with_referees = opinions_of([*SAID, *hostile], frozenset()), opinions_of([*SAID, *hostile])

    assert {one.liking > 0 for one in alone[True] if one.text == "Line 0"} == {False}
    assert {one.liking > 0 for one in with_referees[True] if one.text == "Line 0"} == {True}
    assert {one.liking > 0 for one in with_referees[False] if one.text == "Line 0"} == {False}


def test_of_compared_assets_that_are_held_out_only_referees_are_heard():
    def preferred(rater: str, *, first: bool) -> list[Compared]:
        pairs = [(LINES[start].job.id, LINES[start + 1].job.id) for start in range(0, len(LINES), 4)]
        return [Compared(one, other, ("default", rater), one if first else other) for one, other in pairs]

    said = (*preferred("ada", first=True), *(one for foe in "xyz" for one in preferred(foe, first=False)))
    some = heard(LINES, SAID)
    taken = take(replace(some, comparisons=said), Kind.COPY, MODEL, RULES, REFEREES)

    assert {(one.is_held_out, one.better < one.worse) for one in taken.preferences} == {(True, True), (False, False)}


def test_the_header_tells_how_many_referees_are_heard_of_what_is_held_out():
    others = frozenset({("default", "ada"), ("acme", "bo"), ("default", "nobody")})
    share = RULES.snapshot.held_out_share
    taught = [one for one in LINES if not is_held_out(product_of(one.job.brief), share)]
    elsewhere = [answer(line, "cy", approves=line.job.variant % 2 == 0) for line in taught]
    # Somebody who is against the others all the time counts nothing.
    against = [answer(line, "di", approves=line.job.variant % 2 == 1) for line in LINES]

    def referees(said: list[Said], people: frozenset[Person]) -> int | None:
        return take(heard(LINES, said), Kind.COPY, MODEL, RULES, people).header.referees

    assert snapshot().header.referees is None
    assert referees(SAID, others) == 1
    assert referees([*SAID, *elsewhere], REFEREES | {("default", "cy")}) == 2
    assert referees([*SAID, *against], REFEREES | {("default", "di")}) == 2


@given(st.integers(0, 200), st.integers(0, 50))
def test_music_is_trained_on_or_held_out_by_what_it_shall_be_like(seconds: int, other: int):
    piece = brief_of(3).model_copy(update={"music": MusicOrder(mood="calm", seconds=5 + seconds % 50)})
    alike = piece.model_copy(update={"channel": "music.bed"})
    another = piece.model_copy(update={"music": MusicOrder(mood="happy", seconds=5 + other)})

    assert product_of(piece) == product_of(alike) != product_of(another)


# A machine that is busy with something else makes no difference.
@settings(deadline=None, max_examples=20)
@given(st.integers(0, 30))
def test_no_product_is_on_both_sides_of_the_split(seed: int):
    dice = random.Random(seed)
    said = [answer(line, rater, approves=dice.random() < 0.5) for line in LINES for rater in ("ada", "bo")]
    taken = snapshot(heard(LINES, said))

    sides = [pairs_of(taken, RULES.snapshot, held_out=side) for side in (False, True)]

    products = [{one.product for pair in pairs for one in (pair.better, pair.worse)} for pairs in sides]
    assert products[0].isdisjoint(products[1])
    assert all(pair.better.product == pair.worse.product for pairs in sides for pair in pairs)
