"""What turns a description of music into sound: the models of others, behind one small protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from core.music.moods import Mood, MusicBrief, mood_of
from workers.models.music.master import RATE, Audio

# (frames, channels), each row of a batch at the rate of its model.
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Wish:
    """What pieces of one pass have in common; tempo, key and meter only for models that are told them apart."""

    seconds: float
    bpm: int | None = None
    key: str | None = None
    meter: str | None = None


class Recorder(Protocol):
    """One loaded model of sound. The same prompt and seed give the same sound, whatever stands beside them."""

    version: str
    device: str
    # Frames a second of what it returns.
    rate: int
    # Why its pieces must not be used in advertisements; empty when nothing is known against that.
    licence_warning: str

    def wish_of(self, brief: MusicBrief, seconds: float) -> Wish:
        """Return what a brief asks for, as far as this model takes it; raises ImpossibleWorkError."""
        ...

    def record(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        """Return the sound of each prompt, at least as long as wished; raises what torch raises."""
        ...


def prompt_of(brief: MusicBrief) -> str:
    """Return what is wanted in words, as captions of music have it."""
    mood: Mood = mood_of(brief)
    told = [f"{brief.mood} instrumental {mood.manner} music", f"{mood.bpm} bpm", f"{mood.meter} time"]
    told.append(f"in {brief.key}" if brief.key else f"{mood.mode} key")
    told.append(("", "very calm", "calm", "moderate", "lively", "very energetic")[mood.energy])
    if brief.instruments:
        told.append(f"with {', '.join(brief.instruments)}")
    if brief.is_loop:
        told.append("seamless loop")
    return ", ".join(told)


def as_stereo(sound: Sound, rate: int) -> Audio:
    """Return a sound as two channels at the rate of all recordings here."""
    pair = sound if sound.shape[1] == 2 else np.repeat(sound[:, :1], 2, axis=1)
    if rate == RATE:
        return np.ascontiguousarray(pair)
    divisor = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(pair, RATE // divisor, rate // divisor, axis=0), dtype=np.float32)


def joined_ends(audio: Audio, seconds: float, over_seconds: float) -> Audio:
    """Return so many seconds that can be played round and round: what comes after the end is blended over the start."""
    frames, over = round(seconds * RATE), round(over_seconds * RATE)
    rise = np.linspace(0, 1, over, dtype=np.float32)[:, None]
    looped = audio[:frames].copy()
    rest = audio[frames : frames + over]
    looped[: len(rest)] = looped[: len(rest)] * rise[: len(rest)] + rest * (1 - rise[: len(rest)])
    return looped
