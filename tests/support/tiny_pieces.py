"""Pieces that a tiny composer wrote, every second one moved down by an octave and the others up."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from core.music.moods import MOODS
from core.music.pieces import Piece
from schemas.jobs import MusicOrder
from schemas.learning import Recipe
from workers.models.music.compose import Order, composer
from workers.models.music.tokens import Conditions, piece_of
from workers.models.tuning.music import MusicTuner
from workers.models.tuning.protocol import Judged, Lesson, Place

from support.music_jobs import music_job

BARS = 2


def tuner(folder: Path, cache: Path, recipe: Recipe) -> MusicTuner:
    """Return the tuner of a tiny composer."""
    return MusicTuner(str(folder), cache, recipe, Place("cpu", "float32", 1))


def lowness(piece: Piece) -> float:
    """Return how low a melody lies."""
    pitches = [note.pitch for note in piece.melody if note.pitch is not None]
    return -sum(pitches) / max(len(pitches), 1)


def pieces(folder: Path, count: int) -> list[tuple[Judged, float]]:
    """Return pieces that a tiny composer writes, each with how low it lies; those with an even number lie low."""
    moods = list(MOODS.values())
    conditions = [
        Conditions(mood.meter, BARS, mood.mode, mood.style, mood.energy)
        for mood in (moods[number // 2 % len(moods)] for number in range(count))
    ]
    loaded = composer(folder, torch.device("cpu"))
    # Two pieces of an order differ in their octave alone.
    drafts = loaded.write([Order(one, number // 2) for number, one in enumerate(conditions)])
    found = []
    for number, (draft, one) in enumerate(zip(drafts, conditions, strict=True)):
        words = moved(draft.words, 12 if number % 2 else -12, loaded.vocabulary)
        recipe = {
            "words": " ".join(words),
            "written_bars": one.bars,
            "meter": one.meter,
            "mode": one.mode,
            "style": one.style,
            "energy": one.energy,
        }
        order = MusicOrder(mood=list(MOODS)[number // 2 % len(MOODS)], seconds=6 + number // 20)
        found.append((Judged(music_job(order, number).brief, "", recipe), lowness(piece_of(words, one))))
    return found


def moved(words: Sequence[str], steps: int, vocabulary: Mapping[str, int]) -> tuple[str, ...]:
    """Return words with every note moved whose moved word is known."""
    found = []
    for word in words:
        pitch, _, ticks = word.removeprefix("P").partition(":")
        other = f"P{int(pitch) + steps}:{ticks}" if word.startswith("P") else word
        found.append(other if other in vocabulary else word)
    return tuple(found)


def lessons(folder: Path, count: int = 40) -> list[Lesson]:
    """Return pairs of pieces of the same conditions, the lower one first."""
    made = pieces(folder, count)
    pairs = [sorted(made[start : start + 2], key=lambda one: -one[1]) for start in range(0, count, 2)]
    return [Lesson(f"order {number // 2}", low[0], high[0], 1.0) for number, (low, high) in enumerate(pairs)]
