"""The band: it plays what the lead sheet says, in key and in time, with an end or without one."""

import pytest

from core.errors import ImpossibleWorkError, UnknownIdError
from core.music.forms import Form, form_for
from core.music.instruments import INSTRUMENTS
from core.music.moods import MOODS, TEMPI, MusicBrief, key_of, mood_of, steps_to_key
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


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("seconds", [5, 8, 15, 30, 60])
@pytest.mark.parametrize("is_loop", [False, True])
def test_a_form_fills_the_seconds_exactly_at_a_tempo_of_its_manner(mood: str, seconds: int, is_loop: object):
    chosen = mood_of(MusicBrief(mood, seconds))

    form = form_for(chosen, seconds, is_loop=bool(is_loop))

    meter = METERS[chosen.meter]
    length = form.bars * meter.bar / meter.beat * 60 / form.bpm + form.tail_seconds
    assert length == pytest.approx(seconds)
    assert 0.6 * TEMPI[chosen.manner][0] < form.bpm < 1.4 * TEMPI[chosen.manner][1]


@pytest.mark.parametrize("seconds", [4.9, 61])
def test_music_that_is_too_short_or_too_long_is_refused(seconds: float):
    with pytest.raises(ImpossibleWorkError, match="5"):
        form_for(MOODS["calm"], seconds)


def test_what_the_brief_says_goes_before_the_mood():
    mood = mood_of(MusicBrief("upbeat", 20, energy=2, bpm=100, meter="3/4", key="F# minor"))

    assert (mood.mode, mood.meter, mood.style, mood.energy, mood.bpm) == ("minor", "3/4", "waltz", 2, 100)


@pytest.mark.parametrize(("key", "tonic", "mode"), [("D", 2, None), ("Bb dorian", 10, "dorian"), ("c# m", 1, "minor")])
def test_keys_are_read_as_people_write_them(key: str, tonic: int, mode: str | None):
    assert key_of(key) == (tonic, mode)


@pytest.mark.parametrize("brief", [MusicBrief("furious", 10), MusicBrief("calm", 10, key="H")])
def test_an_unknown_mood_or_key_is_refused(brief: MusicBrief):
    with pytest.raises(UnknownIdError, match=r"furious|'H'"):
        mood_of(brief)


def test_a_piece_is_moved_the_shorter_way():
    assert [steps_to_key(tonic, "major") for tonic in (0, 5, 7, 11)] == [0, 5, -5, -1]
    assert steps_to_key(9, "minor") == 0
