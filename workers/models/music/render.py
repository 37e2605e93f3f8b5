"""From a score to a recording: the sound font plays it, then it is mastered."""

import io

import midirenderer
import numpy as np
import soundfile

from workers.models.music.master import RATE, Audio, master
from workers.models.music.midi import Score, midi_bytes
from workers.models.music.soundfont import sound_font

# What rings on after the end is played, then faded.
RING_SECONDS = 1.0
LEAST_FADE_SECONDS = 0.2


def recording_of(score: Score, seconds: float) -> Audio:
    """Return a finished recording of exactly so many seconds, which ends where the music does."""
    tail = max(LEAST_FADE_SECONDS, seconds - score.seconds(score.ticks))
    played = _played(midi_bytes(score, ring_seconds=tail + RING_SECONDS))
    return master(played, seconds, fade_seconds=tail)


def loop_of(score: Score) -> Audio:
    """Return a recording that can be played round and round: it begins with what rings on from its own end."""
    seconds = score.seconds(score.ticks)
    played = _played(midi_bytes(score, times=2, ring_seconds=RING_SECONDS))
    start = round(seconds * RATE)
    return master(played[start:], seconds, fade_seconds=0)


def _played(midi: bytes) -> Audio:
    wave = midirenderer.render_wave_from(sound_font(), midi)
    audio, rate = soundfile.read(io.BytesIO(wave), dtype="float32", always_2d=True)
    assert rate == RATE
    return np.asarray(audio, dtype=np.float32)
