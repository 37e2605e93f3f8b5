"""Originality: a copy is known, in any key, and an invention is not."""

import random

from core.music.pieces import Bar, Note, Piece
from workers.models.music.originality import Memory
from workers.models.music.tunes import Tune


def moved(bars: tuple[Bar, ...], steps: int) -> tuple[Bar, ...]:
    return tuple(
        bar._replace(notes=tuple(note._replace(pitch=note.pitch + steps) if note.pitch else note for note in bar.notes))
        for bar in bars
    )


def test_a_copy_in_another_key_is_a_near_copy(some_tunes: list[Tune]):
    tune = some_tunes[0]

    found = Memory(some_tunes).originality(Piece(tune.meter, tune.mode, tune.style, moved(tune.sections[0], 5)))

    assert found.is_near_copy
    assert (found.novelty, found.copied_notes) == (0.0, found.notes)


def test_notes_by_chance_are_no_copy(some_tunes: list[Tune]):
    chance = random.Random(1)
    notes = tuple(Note(chance.randint(60, 84), 12) for _ in range(40))

    found = Memory(some_tunes).originality(Piece("4/4", "major", "reel", (Bar(("C",), notes),)))

    assert (found.novelty, found.copied_notes, found.is_near_copy) == (1.0, 0, False)


def test_a_piece_of_few_notes_is_new(some_tunes: list[Tune]):
    found = Memory(some_tunes).originality(Piece("4/4", "major", "air", (Bar(("C",), (Note(72, 96),)),)))

    assert (found.novelty, found.notes) == (1.0, 1)
