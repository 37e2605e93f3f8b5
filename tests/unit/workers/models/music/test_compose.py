"""Composing: whole bars, an end at home, and the same piece whatever stands beside it. The network is untrained."""

import pytest

from core.music.pieces import METERS, MODES, Piece
from workers.models.music.compose import Composer, Order
from workers.models.music.tokens import Conditions

CONDITIONS = [
    Conditions("4/4", 4, "major", "reel", 4),
    Conditions("3/4", 6, "minor", "waltz", 1),
    Conditions("6/8", 4, "dorian", "jig", 3),
    Conditions("9/8", 5, "mixolydian", "slipjig"),
]
ORDERS = [Order(conditions, seed) for seed in (1, 2) for conditions in CONDITIONS]


@pytest.fixture(scope="module")
def pieces(composer: Composer) -> list[Piece]:
    return [draft.piece for draft in composer.write(ORDERS)]


def test_pieces_have_as_many_bars_as_were_asked_for_and_every_bar_is_full(pieces: list[Piece]):
    assert [len(piece.bars) for piece in pieces] == [order.conditions.bars for order in ORDERS]
    for piece in pieces:
        meter = METERS[piece.meter]
        assert {sum(note.ticks for note in bar.notes) for bar in piece.bars} == {meter.bar}
        assert {len(bar.chords) for bar in piece.bars} == {meter.chords}


def test_pieces_end_on_the_chord_of_their_tonic(pieces: list[Piece]):
    for piece in pieces:
        mode = MODES[piece.mode]
        assert piece.bars[-1].chords[-1] == mode.tonic
        assert (piece.melody[-1].pitch or 0) % 12 in mode.triad


def test_nothing_is_held_from_before_the_beginning(pieces: list[Piece]):
    assert not any(note.is_held for piece in pieces for note in piece.bars[0].notes)


def test_a_piece_does_not_depend_on_what_stands_beside_it(composer: Composer):
    together = composer.write(ORDERS)

    alone = [composer.write([order])[0] for order in ORDERS[:3]]
    backwards = composer.write(ORDERS[::-1])[::-1]

    assert [draft.words for draft in alone] == [draft.words for draft in together[:3]]
    assert [draft.words for draft in backwards] == [draft.words for draft in together]


def test_another_seed_writes_another_piece(pieces: list[Piece]):
    assert pieces[0] != pieces[len(CONDITIONS)]
