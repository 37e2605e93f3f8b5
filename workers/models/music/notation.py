"""Read tunes in ABC, the notation in plain text: as much of it as the books here use.

What cannot be read without doubt is not read at all: changes of key or meter, several voices, lengths that are no whole
number of ticks. Grace notes, ornaments, slurs and chord symbols are left out; of a chord the highest note is taken.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from core.music.pieces import QUARTER

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SHARPS_OF_MAJOR = {"C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5, "F": -1, "BB": -2, "EB": -3, "AB": -4}
# Sharps less than the major key of the same tonic.
MODE_WORDS = {
    "": ("major", 0),
    "maj": ("major", 0),
    "m": ("minor", -3),
    "min": ("minor", -3),
    "dor": ("dorian", -2),
    "mix": ("mixolydian", -1),
}
ORDER_OF_SHARPS = "FCGDAEB"
MIDDLE_C = 60
NOTE = r"(?:\^\^|__|\^|_|=)?[A-Ga-gzx][,']*"
LENGTH = r"\d*/*\d*"
TOKEN = re.compile(
    r'(?P<text>"[^"]*"|![^!]*!|\{[^}]*\})'
    r"|(?P<field>\[[A-Za-z]:[^\]]*\])"
    r"|(?P<bar>:+\|+\]?:*|\|+\]?:*|::+)(?:\s*\[?(?P<ending>[12]))?"
    r"|\[(?P<alone>[12])"
    rf"|\(?(?P<tuplet>\([2-9])(?P<shape>(?::\d*)*)"
    rf"|\[(?P<chord>(?:{NOTE}{LENGTH})+)\](?P<chord_length>{LENGTH})"
    rf"|(?P<note>{NOTE})(?P<length>{LENGTH})"
    r"|(?P<broken>>+|<+)|(?P<tie>-)|(?P<rests>Z)"
)
FIELD = re.compile(r"[A-Za-z]:")
# How many notes take the time of how many, by default.
TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2}


class UnreadableTuneError(Exception):
    """A tune uses more of the notation than is read here."""


@dataclass
class Measure:
    """What stands between two bar lines: (pitch or None, ticks, held from before), and what the lines say."""

    notes: list[tuple[int | None, int, bool]] = field(default_factory=list)
    is_start: bool = False
    is_end: bool = False
    ending: int = 0

    @property
    def ticks(self) -> int:
        """Return how long it is."""
        return sum(ticks for _, ticks, _ in self.notes)


@dataclass(frozen=True)
class AbcTune:
    """A tune as its book has it."""

    number: str
    titles: str
    rhythm: str
    meter: str
    mode: str
    sharps: int
    measures: tuple[Measure, ...]


def tunes_of(text: str) -> Iterator[str]:
    """Yield the text of each tune of a book."""
    yield from (part for part in re.split(r"(?m)^(?=X:)", text) if part.startswith("X:"))


def read(text: str) -> AbcTune:
    """Read one tune; raises UnreadableTuneError."""
    lines = [line.split("%")[0].rstrip() for line in text.splitlines()]
    heads = [(line[0], line[2:].strip()) for line in lines if FIELD.match(line)]
    first = dict(reversed(heads))
    body = " ".join(line for line in lines if not FIELD.match(line))
    for key in "KM":
        if len({value for name, value in heads if name == key}) != 1:
            raise UnreadableTuneError(f"no single {key}")
    if any(name == "V" for name, _ in heads):
        raise UnreadableTuneError("several voices")
    mode, sharps = key_of(first["K"])
    meter = {"C": "4/4", "C|": "2/2"}.get(first["M"], first["M"])
    reader = _Reader(sharps, _unit(first.get("L"), meter))
    return AbcTune(
        number=first["X"],
        titles=" ".join(value for name, value in heads if name == "T"),
        rhythm=first.get("R", "").lower(),
        meter=meter,
        mode=mode,
        sharps=sharps,
        measures=tuple(reader.read(body)),
    )


def key_of(text: str) -> tuple[str, int]:
    """Return mode and number of sharps of a key such as `Ador` or `B Minor`."""
    found = re.fullmatch(r"([A-G][#b]?)\s*([A-Za-z]*)", text.strip())
    word = found[2].lower() if found else "?"
    mode = MODE_WORDS.get("m" if word == "m" else word[:3])
    tonic = found[1].upper() if found else ""
    sharps = SHARPS_OF_MAJOR.get(tonic, 6 if tonic == "F#" else 7 if tonic == "C#" else None)
    if mode is None or sharps is None:
        raise UnreadableTuneError(f"key {text!r}")
    return mode[0], sharps + mode[1]


def _unit(text: str | None, meter: str) -> Fraction:
    try:
        return Fraction(text) if text else Fraction(1, 8 if Fraction(meter) >= Fraction(3, 4) else 16)
    except ValueError as error:
        raise UnreadableTuneError("length or meter") from error


def _length(text: str) -> Fraction:
    above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
    return Fraction(int(above or 1), (int(below) if below else 2 ** len(slashes)) if slashes else 1)


class _Reader:
    """Walks through the body of a tune; holds what the next note depends on."""

    def __init__(self, sharps: int, unit: Fraction) -> None:
        altered = ORDER_OF_SHARPS[:sharps] if sharps >= 0 else ORDER_OF_SHARPS[sharps:]
        self._signature = dict.fromkeys(altered, 1 if sharps > 0 else -1)
        self._unit = unit
        self._accidentals: dict[int, int] = {}
        self._measures = [Measure()]
        self._left = 0
        self._factor = Fraction(1)
        # The next note is shortened or lengthened by a broken rhythm before it.
        self._broken = Fraction(1)
        self._is_tied = False

    def read(self, body: str) -> list[Measure]:
        """Return the measures that hold notes."""
        for token in TOKEN.finditer(body):
            if token["bar"] or token["alone"]:
                self._bar(token["bar"] or "", int(token["ending"] or token["alone"] or 0))
            elif token["tuplet"]:
                self._tuplet(int(token["tuplet"][1]), token["shape"])
            elif token["chord"]:
                self._chord(token["chord"], token["chord_length"])
            elif token["note"]:
                self._note(self._pitch(token["note"]), _length(token["length"]))
            elif token["broken"]:
                self._break(token["broken"])
            elif token["tie"]:
                self._is_tied = True
            elif token["rests"] or (token["field"] and token["field"][1] in "KMLV"):
                raise UnreadableTuneError(token[0])
        return [measure for measure in self._measures if measure.notes]

    def _bar(self, line: str, ending: int) -> None:
        now = self._measures[-1]
        is_double = line.startswith((":", "||", "|]"))
        now.is_end |= is_double
        after = Measure(is_start=line.endswith(":"), ending=ending)
        # An ending goes on over plain bar lines, and the second one belongs to the section of the first.
        if not ending and not is_double and not after.is_start:
            after.ending = now.ending
        if not now.notes:
            # Two lines in a row, as at the end of a text line.
            after.is_start |= now.is_start
            after.ending = after.ending or (now.ending if not line else after.ending)
        self._measures.append(after)
        self._accidentals = {}

    def _tuplet(self, notes: int, shape: str) -> None:
        numbers = [int(part) if part else 0 for part in shape.split(":")[1:]]
        time = (numbers[0] if numbers else 0) or TUPLETS.get(notes, 0)
        if not time:
            raise UnreadableTuneError("tuplet")
        self._factor = Fraction(time, notes)
        self._left = (numbers[1] if len(numbers) > 1 else 0) or notes

    def _chord(self, inside: str, length: str) -> None:
        parts = re.findall(rf"({NOTE})({LENGTH})", inside)
        pitches = [pitch for name, _ in parts if (pitch := self._pitch(name)) is not None]
        self._note(max(pitches, default=None), _length(parts[0][1]) * _length(length))

    def _note(self, pitch: int | None, length: Fraction) -> None:
        ticks = length * self._unit * self._broken * (self._factor if self._left else 1) * 4 * QUARTER
        self._left = max(0, self._left - 1)
        self._broken = Fraction(1)
        if ticks.denominator != 1 or not ticks:
            raise UnreadableTuneError("a length between ticks")
        # The dash also stands for a slur in some of the books: between two pitches it means nothing here.
        is_held = self._is_tied and pitch is not None and self._last_pitch() == pitch
        self._measures[-1].notes.append((pitch, int(ticks), is_held))
        self._is_tied = False

    def _last_pitch(self) -> int | None:
        notes = next((measure.notes for measure in reversed(self._measures) if measure.notes), [])
        return notes[-1][0] if notes else None

    def _break(self, signs: str) -> None:
        notes = self._measures[-1].notes
        if not notes:
            raise UnreadableTuneError("a broken rhythm over a bar line")
        less = Fraction(1, 2 ** len(signs))
        pitch, ticks, is_held = notes[-1]
        changed = ticks * (less if signs[0] == "<" else 2 - less)
        if changed.denominator != 1:
            raise UnreadableTuneError("a length between ticks")
        notes[-1] = (pitch, int(changed), is_held)
        self._broken = 2 - less if signs[0] == "<" else less

    def _pitch(self, name: str) -> int | None:
        accidental, letter, octaves = re.fullmatch(r"([_^=]*)(.)([,']*)", name).groups()  # type: ignore[union-attr]
        if letter in "zx":
            return None
        place = MIDDLE_C + LETTERS[letter.upper()] + 12 * (letter.islower() + octaves.count("'") - octaves.count(","))
        if accidental:
            self._accidentals[place] = accidental.count("^") - accidental.count("_")
        return place + self._accidentals.get(place, self._signature.get(letter.upper(), 0))
