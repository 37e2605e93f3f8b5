"""The band: it plays what the lead sheet says, in key and in time, with an end or without one."""

import pytest

from core.errors import UnknownIdError
from core.music.forms import Form
from core.music.instruments import INSTRUMENTS
from core.music.pieces import METERS, SCALE, Piece
from workers.models.music.arrange import Playing, arrange, voicing
from workers.models.music.midi import TICKS, Score, midi_bytes
from workers.models.music.patterns import DRUM_PATTERNS, MANNERS

FORM = Form(written=4, bars=8, bpm=100, tail_seconds=1.2)
WITH_DRUMS = Playing("pop", steps=2, energy=3, seed=1)


def pitches(score: Score, name: str) -> set[int]:
    return {strike.pitch for track in score.tracks if track.name == name for strike in track.strikes}


@pytest.mark.parametrize("manner", MANNERS)
def test_every_manner_plays_melody_chords_and_bass_in_key(manner: str, piece: Piece):
    score = arrange(piece, FORM, Playing(manner, steps=2, energy=3, seed=1))

    played = set().union(*(pitches(score, name) for name in ("lead", "chords", "bass", "pad")))
    assert {"lead", "chords", "bass"} <= {track.name for track in score.tracks}
    assert {(pitch - 2) % 12 for pitch in played} <= SCALE


def test_the_same_seed_plays_the_same_bytes_and_another_one_does_not(piece: Piece):
    first, again, other = (midi_bytes(arrange(piece, FORM, Playing("pop", 2, 3, seed))) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_the_piece_is_played_twice_and_its_last_chord_rings_into_the_tail(piece: Piece):
    score = arrange(piece, FORM, WITH_DRUMS)

    assert score.ticks == 8 * 96 * TICKS
    end = max(strike.start + strike.ticks for track in score.tracks for strike in track.strikes)
    assert score.seconds(end) == pytest.approx(8 * 4 * 60 / 100 + 1.2, abs=0.01)


def test_in_a_loop_nothing_rings_and_the_drums_play_from_the_first_bar_to_the_last(piece: Piece):
    form = Form(4, 8, 100, 0.0)

    score = arrange(piece, form, Playing("pop", 2, 3, 1, is_loop=True))

    assert max(strike.start + strike.ticks for track in score.tracks for strike in track.strikes) <= score.ticks
    drums = next(track for track in score.tracks if track.is_drums)
    bars = {strike.start // (96 * TICKS) for strike in drums.strikes}
    assert bars == set(range(8))


def test_only_wished_instruments_play_beside_the_bass(piece: Piece):
    score = arrange(piece, FORM, Playing("pop", 0, 3, 1, instruments=("fiddle", "banjo", "cello")))

    programs = {track.name: track.program for track in score.tracks}
    assert programs == {
        "lead": INSTRUMENTS["fiddle"].program,
        "chords": INSTRUMENTS["banjo"].program,
        "bass": INSTRUMENTS["cello"].program,
    }


def test_an_unknown_instrument_is_named(piece: Piece):
    with pytest.raises(UnknownIdError, match="kazoo"):
        arrange(piece, FORM, Playing("pop", 0, 3, 1, instruments=("kazoo",)))


def test_a_busier_piece_is_louder(piece: Piece):
    calm, busy = (arrange(piece, FORM, Playing("pop", 0, energy, 1)) for energy in (1, 5))

    loudness = [sum(strike.velocity for strike in score.tracks[0].strikes) for score in (calm, busy)]
    assert loudness[0] < loudness[1]


def test_chords_move_to_the_nearest_voices():
    assert voicing("C", []) == [55, 60, 64]
    assert voicing("F", [60, 64, 67]) == [60, 65, 69]


@pytest.mark.parametrize(("name", "meter"), [(name, meter) for name in DRUM_PATTERNS for meter in METERS])
def test_every_drum_pattern_fills_its_bar(name: str, meter: str):
    assert {len(signs) for signs in DRUM_PATTERNS[name][meter].values()} == {METERS[meter].bar // 6}
