"""Sections: full bars in four meters, without sharps."""

import pytest

from core.music.pieces import Note
from workers.models.music.notation import UnreadableTuneError, read
from workers.models.music.sections import sections_of

FOUR = "d2d2 B2B2|c2c2 A2A2|B2B2 G2G2|A2B2 A2D2|"


def sections(body: str, meter: str = "4/4", key: str = "G") -> list[list[tuple[Note, ...]]]:
    tune = read(f"X:1\nM:{meter}\nL:1/8\nK:{key}\n{body}")
    return [list(section) for section in sections_of(tune).sections]


def test_a_tune_is_moved_to_the_key_without_sharps():
    [[first, *_]] = sections(FOUR)

    assert [note.pitch for note in first] == [79, 79, 76, 76]


def test_an_upbeat_is_left_out_and_the_last_note_fills_its_bar():
    [bars] = sections("D2|" + FOUR + "G6:|")

    assert len(bars) == 5
    assert bars[-1] == (Note(72, 96),)


def test_notes_of_a_short_meter_are_twice_as_long():
    [bars] = sections("d2d2|B2B2|c2c2|A2A2|d2d2|B2B2|c2c2|A2A2|G2G2|G4|", meter="2/4")

    assert bars[0] == (Note(79, 48), Note(79, 48))


def test_of_two_endings_the_second_stays():
    first, second = sections(f"|:{FOUR}1D8:|2G8||{FOUR}|")

    assert [note.pitch for note in first[-1]] == [72]
    assert (len(first), len(second)) == (5, 4)


def test_a_bar_that_is_broken_by_a_double_line_counts_as_one():
    [bars] = sections(f"{FOUR}d2d2|B2B2|c8|{FOUR}")

    assert [sum(note.ticks for note in bar) for bar in bars] == [96] * 10


@pytest.mark.parametrize("body", [FOUR + "G8G8|", "G8|", FOUR + "z8|z8|z8|z8|z8|", FOUR + "G4|A8|B4|c8|"])
def test_bars_that_do_not_add_up_are_refused(body: str):
    with pytest.raises(UnreadableTuneError):
        sections(body)
