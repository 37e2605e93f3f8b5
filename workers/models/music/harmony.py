"""Chords for a melody: of all successions the one that fits its notes, its mode and common moves best (Viterbi).

The books have no chords. These are plausible, not the only true ones.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from core.music.pieces import CHORDS, SCALE, Meter, Mode, Note, intervals, root, tones

Grid = NDArray[np.float64]

# How well a note of the chord fits, from root to seventh; another note of the scale; and one outside of it.
FITS = (1.0, 0.95, 0.8, 0.55)
PASSING, FOREIGN = -0.55, -1.0
# How much a mode likes a chord; what is not named is rare.
LIKED = {
    "major": {"C": 0.3, "G": 0.12, "F": 0.06, "Am": -0.1, "Dm": -0.1, "G7": -0.12, "Em": -0.35, "D": -0.45, "D7": -0.5},
    "minor": {"Am": 0.3, "Dm": 0.06, "E": 0.04, "G": 0.0, "Em": 0.0, "C": -0.05, "E7": -0.08, "F": -0.1, "G7": -0.3},
    "dorian": {"Dm": 0.3, "C": 0.22, "Am": 0.05, "F": 0.0, "G": -0.02, "Em": -0.3, "A": -0.5, "G7": -0.5, "Bb": -0.6},
    "mixolydian": {"G": 0.3, "F": 0.2, "C": 0.08, "Dm": 0.0, "Am": -0.1, "Em": -0.25, "D": -0.25, "D7": -0.4},
}
RARE = -0.9
# Moves of the root upwards in semitones; fourths and fifths lead best.
MOVES = {0: 0.0, 5: 0.25, 7: 0.1, 2: 0.0, 10: -0.05, 9: -0.05, 3: -0.05, 4: -0.15, 8: -0.15}
ODD_MOVE = -0.5
HOME, FIRST_HOME, LEADING = 1.6, 0.5, 0.25
STAY_INSIDE_A_BAR, STAY_OVER_THE_LINE = 0.35, -0.1


def chords_for(bars: Sequence[Sequence[Note]], meter: Meter, mode: Mode) -> list[tuple[str, ...]]:
    """Return the chords of each bar."""
    likings = 2.0 * _parts_of(bars, meter) @ _fits().T + 0.6 * _prior(mode)
    likings[-1, CHORDS.index(mode.tonic)] += HOME
    likings[0, CHORDS.index(mode.tonic)] += FIRST_HOME
    if len(likings) > 1:
        for chord in mode.resolutions:
            likings[-2, CHORDS.index(chord)] += LEADING
    path = _best_path(likings, meter.chords)
    return [tuple(CHORDS[i] for i in path[start : start + meter.chords]) for start in range(0, len(path), meter.chords)]


def _parts_of(bars: Sequence[Sequence[Note]], meter: Meter) -> Grid:
    """Return for each chord to be how much of its time each pitch class sounds; what falls on a beat counts more."""
    length = meter.bar // meter.chords
    parts = np.zeros((len(bars) * meter.chords, 12))
    held = 0
    for number, bar in enumerate(bars):
        start = 0
        for note in bar:
            held = held if note.is_held else note.pitch or 0
            begin, end = start, start + note.ticks
            while note.pitch is not None and begin < end:
                place = begin // length
                until = min(end, (place + 1) * length)
                is_new = begin == start
                accent = 1.35 if is_new and begin % length == 0 else 1.15 if is_new and begin % meter.beat == 0 else 1.0
                parts[number * meter.chords + place, held % 12] += (until - begin) * accent
                begin = until
            start = end
    totals = parts.sum(1, keepdims=True)
    result: Grid = parts / np.where(totals > 0, totals, 1)
    return result


@cache
def _fits() -> Grid:
    fits = np.full((len(CHORDS), 12), FOREIGN)
    fits[:, sorted(SCALE)] = PASSING
    for number, chord in enumerate(CHORDS):
        for pitch_class, fit in zip(tones(chord), FITS, strict=False):
            fits[number, pitch_class] = fit
    return fits


def _prior(mode: Mode) -> Grid:
    return np.array([LIKED[mode.name].get(chord, RARE) for chord in CHORDS])


@cache
def _moves() -> Grid:
    moves = np.zeros((len(CHORDS), len(CHORDS)))
    for i, before in enumerate(CHORDS):
        for j, after in enumerate(CHORDS):
            step = (root(after) - root(before)) % 12
            moves[i, j] = MOVES.get(step, ODD_MOVE)
            # A seventh wants to fall by a fifth.
            if len(intervals(before)) == 4 and before != after:
                moves[i, j] += 0.3 if step == 5 else -0.5
            if before != after and step == 0:
                moves[i, j] -= 0.2
    return 0.6 * moves


def _best_path(likings: Grid, chords_a_bar: int) -> list[int]:
    best = likings[0].copy()
    origins = []
    stay = np.eye(len(CHORDS))
    for i in range(1, len(likings)):
        is_inside = i % chords_a_bar != 0
        scores = best[:, None] + _moves() + stay * (STAY_INSIDE_A_BAR if is_inside else STAY_OVER_THE_LINE)
        origins.append(scores.argmax(0))
        best = scores.max(0) + likings[i]
    path = [int(best.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]
