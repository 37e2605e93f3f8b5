"""Chords: they fit the melody, and they lead home."""

from core.music.pieces import METERS, MODES, Note
from workers.models.music.harmony import chords_for


def bar(*pitches: int) -> tuple[Note, ...]:
    return tuple(Note(pitch, 96 // len(pitches)) for pitch in pitches)


def test_broken_chords_are_heard_as_what_they_are():
    chords = chords_for([bar(72, 76, 79, 76), bar(77, 81, 84, 81), bar(79, 83, 74, 83), bar(72)], *of("major"))

    assert [names[0] for names in chords] == ["C", "F", "G", "C"]


def test_a_tune_in_minor_ends_on_its_minor_chord():
    chords = chords_for([bar(69, 72, 76, 72), bar(76, 80, 71, 80), bar(69)], *of("minor"))

    assert chords[1][0] in {"E", "E7"}
    assert chords[-1][-1] == "Am"


def of(mode: str) -> tuple[object, object]:
    return METERS["4/4"], MODES[mode]
