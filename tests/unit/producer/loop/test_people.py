"""Simulated people: what their taste likes, and how often they slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.loop.people import NAMES, Length, LengthTaste, answers

TEXTS = st.lists(st.text("ab ", max_size=30), min_size=1, max_size=20)


@pytest.mark.parametrize(("wanted", "likes"), [(Length.LONG, [False, True]), (Length.SHORT, [True, False])])
def test_what_is_long_depends_on_the_channel(wanted: Length, likes: list[bool]):
    lines = [("subject", "aaaaaa"), ("subject", "aaaa"), ("headline", "aa"), ("headline", "a")]
    taste = LengthTaste.of(wanted, lines)

    assert [taste.likes("subject", "aaa"), taste.likes("headline", "aaa")] == likes


@given(TEXTS, st.sampled_from(Length))
def test_the_taste_likes_at_most_half_of_what_it_was_shown(texts: list[str], wanted: Length):
    taste = LengthTaste.of(wanted, (("subject", text) for text in texts))

    assert sum(taste.likes("subject", text) for text in texts) <= len(texts) / 2


@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(Length))
def test_of_two_lines_one_wins_or_both_by_half(one: str, other: str, wanted: Length):
    taste = LengthTaste(wanted, {})

    assert taste.win(one, other) + taste.win(other, one) == 1


@pytest.mark.parametrize(("wanted", "win"), [(Length.LONG, 0), (Length.SHORT, 1)])
def test_the_line_of_the_wanted_length_wins(wanted: Length, win: float):
    assert LengthTaste(wanted, {}).win("a long line", "a line") == win


@pytest.mark.parametrize("each", [1, 2, 3])
def test_so_many_people_answer_each_once_and_say_the_same_again(each: int):
    said = answers(True, "job-1", each)

    assert len({name for name, _ in said}) == each
    assert {name for name, _ in said} <= set(NAMES)
    assert answers(True, "job-1", each) == said


def test_people_who_never_slip_say_what_the_taste_says():
    said = [approves for number in range(50) for _, approves in answers(number % 2 == 0, f"job-{number}", 3, slips=0)]

    assert said == [number % 2 == 0 for number in range(50) for _ in range(3)]


def test_people_slip_about_once_in_ten():
    said = [approves for number in range(2000) for _, approves in answers(True, f"job-{number}", 3)]

    assert 0.08 < said.count(False) / len(said) < 0.12
