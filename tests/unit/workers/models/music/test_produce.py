"""Producing: the best candidate is taken, a near-copy is written again, and nothing depends on its neighbours."""

import pytest

from core.music.moods import MusicBrief
from core.music.pieces import Bar, Note, Piece
from workers.models.music.compose import Composer
from workers.models.music.originality import Memory
from workers.models.music.produce import CANDIDATES, ROUNDS, chord_fit, merit, perform, scale_fit, write
from workers.models.music.tunes import Tune

BRIEFS = [MusicBrief("happy", 6), MusicBrief("calm", 8, key="D"), MusicBrief("lofi", 8, is_loop=True)]


@pytest.fixture(scope="module")
def memory(some_tunes: list[Tune]) -> Memory:
    return Memory(some_tunes)


def test_a_piece_of_a_batch_is_the_piece_that_is_made_alone(composer: Composer, memory: Memory):
    together = write(composer, memory, BRIEFS, [1, 2, 3])

    [alone] = write(composer, memory, BRIEFS[1:2], [2])

    assert alone == together[1]
    assert [one.rounds for one in together] == [1, 1, 1]


def test_near_copies_are_written_again_and_the_least_bad_one_is_told(composer: Composer, memory: Memory):
    [first] = write(composer, memory, BRIEFS[:1], [1])
    of_itself = Memory([Tune("test", "6/8", "major", "jig", (first.draft.piece.bars,))])

    [second] = write(composer, of_itself, BRIEFS[:1], [1])

    assert second.draft.words != first.draft.words
    assert not second.originality.is_near_copy


def test_what_stays_a_near_copy_says_so(composer: Composer, some_tunes: list[Tune]):
    class Copies:
        def write(self, orders: list[object]) -> list[object]:
            tune = next(one for one in some_tunes if one.meter == "6/8")
            drafts = composer.write(orders[:1])  # type: ignore[arg-type]
            copied = Piece(tune.meter, tune.mode, tune.style, tune.sections[0])
            return [type(drafts[0])(copied, drafts[0].words, 0.0)] * len(orders)

    [written] = write(Copies(), Memory(some_tunes), BRIEFS[:1], [1])  # type: ignore[arg-type]

    assert written.originality.is_near_copy
    assert written.rounds in range(1, ROUNDS + 1)
    assert CANDIDATES > 1


def test_a_finished_piece_has_the_key_and_length_that_were_asked_for(composer: Composer, memory: Memory):
    [written] = write(composer, memory, BRIEFS[1:2], [2])

    music = perform(written, BRIEFS[1], 2)

    assert music.tonic == 2
    assert len(music.audio) == 8 * 48_000


def test_notes_that_fit_chord_and_scale_are_measured_by_their_time(piece: Piece):
    sour = piece.bars[0]._replace(notes=(Note(73, 48), Note(72, 48)))
    half = Piece("4/4", "major", "march", (sour,))

    assert chord_fit(half) == scale_fit(half) == pytest.approx(0.5)
    assert merit(piece) > merit(half)


def test_a_melody_that_leaps_is_worth_less():
    steps, leaps = (
        Piece("4/4", "major", "air", (Bar(("C", "C"), tuple(Note(pitch, 24) for pitch in pitches)),))
        for pitches in ((72, 76, 79, 84), (72, 84, 67, 84))
    )

    assert merit(steps) > merit(leaps)
