"""Is this picture fit to be published: its size, whether there is something on it, blur, noise, unsafe content.

And its likeness, by which near-duplicates are found. Light is measured in 0..255, on a subject as it would stand out.
"""

import hashlib
from collections.abc import Collection
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.assets import Check
from workers.checks.safety import SafetyChecker

Values = NDArray[np.floating[Any]]

UNSAFE = "unsafe"

# The size in which light is measured: the longer side, in pixels.
SIDE = 512
LEAST_DEVIATION = 8.0
LEAST_DETAIL = 20.0
LEAST_PART = 0.005
# Noise is as fine as the pixels of the model that made it, whatever size the picture has now.
NOISE_SIDES = (512, 256, 128, 64)
# In white noise the detail is twenty times the variance, in pictures rarely more than twice.
MOST_DETAIL_OF_VARIANCE = 8.0
LEAST_DETAIL_OF_NOISE = 1000.0
# A likeness is 64 bits, of the 8 x 8 slowest waves in the light, the outline and the two colours.
LIKENESS_SIDE = 32
WAVES = 8
BITS = 64
# A picture of one colour has no waves but what rounding leaves.
LEAST_WAVE = 1e-3
MOST_BITS = 6


def check(image: Image.Image, width: int, height: int, safety: SafetyChecker | None = None) -> tuple[Check, ...]:
    """Judge one finished picture by every rule; the detail of a failed check says what was found.

    Without a safety checker nothing unsafe is looked for, and no such check is listed as passed.
    """
    problems = {
        "size": wrong_size(image, width, height),
        "blank": blank(image),
        "blurred": blurred(image),
        "noise": noise(image),
    }
    if safety:
        problems[UNSAFE] = safety.unsafe(image)
    return tuple(Check(name=name, passed=not problem, detail=problem) for name, problem in problems.items())


def wrong_size(image: Image.Image, width: int, height: int) -> str:
    """Refuse what is not exactly of the size that its place takes."""
    is_right = image.size == (width, height)
    return "" if is_right else f"{image.width} x {image.height} pixels, {width} x {height} wanted"


def blank(image: Image.Image) -> str:
    """Refuse a picture on which there is nothing, or next to nothing."""
    if _part_shown(image) < LEAST_PART:
        return "nothing is to be seen"
    deviation = float(_light(image, SIDE)[0].std())
    return f"all of one light, deviation {deviation:.1f}" if deviation < LEAST_DEVIATION else ""


def blurred(image: Image.Image) -> str:
    """Refuse a picture without any sharp edge."""
    light, _ = _light(image, SIDE)
    detail = float(_bends(light).var())
    return f"no sharp edge, detail {detail:.1f}" if detail < LEAST_DETAIL else ""


def noise(image: Image.Image) -> str:
    """Refuse a picture in which neighbouring pixels have nothing to do with each other, at any scale."""
    for side in NOISE_SIDES:
        light, is_inside = _light(image, side)
        # Pixels whose neighbours all belong to the subject: its outline is as sharp as noise.
        near = (is_inside[1:-1, :-2], is_inside[1:-1, 2:], is_inside[:-2, 1:-1], is_inside[2:, 1:-1])
        inner = np.logical_and.reduce(near)
        if inner.sum() < side:
            continue
        detail, variance = float(_bends(light)[inner].var()), float(light[1:-1, 1:-1][inner].var())
        if detail > max(LEAST_DETAIL_OF_NOISE, MOST_DETAIL_OF_VARIANCE * variance):
            return f"noise at {side} pixels, detail {detail:.0f} at variance {variance:.0f}"
    return ""


def likeness(image: Image.Image) -> str:
    """Return a hash of 16 hex digits of what the picture looks like: few of its 64 bits change with size or format."""
    small = image.convert("RGBA").resize((LIKENESS_SIDE, LIKENESS_SIDE), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32) / 255
    red, green, blue, alpha = (values[..., i] for i in range(4))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    planes = np.stack([light * alpha + 1 - alpha, alpha, (red - light) * alpha, (blue - light) * alpha])
    waves = _waves() @ planes @ _waves().T * _weights()
    bits = _directions() @ waves.ravel() > LEAST_WAVE
    return np.packbits(bits).tobytes().hex()


def is_near_duplicate(likeness: str, others: Collection[str], most_bits: int = MOST_BITS) -> bool:
    """Tell whether a person would take the picture for one of the others."""
    return any((int(likeness, 16) ^ int(other, 16)).bit_count() <= most_bits for other in others)


def _part_shown(image: Image.Image) -> float:
    """Return how much of the canvas is covered."""
    return float((np.asarray(image.getchannel("A")) > 127).mean()) if image.mode == "RGBA" else 1.0


def _light(image: Image.Image, side: int) -> tuple[Values, NDArray[np.bool_]]:
    """Return the light with the longer side so many pixels long, and which pixels belong to the subject.

    A subject with alpha is cut out along its edges and stands on black or white, whichever it stands out from.
    """
    factor = side / max(image.size)
    size = max(3, round(image.width * factor)), max(3, round(image.height * factor))
    small = image.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BICUBIC)
    light = np.asarray(small.convert("RGB").convert("L"), dtype=np.float32)
    if image.mode != "RGBA":
        return light, np.ones(light.shape, dtype=bool)
    alpha = np.asarray(small.getchannel("A"), dtype=np.float32) / 255
    is_inside = alpha > 0.5
    if not is_inside.any():
        return np.zeros((3, 3), dtype=np.float32), np.zeros((3, 3), dtype=bool)
    ground = 255 if light[is_inside].mean() < 128 else 0
    rows, columns = (np.flatnonzero(is_inside.any(axis)) for axis in (1, 0))
    box = slice(max(0, rows[0] - 1), rows[-1] + 2), slice(max(0, columns[0] - 1), columns[-1] + 2)
    return (light * alpha + ground * (1 - alpha))[box], (alpha > 0.9)[box]


def _bends(light: Values) -> Values:
    """Return how much each pixel differs from its four neighbours: the Laplacian, whose variance is called detail."""
    bends: Values = light[1:-1, :-2] + light[1:-1, 2:] + light[:-2, 1:-1] + light[2:, 1:-1] - 4 * light[1:-1, 1:-1]
    return bends


@cache
def _waves() -> Values:
    """Return the slowest waves of the cosine transform."""
    steps = np.arange(LIKENESS_SIDE) + 0.5
    waves: Values = np.cos(np.pi / LIKENESS_SIDE * np.arange(WAVES)[:, None] * steps)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    return waves


@cache
def _weights() -> Values:
    """Return how much each wave counts: slow ones are strong in every picture, so fast ones are raised."""
    number = np.arange(WAVES)
    weights = np.tile(np.hypot(number[:, None], number), (4, 1, 1))
    # The outline shows in the light as well.
    weights[1] /= 2
    # How bright a picture is does not matter, nor how much of it is covered; its colour does.
    weights[2:, 0, 0] = 1
    return weights.astype(np.float32)


@cache
def _directions() -> Values:
    """Return 64 fixed directions in the space of all waves: pictures that lie close fall on the same sides.

    Plain signs of the waves would be left to chance in symmetrical pictures, where half of the waves are zero.
    """
    count = 4 * WAVES * WAVES
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"likeness").digest(BITS * count // 8), dtype=np.uint8))
    return (bits.reshape(BITS, count) * 2.0 - 1).astype(np.float32)
