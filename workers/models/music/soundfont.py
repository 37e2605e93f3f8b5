"""The sound font: shipped with compressed samples (SoundFont 3), used with plain ones (SoundFont 2).

It is a selection of FluidR3Mono GM: 28 instruments and 3 drum kits. The renderer reads SoundFont 2 only; expanding
takes about a second and 39 MB of memory, once a process.
"""

import io
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

SHIPPED = Path(__file__).parent / "sound" / "FluidR3Mono_sub.sf3"
# Name, start, end, start and end of the loop, rate, pitch, correction, link, type; 46 bytes.
HEADER = struct.Struct("<20sIIIIIBbHH")
COMPRESSED = 0x10
# The format wants so much silence after each sample.
SILENCE_SAMPLES = 46

Chunk = tuple[bytes, bytes]


@cache
def sound_font(path: Path = SHIPPED) -> bytes:
    """Return the sound font as SoundFont 2."""
    return expanded(path.read_bytes())


def expanded(data: bytes) -> bytes:
    """Return a SoundFont 3 as SoundFont 2."""
    lists = {body[:4]: dict(_chunks(body[4:])) for name, body in _chunks(data[12:]) if name == b"LIST"}
    information, samples, presets = lists[b"INFO"], lists[b"sdta"], lists[b"pdta"]
    information[b"ifil"] = struct.pack("<HH", 2, 1)
    samples[b"smpl"], presets[b"shdr"] = _expand(samples[b"smpl"], presets[b"shdr"])
    body = b"sfbk"
    for name, chunks in ((b"INFO", information), (b"sdta", samples), (b"pdta", presets)):
        body += _chunk(b"LIST", name + b"".join(_chunk(key, value) for key, value in chunks.items()))
    return _chunk(b"RIFF", body)


def _expand(packed: bytes, headers: bytes) -> tuple[bytes, bytes]:
    """Return plain samples and their headers; positions in compressed ones count bytes, loops from their own start."""
    waves, written = [], []
    place = 0
    for name, start, end, loop_start, loop_end, *rest, kind in HEADER.iter_unpack(headers):
        if not kind & COMPRESSED:
            # The last header only ends the list.
            written.append(HEADER.pack(name, start, end, loop_start, loop_end, *rest, kind))
            continue
        wave, _ = soundfile.read(io.BytesIO(packed[start:end]), dtype="int16")
        places = (place, place + len(wave), place + loop_start, place + min(loop_end, len(wave)))
        written.append(HEADER.pack(name, *places, *rest, kind & ~COMPRESSED))
        waves += [wave, np.zeros(SILENCE_SAMPLES, dtype=np.int16)]
        place += len(wave) + SILENCE_SAMPLES
    return np.concatenate(waves).astype("<i2").tobytes(), b"".join(written)


def _chunks(data: bytes) -> Iterator[Chunk]:
    place = 0
    while place + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[place : place + 8])
        yield name, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
