"""What can be wrong with a recording: each function measures one thing, `failures` names what is not good enough."""

import hashlib
from collections.abc import Collection, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from core.music.moods import steps_to_key
from core.music.pieces import SCALE
from workers.models.music.master import RATE, Audio, loudness_of, true_peak_db

# Pitches, 16 times a second's quarter: long enough to tell low notes apart.
WINDOW = 8192
LOWEST_HERTZ, HIGHEST_HERTZ = 110.0, 2000.0
A4_HERTZ, A4_PITCH = 440.0, 69
SILENCE_DB = -50.0
SILENCE_WINDOW_SECONDS = 0.1
FULL_SCALE = 0.999
# What is allowed.
MOST_SILENT_SECONDS = 0.8
MOST_OFF_LUFS = 0.5
LOUDNESS_LUFS = -14.0
HIGHEST_TRUE_PEAK_DB = -1.0
LEAST_KEY_FIT = 0.8
MOST_REPETITION = 0.6
MOST_ALIKE = 0.985
# A fingerprint has 64 bits, of the pitches in each of so many parts of a recording.
PARTS, BITS, MOST_BITS = 16, 64, 6

# What a recording is judged by when it stands alone; key and bars only where they are known.
ALWAYS = ("duration", "silence", "clipping", "peak", "loudness")
WHERE_KNOWN = ("key", "repetition")

Profile = NDArray[np.float64]


def longest_silence_seconds(audio: Audio) -> float:
    """Return the longest stretch that nobody hears; what fades at the end is no silence before the last window."""
    size = round(SILENCE_WINDOW_SECONDS * RATE)
    windows = audio[: len(audio) // size * size].reshape(-1, size * 2)
    is_silent = np.sqrt((windows**2).mean(1)) < 10 ** (SILENCE_DB / 20)
    longest = current = 0
    for silent in is_silent.tolist():
        current = current + 1 if silent else 0
        longest = max(longest, current)
    return longest * SILENCE_WINDOW_SECONDS


def clipped_frames(audio: Audio) -> int:
    """Return how many frames stand at full scale, two or more in a row."""
    is_full = np.abs(audio).max(1) >= FULL_SCALE
    return int((is_full[1:] & is_full[:-1]).sum())


def pitch_classes(audio: Audio) -> Profile:
    """Return how strong each pitch class is, window by window (T, 12); each window sums to 1, or is all nothing."""
    mono = audio.mean(1)
    count = max(1, len(mono) // WINDOW)
    padded = np.pad(mono, (0, max(0, count * WINDOW - len(mono))))[: count * WINDOW]
    spectra = np.abs(np.fft.rfft(padded.reshape(count, WINDOW) * np.hanning(WINDOW)))
    hertz = np.fft.rfftfreq(WINDOW, 1 / RATE)
    is_used = (hertz >= LOWEST_HERTZ) & (hertz <= HIGHEST_HERTZ)
    pitches = np.round(A4_PITCH + 12 * np.log2(hertz[is_used] / A4_HERTZ)).astype(int) % 12
    strengths = np.zeros((count, 12))
    for pitch_class in range(12):
        strengths[:, pitch_class] = (spectra[:, is_used][:, pitches == pitch_class] ** 2).sum(1)
    totals = strengths.sum(1, keepdims=True)
    result: Profile = strengths / np.where(totals > 1e-6, totals, np.inf)
    return result


def key_fit(audio: Audio, tonic: int, mode: str) -> float:
    """Return the part of what sounds that belongs to the scale; in minor also its raised sixth and seventh."""
    steps = steps_to_key(tonic, mode)
    scale = SCALE | ({6, 8} if mode == "minor" else set())
    profile = pitch_classes(audio).sum(0)
    fitting = sum(profile[(pitch_class + steps) % 12] for pitch_class in scale)
    return float(fitting / max(profile.sum(), 1e-9))


def repetition(audio: Audio, bar_seconds: float) -> float:
    """Return the part of bars that sound exactly like an earlier one."""
    bars = int(len(audio) / RATE / bar_seconds)
    profiles = [
        pitch_classes(audio[round(start * bar_seconds * RATE) :][: round(bar_seconds * RATE)]).ravel()
        for start in range(bars)
    ]
    shortest = min((len(profile) for profile in profiles), default=0)
    again = sum(
        any(_cosine(profile[:shortest], other[:shortest]) > MOST_ALIKE for other in profiles[:i])
        for i, profile in enumerate(profiles)
    )
    return again / max(1, bars)


def likeness(first: Audio, second: Audio) -> float:
    """Return how much alike two recordings are, 0 to 1, by their pitches over time, whatever their loudness."""
    profiles = pitch_classes(first), pitch_classes(second)
    shortest = min(len(profile) for profile in profiles)
    return _cosine(profiles[0][:shortest].ravel(), profiles[1][:shortest].ravel())


def fingerprint(audio: Audio) -> str:
    """Return a hash of 16 hex digits of a recording's pitches over time: few of its 64 bits change with the format.

    Time counts in parts of the whole, so a piece and the same one a little faster are alike.
    """
    parts = np.array_split(pitch_classes(audio), PARTS)
    # What all parts have in common is the key, and most pieces have one of a few.
    profile = np.stack([part.mean(0) if len(part) else np.zeros(12) for part in parts])
    profile -= profile.mean(0)
    return np.packbits(_directions() @ profile.ravel() > 0).tobytes().hex()


def is_alike(fingerprint: str, others: Collection[str], most_bits: int = MOST_BITS) -> bool:
    """Tell whether a listener would take a recording for one of the others."""
    return any((int(fingerprint, 16) ^ int(other, 16)).bit_count() <= most_bits for other in others)


@cache
def _directions() -> Profile:
    """Return 64 fixed directions in the space of all profiles: pieces that lie close fall on the same sides."""
    count = PARTS * 12
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"pitches").digest(BITS * count // 8), dtype=np.uint8))
    return (bits.reshape(BITS, count) * 2.0 - 1).astype(np.float64)


def _cosine(first: Profile, second: Profile) -> float:
    lengths = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return float(first @ second) / max(lengths, 1e-9)


def known_of(recipe: Mapping[str, JsonValue]) -> tuple[tuple[int, str] | None, float | None]:
    """Return the key of a recording and the seconds of its bars, as far as its recipe says them."""
    tonic, mode, bar_seconds = recipe.get("tonic"), recipe.get("mode"), recipe.get("bar_seconds")
    key = (tonic, mode) if isinstance(tonic, int) and isinstance(mode, str) else None
    return key, bar_seconds if isinstance(bar_seconds, float) else None


def failures(
    audio: Audio,
    seconds: float,
    key: tuple[int, str] | None,
    bar_seconds: float | None,
    others: Collection[Audio] = (),
) -> list[str]:
    """Return the names of all checks that a recording fails; without a key or bars, nothing is asked about them."""
    failed = {
        "duration": len(audio) != round(seconds * RATE),
        "silence": longest_silence_seconds(audio) > MOST_SILENT_SECONDS,
        "clipping": clipped_frames(audio) > 0,
        "peak": true_peak_db(audio) > HIGHEST_TRUE_PEAK_DB,
        "loudness": abs(loudness_of(audio) - LOUDNESS_LUFS) > MOST_OFF_LUFS,
        "key": key is not None and key_fit(audio, *key) < LEAST_KEY_FIT,
        "repetition": bar_seconds is not None and repetition(audio, bar_seconds) > MOST_REPETITION,
        "near_duplicate": any(likeness(audio, other) > MOST_ALIKE for other in others),
    }
    return [name for name, is_failed in failed.items() if is_failed]
