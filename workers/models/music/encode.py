"""A recording as a file: WAV for editors, MP3 and Opus for delivery. All keep every frame."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile

from workers.models.music.master import RATE, Audio


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


def encoded(audio: Audio, suffix: str) -> bytes:
    """Return a recording in the format of a suffix: `wav`, `mp3` or `ogg`."""
    chosen = FORMATS[suffix]
    data = io.BytesIO()
    soundfile.write(data, audio, RATE, format=chosen.container, subtype=chosen.codec)
    return data.getvalue()


def decoded(data: bytes) -> Audio:
    """Return the recording of a file that was written here; raises soundfile.LibsndfileError for anything else."""
    audio, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    assert rate == RATE
    return np.asarray(audio, dtype=np.float32)
