"""How much of a piece is new: its runs of notes beside those of all tunes that the model learnt from.

A run is eight steps, each an interval and a length, so a copy in another key or octave is a copy too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.music.pieces import Bar, Note, Piece
from workers.models.music.tunes import Tune

RUN = 8
# Tunes of a kind share phrases of a bar or two. What is copied beyond that, or for most of a piece, is a near-copy.
MOST_COPIED_NOTES = 16
MOST_COPIED_PART = 0.5
MULTIPLIER = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Originality:
    """The part of runs that no tune has, and the longest stretch of notes that one or several tunes have."""

    novelty: float
    copied_notes: int
    notes: int

    @property
    def is_near_copy(self) -> bool:
        """Tell whether a piece must not be used."""
        return self.copied_notes > MOST_COPIED_NOTES or self.copied_notes > MOST_COPIED_PART * self.notes


class Memory:
    """The runs of all tunes, as sorted hashes."""

    def __init__(self, tunes: Iterable[Tune]) -> None:
        runs = [_runs(_melody(section)) for tune in tunes for section in tune.sections]
        self._runs = np.unique(np.concatenate(runs))

    def originality(self, piece: Piece) -> Originality:
        """Return how new a piece is."""
        melody = piece.melody
        runs = _runs(melody)
        places = np.searchsorted(self._runs, runs).clip(max=len(self._runs) - 1)
        is_known = self._runs[places] == runs
        longest = current = 0
        for known in is_known.tolist():
            current = current + 1 if known else 0
            longest = max(longest, current)
        novelty = 1 - float(is_known.mean()) if len(runs) else 1.0
        return Originality(novelty, longest + RUN if longest else 0, len(melody))


def _melody(bars: tuple[Bar, ...]) -> list[Note]:
    return Piece("", "", "", bars).melody


def _runs(melody: Sequence[Note]) -> NDArray[np.uint64]:
    """Return a hash of each run."""
    pitches = np.array([note.pitch or 0 for note in melody], dtype=np.int64)
    ticks = np.array([note.ticks for note in melody], dtype=np.int64)
    if len(melody) <= RUN:
        return np.zeros(0, dtype=np.uint64)
    steps = ((np.diff(pitches) + 128) * 512 + ticks[1:]).astype(np.uint64)
    hashes = np.zeros(len(steps) - RUN + 1, dtype=np.uint64)
    for i in range(RUN):
        hashes = (hashes ^ steps[i : len(hashes) + i]) * np.uint64(MULTIPLIER)
        hashes ^= hashes >> np.uint64(29)
    return hashes
