"""Reading ABC: what the books use is read, what is in doubt is not."""

import pytest

from workers.models.music.notation import UnreadableTuneError, key_of, read, tunes_of

HEAD = "X:1\nT:A Tune\nM:4/4\nL:1/8\nR:reel\nK:G\n"


def notes_of(body: str) -> list[list[tuple[int | None, int]]]:
    return [[(pitch, ticks) for pitch, ticks, _ in measure.notes] for measure in read(HEAD + body).measures]


def test_a_book_is_cut_into_its_tunes():
    assert [text[:4] for text in tunes_of("% a book\n\nX:1\nK:G\n\nX:2\nK:D\n")] == ["X:1\n", "X:2\n"]


def test_the_signature_of_the_key_sharpens_the_notes():
    assert notes_of("G2F2 f2=f2|") == [[(67, 24), (66, 24), (78, 24), (77, 24)]]


def test_an_accidental_holds_until_the_bar_line():
    assert notes_of("^c2c2 z4|c8|") == [[(73, 24), (73, 24), (None, 48)], [(72, 96)]]


def test_a_broken_rhythm_moves_time_between_two_notes():
    assert notes_of("G>A B<c|") == [[(67, 18), (69, 6), (71, 6), (72, 18)]]


def test_three_notes_of_a_triplet_take_the_time_of_two():
    assert notes_of("(3GAB c2|") == [[(67, 8), (69, 8), (71, 8), (72, 24)]]


def test_ornaments_and_chord_names_are_left_out_and_of_a_chord_the_highest_note_is_kept():
    assert notes_of('"Am"{ga}~G2 !trill!T[GBd]2|') == [[(67, 24), (74, 24)]]


def test_a_chord_behind_a_bar_line_is_still_one_note():
    assert notes_of("G8|[GB]8|[1G8|") == [[(67, 96)], [(71, 96)], [(67, 96)]]


def test_a_tie_holds_the_same_note_and_a_slur_does_not():
    first, second = read(HEAD + "G8-|G4-A4|").measures

    assert [is_held for _, _, is_held in (*first.notes, *second.notes)] == [False, True, False]


def test_a_line_of_music_that_begins_with_a_repeat_is_no_field():
    assert len(read(HEAD + "G8|A8:|\n|:B8|c8:|").measures) == 4


def test_repeats_and_endings_are_seen():
    measures = read(HEAD + "|:G8|1A8:|2B8|]").measures

    assert [(measure.is_start, measure.is_end, measure.ending) for measure in measures] == [
        (True, False, 0),
        (False, True, 1),
        (False, True, 2),
    ]


@pytest.mark.parametrize(
    ("text", "mode", "sharps"),
    [
        ("G", "major", 1),
        ("A Minor", "minor", 0),
        ("Ador", "dorian", 1),
        ("D mix", "mixolydian", 1),
        ("Bb", "major", -2),
    ],
)
def test_a_key_is_a_mode_and_a_number_of_sharps(text: str, mode: str, sharps: int):
    assert key_of(text) == (mode, sharps)


@pytest.mark.parametrize("body", ["G8|\nK:D\nA8|", "[V:2]G8|", "Z4|", "(5GABcd G3|", "G8|[M:3/4]A6|", "G/64|"])
def test_what_is_in_doubt_is_not_read(body: str):
    with pytest.raises(UnreadableTuneError):
        read(HEAD + body)
