"""The last hand on a recording: exact length, fades, loudness as broadcasters measure it, and no peak too high.

A recording is (frames, 2) in float32, 48000 frames a second.
"""

import warnings

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.signal import resample_poly

RATE = 48_000
LOUDNESS_LUFS = -14.0
# A little less than -1 dB, since encoders add some.
CEILING_DBTP = -1.3
OVERSAMPLING = 4
LOOK_AHEAD_SECONDS = 0.005
FADE_IN_SECONDS = 0.008
# Limiting takes loudness away: so often it is given back.
ROUNDS = 5
CLOSE_ENOUGH_LU = 0.05
SILENT_LUFS = -70.0

Audio = NDArray[np.float32]


def master(audio: Audio, seconds: float, fade_seconds: float, *, loudness: float = LOUDNESS_LUFS) -> Audio:
    """Return exactly so many seconds at a loudness; without a fade (0) both ends stay as they are, as in a loop."""
    frames = round(seconds * RATE)
    cut = np.zeros((frames, 2), dtype=np.float32)
    cut[: min(frames, len(audio))] = audio[:frames]
    if fade_seconds:
        cut *= _fades(frames, fade_seconds)[:, None]
    return _loud(cut, loudness)


def _fades(frames: int, fade_seconds: float) -> Audio:
    gains = np.ones(frames, dtype=np.float32)
    rise, fall = round(FADE_IN_SECONDS * RATE), min(frames, round(fade_seconds * RATE))
    gains[:rise] = np.linspace(0, 1, rise)
    gains[frames - fall :] *= 0.5 * (1 + np.cos(np.linspace(0, np.pi, fall)))
    return gains


def _loud(audio: Audio, wanted: float) -> Audio:
    peaks = _peaks(audio)
    gain = 1.0
    result = audio
    for _ in range(ROUNDS):
        now = loudness_of(result)
        if now < SILENT_LUFS or abs(now - wanted) < CLOSE_ENOUGH_LU:
            break
        gain *= 10 ** ((wanted - now) / 20)
        result = (audio * (gain * _limiter(peaks * gain))[:, None]).astype(np.float32)
    return result


def _peaks(audio: Audio) -> Audio:
    """Return the highest peak around each frame, those between samples among them."""
    between = np.abs(resample_poly(audio, OVERSAMPLING, 1, axis=0)).max(1)
    peaks: Audio = between.reshape(-1, OVERSAMPLING).max(1)
    return peaks


def _limiter(peaks: Audio) -> Audio:
    """Return gains that keep peaks under the ceiling; they change smoothly, and begin before the peak."""
    ceiling = 10 ** (CEILING_DBTP / 20)
    window = round(LOOK_AHEAD_SECONDS * RATE)
    needed = np.minimum(1, ceiling / np.maximum(peaks, 1e-9))
    # The smoothing reaches two windows far, as far as the minimum: no gain is higher than needed.
    gains: Audio = gaussian_filter1d(minimum_filter1d(needed, 4 * window + 1), window / 2)
    return gains


def loudness_of(audio: Audio) -> float:
    """Return the integrated loudness in LUFS (ITU-R BS.1770)."""
    # Silence has no loudness: the library says so by a warning and minus infinity.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(pyloudnorm.Meter(RATE).integrated_loudness(audio))


def true_peak_db(audio: Audio) -> float:
    """Return the highest peak between samples, in dB of full scale."""
    peak = np.abs(resample_poly(audio, OVERSAMPLING, 1, axis=0)).max(initial=0)
    return float(20 * np.log10(max(float(peak), 1e-9)))
