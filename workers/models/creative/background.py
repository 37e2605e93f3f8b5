"""Backgrounds from a few colours and a seed: a blurred mesh, a neural field nobody trained, or one calm colour.

Colours are mixed in OKLab on a small raster and enlarged. A little noise before rounding hides the steps of 8 bits.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from workers.models.creative.colour import Floats, Rgb, from_oklab, oklab

# The longer side of the raster on which colours are mixed.
RASTER = 160
NOISE = 1.1  # of 255
NOISE_TILE = 256
BLOBS = 6
# The neural field: layers, neurons of each, and how wild it is.
LAYERS = 4
NEURONS = 20
WILDNESS = 1.2

Drawing = Callable[[Floats, Floats, Floats, np.random.Generator], Floats]


def background(kind: str, size: tuple[int, int], colours: Sequence[Rgb], seed: int) -> Image.Image:
    """Return a background; the same arguments give the same pixels."""
    drawings: dict[str, Drawing] = {"mesh": mesh, "field": field, "plain": plain}
    # One generator of a seed for colours and noise: both are repeatable, whatever was drawn before.
    random = np.random.default_rng(seed)
    width, height = size
    scale = RASTER / max(size)
    rows, columns = max(8, round(height * scale)), max(8, round(width * scale))
    down, right = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    mixed = drawings[kind](right, down, oklab(np.array(colours, dtype=float)), random)
    return _enlarged(from_oklab(mixed), size, random)


def mesh(right: Floats, down: Floats, colours: Floats, random: np.random.Generator) -> Floats:
    """Return soft spots of the colours that flow into one another."""
    total = np.full((*right.shape, 1), 0.35)
    mixed = total * colours[0]
    for number in range(BLOBS):
        x, y = random.random(2) * (right.max(), down.max())
        reach = random.uniform(0.18, 0.42)
        weight = 1.2 * np.exp(-((right - x) ** 2 + (down - y) ** 2) / (2 * reach**2))[..., None]
        mixed = mixed + weight * colours[number % len(colours)]
        total = total + weight
    soft: Floats = mixed / total
    return soft


def field(right: Floats, down: Floats, colours: Floats, random: np.random.Generator) -> Floats:
    """Return what a random neural network makes of the place of each pixel: folds like silk."""
    x, y = right * 2 - right.max(), down * 2 - down.max()
    inputs = [x, y, np.hypot(x, y), np.sin(2 * x), np.cos(1.5 * y)]
    values = np.stack([*inputs, *(np.full_like(x, one) for one in random.normal(0, 1, 3))], axis=-1)
    for _ in range(LAYERS):
        spread = WILDNESS * np.sqrt(2 / values.shape[-1])
        weights = random.normal(0, spread, (values.shape[-1], NEURONS))
        values = np.tanh(values @ weights + random.normal(0, 0.2, NEURONS))
    scores = values @ random.normal(0, 0.6, (NEURONS, len(colours)))
    parts = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed: Floats = parts / parts.sum(axis=-1, keepdims=True) @ colours
    return mixed


def plain(right: Floats, _down: Floats, colours: Floats, _random: np.random.Generator) -> Floats:
    """Return the first colour."""
    return np.broadcast_to(colours[0], (*right.shape, 3))


def _enlarged(values: Floats, size: tuple[int, int], random: np.random.Generator) -> Image.Image:
    width, height = size
    tile = random.normal(0, NOISE, (NOISE_TILE, NOISE_TILE)).astype(np.float32)
    noise = np.tile(tile, (height // NOISE_TILE + 1, width // NOISE_TILE + 1))[:height, :width]
    planes: list[NDArray[np.uint8]] = []
    for channel in range(3):
        plane = Image.fromarray(values[..., channel].astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
        planes.append(np.clip(np.asarray(plane) + noise + 0.5, 0, 255).astype(np.uint8))
    return Image.fromarray(np.stack(planes, axis=-1))
