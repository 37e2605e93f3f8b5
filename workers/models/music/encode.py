"""A recording as a file: WAV for editors, MP3 and Opus for delivery. All keep every frame."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from numpy.typing import NDArray

from workers.models.music.master import RATE, Audio

# (frames, 2), as WAV holds them.
Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Format:
    """A file format, its media type, and what libsndfile calls it."""

    suffix: str
    content_type: str
    container: str
    codec: str


FORMATS = {
    one.suffix: one
    for one in (
        Format("wav", "audio/wav", "WAV", "PCM_16"),
        Format("mp3", "audio/mpeg", "MP3", "MPEG_LAYER_III"),
        Format("ogg", "audio/ogg", "OGG", "OPUS"),
    )
}


@dataclass(frozen=True)
class Tags:
    """What players show of a file."""

    title: str
    artist: str
    comment: str


def encoded(audio: Audio | Samples, suffix: str, tags: Tags | None = None) -> bytes:
    """Return a recording (frames, 2) in the format of a suffix: `wav`, `mp3` or `ogg`."""
    chosen = FORMATS[suffix]
    data = io.BytesIO()
    with soundfile.SoundFile(data, "w", RATE, audio.shape[1], subtype=chosen.codec, format=chosen.container) as file:
        if tags:
            file.title, file.artist, file.comment = tags.title, tags.artist, tags.comment
        file.write(audio)
    return data.getvalue()


def samples_of(data: bytes) -> Samples:
    """Return the very numbers of a WAV that was written here: written again, they are the same bytes."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    assert rate == RATE
    return np.asarray(samples, dtype=np.int16)


def decoded(data: bytes) -> Audio:
    """Return the recording of a file that was written here; raises soundfile.LibsndfileError for anything else."""
    audio, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert rate == RATE
    return np.asarray(audio, dtype=np.float32)
