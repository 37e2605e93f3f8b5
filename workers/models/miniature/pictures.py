"""The artwork that the miniature learns from: fetched once from the npm registry, checked, and kept as one tensor.

A picture is (4, 128, 128), red green blue alpha in 0..255. The colours are matted on white, so that dropping the alpha
leaves the subject on white.
"""

import base64
import hashlib
import io
import json
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from core.errors import PermanentError, TransientError

SIZE = 128
FETCH_SECONDS = 120
# Variants of one picture: skin tones, and men and women of the same figure. Flags and keycaps are no subjects of ads.
VARIANTS = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff", "2640", "2642", "20e3"}
FLAG_LETTERS = range(0x1F1E6, 0x1F200)
# Every so many pictures one is never shown to the autoencoder, to measure it honestly.
HELD_OUT_EVERY = 25


@dataclass(frozen=True)
class Source:
    """A package of the npm registry, pinned by what it contains."""

    url: str
    integrity: str


FLUENT_3D = Source(
    url="https://registry.npmjs.org/@lobehub/fluent-emoji-3d/-/fluent-emoji-3d-1.1.0.tgz",
    integrity="sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
)


@dataclass(frozen=True)
class Pictures:
    """All pictures with the code point of each."""

    codes: tuple[str, ...]
    pixels: torch.Tensor

    def position(self, code: str) -> int:
        """Return where the picture of a code point stands."""
        return self.codes.index(code)

    def split(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the positions that the autoencoder may see, and those that it never sees."""
        positions = torch.arange(len(self.codes))
        held_out = positions % HELD_OUT_EVERY == 0
        return positions[~held_out], positions[held_out]


def pictures(cache: Path) -> Pictures:
    """Return the pictures; fetch and convert them if the cache has none."""
    path = cache / "pictures.safetensors"
    if not path.is_file():
        _convert(fetch(FLUENT_3D, cache), path)
    with safe_open(path, framework="pt") as file:
        codes = json.loads(file.metadata()["codes"])
        return Pictures(codes=tuple(codes), pixels=file.get_tensor("pixels"))


def fetch(source: Source, folder: Path) -> Path:
    """Return the archive of a source below `folder`; download it if it is not there or was damaged."""
    path = folder / source.url.rpartition("/")[2]
    if not (path.is_file() and _integrity(path.read_bytes()) == source.integrity):
        data = _download(source.url, path)
        if _integrity(data) != source.integrity:
            raise PermanentError(f"{source.url} is not the file we know (its sha512 differs): nothing was kept of it")
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(data)
        draft.replace(path)
    return path


def _download(url: str, path: Path) -> bytes:
    try:
        # The address is one of our constants, never what somebody typed.
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        raise TransientError(
            f"cannot fetch {url} ({error}): check the network, or fetch it elsewhere and put it at {path}"
        ) from error


def _integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def _convert(archive: Path, path: Path) -> None:
    found = dict(_members(archive))
    codes = sorted(found)
    pixels = torch.from_numpy(np.stack([matte(Image.open(io.BytesIO(found[code]))) for code in codes]))
    draft = path.with_suffix(f".{os.getpid()}.draft")
    save_file({"pixels": pixels}, draft, metadata={"codes": json.dumps(codes)})
    draft.replace(path)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield code point and WebP of each picture that is a subject of its own."""
    with tarfile.open(archive) as tar:
        for member in tar:
            stem, dot, suffix = member.name.rpartition("/")[2].rpartition(".")
            # fe0f only says that a sign is to be shown as a picture.
            parts = [part.lstrip("0") for part in stem.lower().split("-") if part != "fe0f"]
            is_subject = (
                suffix == "webp"
                and not VARIANTS.intersection(parts)
                and not any(int(part, 16) in FLAG_LETTERS for part in parts)
            )
            file = tar.extractfile(member) if dot and is_subject else None
            if file is not None:
                yield "-".join(parts), file.read()


def matte(image: Image.Image) -> NDArray[np.uint8]:
    """Return a square image as (4, 128, 128) bytes, its colours laid on white."""
    values = np.asarray(image.convert("RGBA"), dtype=np.float32) / 255
    # Colours are weighed by alpha before the resize: what is invisible must not bleed in.
    values[..., :3] *= values[..., 3:]
    channels = [
        np.asarray(Image.fromarray(np.ascontiguousarray(values[..., i])).resize((SIZE, SIZE), Image.Resampling.LANCZOS))
        for i in range(4)
    ]
    alpha = np.clip(channels[3], 0, 1)
    colours = [np.clip(channel, 0, 1) + 1 - alpha for channel in channels[:3]]
    pixels: NDArray[np.uint8] = (np.clip(np.stack([*colours, alpha]), 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels
