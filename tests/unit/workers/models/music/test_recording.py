"""The recording: exact, as loud as it must be, without peaks, in every format. The sound font is the real one."""

import io

import mido
import numpy as np
import pytest
from PIL import Image

from core.music.forms import Form
from core.music.pieces import Piece
from workers.models.music.arrange import Playing, arrange
from workers.models.music.encode import FORMATS, decoded, encoded
from workers.models.music.master import RATE, Audio, loudness_of, master, true_peak_db
from workers.models.music.midi import Score, midi_bytes
from workers.models.music.picture import picture_of
from workers.models.music.render import loop_of, recording_of
from workers.models.music.soundfont import sound_font

SECONDS = 6.0


@pytest.fixture
def score(piece: Piece) -> Score:
    return arrange(piece, Form(4, 4, 192, 1.0), Playing("pop", 2, 3, 1))


@pytest.fixture(scope="module")
def recording() -> Audio:
    """Return a tone with clicks, as loud as a bad mix."""
    chance = np.random.default_rng(1)
    times = np.arange(round(SECONDS * RATE)) / RATE
    tone = 0.1 * np.sin(2 * np.pi * 440 * times)
    tone[chance.integers(0, len(tone), 30)] = 0.9
    return master(np.stack([tone, tone], 1).astype(np.float32), SECONDS, 0.5)


def test_a_score_becomes_a_recording_of_exact_length_at_the_wanted_loudness(score: Score):
    audio = recording_of(score, SECONDS)

    assert audio.shape == (round(SECONDS * RATE), 2)
    assert loudness_of(audio) == pytest.approx(-14, abs=0.3)
    assert true_peak_db(audio) < -1
    # It rings on in its last second, and ends in silence.
    assert np.abs(audio[-RATE // 2 :]).max() > 0.01
    assert np.abs(audio[-RATE // 100 :]).max() < 0.01


def test_a_loop_goes_on_where_it_began(piece: Piece):
    score = arrange(piece, Form(4, 4, 192, 0.0), Playing("ambient", 2, 3, 1, is_loop=True))

    audio = loop_of(score)

    assert len(audio) == 5 * RATE
    jump = np.abs(audio[0] - audio[-1]).max()
    assert jump < 4 * np.abs(np.diff(audio, axis=0)).max()
    assert np.abs(audio[: RATE // 10]).max() > 0.01


def test_the_last_hand_keeps_peaks_under_one_decibel(recording: Audio):
    assert true_peak_db(recording) < -1
    assert loudness_of(recording) == pytest.approx(-14, abs=0.3)


def test_silence_stays_silent():
    assert not master(np.zeros((RATE, 2), dtype=np.float32), 1.0, 0.1).any()


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_keeps_every_frame(suffix: str, recording: Audio):
    again = decoded(encoded(recording, suffix))

    assert len(again) == len(recording)
    assert loudness_of(again) == pytest.approx(-14, abs=0.5)


def test_the_sound_font_is_expanded_to_plain_samples():
    data = sound_font()

    assert data[:4] == b"RIFF"
    assert len(data) > 30_000_000


def test_the_midi_file_has_a_track_for_each_part_and_drums_on_their_channel(score: Score):
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(score)))

    names = [track.name for track in file.tracks[1:]]
    channels = {message.channel for message in file.tracks[-1] if message.type == "note_on"}
    assert names == [track.name for track in score.tracks]
    assert channels == {9}


def test_the_picture_shows_notes_and_wave(score: Score, recording: Audio):
    image = Image.open(io.BytesIO(picture_of(score, recording)))

    colours = image.convert("RGB").getcolors(maxcolors=100_000)
    assert image.size == (960, 380)
    assert len(colours or []) > 20
