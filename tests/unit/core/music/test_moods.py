"""Moods and keys: what a brief says, and what it leaves to its mood."""

import pytest

from core.errors import UnknownIdError
from core.music.moods import MusicBrief, brief_of, key_of, mood_of, steps_to_key
from schemas.jobs import MusicOrder


def test_what_the_brief_says_goes_before_the_mood():
    mood = mood_of(MusicBrief("upbeat", 20, energy=2, bpm=100, meter="3/4", key="F# minor"))

    assert (mood.mode, mood.meter, mood.style, mood.energy, mood.bpm) == ("minor", "3/4", "waltz", 2, 100)


@pytest.mark.parametrize(("key", "tonic", "mode"), [("D", 2, None), ("Bb dorian", 10, "dorian"), ("c# m", 1, "minor")])
def test_keys_are_read_as_people_write_them(key: str, tonic: int, mode: str | None):
    assert key_of(key) == (tonic, mode)


@pytest.mark.parametrize(
    "brief", [MusicBrief("furious", 10), MusicBrief("calm", 10, key="H"), MusicBrief("calm", 10, meter="5/4")]
)
def test_an_unknown_mood_key_or_meter_is_refused(brief: MusicBrief):
    with pytest.raises(UnknownIdError, match=r"furious|'H'|5/4"):
        mood_of(brief)


def test_a_piece_is_moved_the_shorter_way():
    assert [steps_to_key(tonic, "major") for tonic in (0, 5, 7, 11)] == [0, 5, -5, -1]
    assert steps_to_key(9, "minor") == 0


def test_a_job_asks_for_what_its_order_says():
    order = MusicOrder(mood="calm", seconds=10, key="D", instruments=("harp",), is_loop=True)

    assert brief_of(order) == MusicBrief("calm", 10, key="D", instruments=("harp",), is_loop=True)
