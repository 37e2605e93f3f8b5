"""The words of music used here: meters, modes, chords, and a piece as a lead sheet of bars with chords and melody.

Time counts in ticks, 24 a quarter. A piece stands in the key without sharps or flats: major in C, minor in A, dorian in
D, mixolydian in G. Arranging moves it to the key that was asked for.
"""

from dataclasses import dataclass
from typing import NamedTuple

QUARTER = 24
SCALE = frozenset({0, 2, 4, 5, 7, 9, 11})
PITCH_CLASSES = {"C": 0, "C#": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "Ab": 8, "A": 9, "Bb": 10, "B": 11}
QUALITIES = {"": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "dim": (0, 3, 6)}
CHORDS = ("C", "Dm", "Em", "F", "G", "Am", "Bdim", "G7", "D", "E", "E7", "A", "A7", "D7", "Bb", "C7", "Gm", "B7")
STYLES = ("reel", "jig", "hornpipe", "march", "air", "waltz", "slipjig", "strathspey")


@dataclass(frozen=True)
class Meter:
    """Ticks of a bar and of a beat, and how many chords a bar holds."""

    name: str
    bar: int
    beat: int
    chords: int


@dataclass(frozen=True)
class Mode:
    """A scale by its tonic; `resolutions` are chords that lead home."""

    name: str
    tonic: str
    resolutions: tuple[str, ...]

    @property
    def triad(self) -> frozenset[int]:
        """Return the pitch classes of the chord that a piece ends on."""
        return frozenset(tones(self.tonic))


METERS = {
    meter.name: meter
    for meter in (
        Meter("4/4", 96, 24, 2),
        Meter("3/4", 72, 24, 1),
        Meter("6/8", 72, 36, 2),
        Meter("9/8", 108, 36, 1),
    )
}
MODES = {
    mode.name: mode
    for mode in (
        Mode("major", "C", ("G", "G7")),
        Mode("minor", "Am", ("E", "E7", "G")),
        Mode("dorian", "Dm", ("C", "Am", "A")),
        Mode("mixolydian", "G", ("D", "F", "Dm")),
    )
}


class Note(NamedTuple):
    """A pitch, or a rest where it is None, for some ticks; or the last pitch held on over the bar line."""

    pitch: int | None
    ticks: int
    is_held: bool = False


class Bar(NamedTuple):
    """One bar: its chords in equal parts, and the melody that fills it."""

    chords: tuple[str, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Piece:
    """A lead sheet."""

    meter: str
    mode: str
    style: str
    bars: tuple[Bar, ...]

    @property
    def melody(self) -> list[Note]:
        """Return the notes that sound, held ones as one."""
        melody: list[Note] = []
        for bar in self.bars:
            for note in bar.notes:
                if note.is_held and melody:
                    melody[-1] = melody[-1]._replace(ticks=melody[-1].ticks + note.ticks)
                elif note.pitch is not None:
                    melody.append(note)
        return melody


def root(chord: str) -> int:
    """Return the pitch class of the root of a chord."""
    return PITCH_CLASSES[_split(chord)[0]]


def intervals(chord: str) -> tuple[int, ...]:
    """Return the semitones of a chord above its root."""
    return QUALITIES[_split(chord)[1]]


def tones(chord: str) -> tuple[int, ...]:
    """Return the pitch classes of a chord, its root first."""
    return tuple((root(chord) + interval) % 12 for interval in intervals(chord))


def _split(chord: str) -> tuple[str, str]:
    length = 2 if chord[1:2] in {"#", "b"} else 1
    return chord[:length], chord[length:]
