"""From the measures of a book to sections of full bars in four meters, in the key without sharps or flats.

Upbeats are left out, and the last note of a section is held until its bar is full.
"""

from dataclasses import dataclass
from fractions import Fraction

from core.music.pieces import METERS, Meter, Note
from workers.models.music.notation import AbcTune, Measure, UnreadableTuneError

# Meters of the books: ours, and how much longer our notes are.
MEASURES = {
    "2/2": ("4/4", Fraction(1)),
    "4/4": ("4/4", Fraction(1)),
    "2/4": ("4/4", Fraction(2)),
    "3/4": ("3/4", Fraction(1)),
    "3/8": ("3/4", Fraction(2)),
    "3/2": ("3/4", Fraction(1, 2)),
    "6/8": ("6/8", Fraction(1)),
    "6/4": ("6/8", Fraction(1, 2)),
    "9/8": ("9/8", Fraction(1)),
    "9/4": ("9/8", Fraction(1, 2)),
}
LENGTHS = frozenset({3, 4, 6, 8, 9, 12, 16, 18, 21, 24, 30, 36, 48, 54, 60, 66, 72, 84, 90, 96, 108})
LEAST_NOTES = 16
MOST_RESTS = 0.25
MIDDLE = 73
LOWEST, HIGHEST = 52, 96

Notes = tuple[Note, ...]


@dataclass(frozen=True)
class Sections:
    """A tune in our meter and key: sections of full bars."""

    meter: Meter
    sections: tuple[tuple[Notes, ...], ...]


def sections_of(tune: AbcTune) -> Sections:
    """Return the sections of a tune; raises UnreadableTuneError when its bars do not add up."""
    if tune.meter not in MEASURES:
        raise UnreadableTuneError(f"meter {tune.meter}")
    name, factor = MEASURES[tune.meter]
    meter = METERS[name]
    parts = [_full_bars(part, meter, factor) for part in _parts(list(tune.measures))]
    shift = _shift(parts, tune.sharps)
    sections = [tuple(_moved(bar, shift) for bar in part) for part in parts if part]
    return Sections(meter, tuple(sections))


def _parts(measures: list[Measure]) -> list[list[Measure]]:
    """Split at repeats and double bars; of two endings keep the second, which closes."""
    parts: list[list[Measure]] = [[]]
    for i, measure in enumerate(measures):
        after = measures[i + 1] if i + 1 < len(measures) else None
        if measure.is_start and parts[-1]:
            parts.append([])
        parts[-1].append(measure)
        if measure.is_end and not (after and after.ending == 2):
            parts.append([])
    for part in parts:
        if any(measure.ending == 2 for measure in part):
            part[:] = [measure for measure in part if measure.ending != 1]
    return [part for part in parts if part]


def _full_bars(part: list[Measure], meter: Meter, factor: Fraction) -> list[Notes]:
    bars: list[Notes] = []
    waiting: Notes = ()
    for i, measure in enumerate(part):
        notes = waiting + _scaled(measure, factor)
        ticks, waiting = sum(note.ticks for note in notes), ()
        if ticks == meter.bar:
            bars.append(_joined(notes))
        elif ticks > meter.bar:
            raise UnreadableTuneError("bars too long")
        elif i == len(part) - 1 and bars:
            # The rest of the bar is the upbeat of what follows.
            bars.append(_joined((*notes[:-1], notes[-1]._replace(ticks=notes[-1].ticks + meter.bar - ticks))))
        elif i > 0:
            # A bar may be broken in two by a line that ends there.
            if len(notes) > len(measure.notes):
                raise UnreadableTuneError("bars too short")
            waiting = notes
    if waiting:
        raise UnreadableTuneError("bars too short")
    return bars


def _scaled(measure: Measure, factor: Fraction) -> Notes:
    if any((ticks * factor).denominator != 1 for _, ticks, _ in measure.notes):
        raise UnreadableTuneError("a length between ticks")
    return tuple(Note(pitch, int(ticks * factor), is_held) for pitch, ticks, is_held in measure.notes)


def _joined(notes: Notes) -> Notes:
    """Join held notes inside the bar; raises UnreadableTuneError for lengths that we have no word for."""
    joined: list[Note] = []
    for note in notes:
        whole = joined[-1].ticks + note.ticks if joined else 0
        if (note.is_held and joined) or (joined and note.pitch is None and joined[-1].pitch is None):
            joined[-1] = joined[-1]._replace(ticks=whole)
        else:
            joined.append(note)
    if any(note.ticks not in LENGTHS for note in joined):
        raise UnreadableTuneError("a rare length")
    return tuple(joined)


def _shift(parts: list[list[Notes]], sharps: int) -> int:
    """Return how far to move a tune, so that it has no sharps and lies in the middle; judge whether it is one."""
    notes = [note for part in parts for bar in part for note in bar]
    pitches = [note.pitch for note in notes if note.pitch is not None]
    if len(pitches) < LEAST_NOTES:
        raise UnreadableTuneError("few notes")
    silent = sum(note.ticks for note in notes if note.pitch is None)
    if silent > MOST_RESTS * sum(note.ticks for note in notes):
        raise UnreadableTuneError("many rests")
    shift = -(7 * sharps) % 12
    shift += 12 * round((MIDDLE - shift - sum(pitches) / len(pitches)) / 12)
    if min(pitches) + shift < LOWEST or max(pitches) + shift > HIGHEST:
        raise UnreadableTuneError("a wide range")
    return shift


def _moved(bar: Notes, shift: int) -> Notes:
    return tuple(note._replace(pitch=note.pitch + shift) if note.pitch is not None else note for note in bar)
