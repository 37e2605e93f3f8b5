"""Checks on recordings: each fault is found by its own check, and sound music fails none."""

from collections.abc import Sequence

import numpy as np
import pytest

from workers.models.music.checks import (
    clipped_frames,
    failures,
    key_fit,
    likeness,
    longest_silence_seconds,
    repetition,
)
from workers.models.music.master import RATE, Audio, master

C_MAJOR = (0, "major")
TUNE = (60, 64, 67, 72, 71, 67, 65, 62)
BAR_SECONDS = 1.0


def played(pitches: Sequence[int]) -> Audio:
    """Return half a second of each pitch, as finished music."""
    times = np.arange(RATE // 2) / RATE
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * times) for pitch in pitches]
    mono = 0.3 * np.concatenate(tones)
    return master(np.stack([mono, mono], 1).astype(np.float32), len(pitches) / 2, 0.3)


def found(audio: Audio, seconds: float = len(TUNE) / 2, others: Sequence[Audio] = ()) -> list[str]:
    return failures(audio, seconds, C_MAJOR, BAR_SECONDS, others)


def test_sound_music_fails_no_check():
    assert found(played(TUNE)) == []


def test_a_wrong_length_is_found():
    assert found(played(TUNE)[:-1]) == ["duration"]


def test_a_hole_is_found():
    audio = played(TUNE)
    audio[RATE : 2 * RATE] = 0

    assert longest_silence_seconds(audio) == pytest.approx(1.0)
    assert "silence" in found(audio)


def test_clipping_and_high_peaks_are_found():
    loud = np.clip(played(TUNE) * 20, -1, 1)

    assert clipped_frames(loud) > 100
    assert {"clipping", "peak", "loudness"} <= set(found(loud))


def test_a_wrong_key_is_found():
    audio = played(TUNE)

    assert key_fit(audio, *C_MAJOR) > 0.95
    assert key_fit(audio, 6, "major") < 0.5


def test_minor_may_raise_its_seventh():
    assert key_fit(played((69, 71, 72, 74, 76, 80, 81, 69)), 9, "minor") > 0.95


def test_bars_that_come_again_are_counted():
    assert repetition(played(TUNE), BAR_SECONDS) == 0
    assert repetition(played((60, 64) * 4), BAR_SECONDS) == pytest.approx(0.75)
    assert "repetition" in found(played((60, 64) * 4))


def test_a_near_duplicate_is_found_at_any_loudness():
    audio, other = played(TUNE), played(TUNE[::-1])

    assert likeness(audio, audio * np.float32(0.5)) == pytest.approx(1.0)
    assert likeness(audio, other) < 0.7
    assert found(audio, others=[other, audio]) == ["near_duplicate"]
