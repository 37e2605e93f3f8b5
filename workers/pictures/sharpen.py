"""Enlarges pictures: small drawn subjects with crisp edges, photographs without inventing anything.

A shock filter moves every soft edge to where it belongs: on the bright side of an edge a pixel takes the brightest of
its neighbours, on the dark side the darkest. numpy and Pillow only: no weights, no other library.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Planes (4, H, W) in 0..1: red, green, blue weighed by alpha, so that nothing invisible bleeds in; then alpha.
Planes = NDArray[np.floating[Any]]

# Below this factor there is nothing to mend: an edge is as sharp as in the picture it comes from.
LEAST_FACTOR = 1.5
# More rounds draw dark outlines.
ROUNDS = 10
STEP = 0.4
# The blur under which edges are looked for, in pixels of the small picture.
BLUR = 0.55
# How soon a place counts as wholly on one side of an edge: bend by slope, in pixels of the grid.
DECISION = 15.0
# Slopes well below this are shading, and stay soft.
LEAST_SLOPE = 0.1
# Sides of edges change slowly, so they are found on a grid only this much finer than the small picture.
GRID = 2
# Edges move by less than a pixel a round, so they need not be looked for in every one.
LOOK_EVERY = 2
ANTIALIAS = 0.7
# Edges are moved in at most so many pixels; the rest of the way is a plain resize, and a quarter of the time.
MOST_PIXELS = 1200 * 1200
# Below this nobody sees a colour; dividing by it would show noise wherever the alpha is dropped.
LEAST_ALPHA = 3 / 255


def delivered(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return a picture as a model made it in exactly this size, a subject in its own colours."""
    return enlarge(unmatte(image) if image.mode == "RGBA" else image, width, height)


def enlarge(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the picture in exactly this size.

    A subject with alpha fits inside, whole and centred on a transparent canvas; a photograph covers all of it and
    loses what is over at its sides.
    """
    if image.mode != "RGBA":
        return _cover(image.convert("RGB"), width, height)
    factor = min(width / image.width, height / image.height)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    subject = _image_of(_enlarged(_planes_of(image), size, factor))
    canvas = Image.new("RGBA", (width, height), (255, 255, 255, 0))
    canvas.paste(subject, ((width - size[0]) // 2, (height - size[1]) // 2))
    return canvas


def unmatte(image: Image.Image) -> Image.Image:
    """Return a subject whose colours were laid on white in its own colours: no white fringes on other grounds."""
    planes = np.asarray(image.convert("RGBA"), dtype=np.float32).transpose(2, 0, 1) / 255
    colours, alpha = planes[:3], planes[3:]
    # What was laid on white is `weighed colour + 1 - alpha`.
    return _image_of(np.concatenate([np.clip(colours - (1 - alpha), 0, alpha), alpha]))


def _cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the largest part from the middle that has the shape asked for, in its size."""
    factor = max(width / image.width, height / image.height)
    left, top = max(0.0, image.width - width / factor) / 2, max(0.0, image.height - height / factor) / 2
    box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _enlarged(planes: Planes, size: tuple[int, int], factor: float) -> Planes:
    if factor < LEAST_FACTOR:
        return _scaled(planes, size, Image.Resampling.LANCZOS)
    part = min(1.0, (MOST_PIXELS / (size[0] * size[1])) ** 0.5)
    working = max(1, round(size[0] * part)), max(1, round(size[1] * part))
    grid = planes.shape[2] * GRID, planes.shape[1] * GRID
    sharp = _shocked(_scaled(planes, working, Image.Resampling.BICUBIC), grid)
    return sharp if working == size else _scaled(sharp, size, Image.Resampling.LANCZOS)


def _shocked(planes: Planes, grid: tuple[int, int]) -> Planes:
    """Return the planes with their edges moved to where they belong; edges are looked for on the grid."""
    size = planes.shape[2], planes.shape[1]
    for done in range(ROUNDS):
        if done % LOOK_EVERY == 0:
            sides = _scaled(_sides(_scaled(planes, grid, Image.Resampling.BOX)), size, Image.Resampling.BILINEAR)
            is_bright, strength = sides < 0, np.abs(sides) * STEP
        aims = np.where(is_bright, _around(planes, np.maximum), _around(planes, np.minimum))
        planes = planes + strength * (aims - planes)
    # Without this the edges would be stairs of whole pixels.
    return _blurred(planes, ANTIALIAS)


def _sides(planes: Planes) -> Planes:
    """Return on which side of an edge each place is, -1 the bright one and 1 the dark one: how it bends uphill."""
    smooth = _blurred(planes, BLUR * GRID)
    down, right = _slope(smooth, 1), _slope(smooth, 2)
    down_down, right_right, both = _slope(down, 1), _slope(right, 2), _slope(right, 1)
    bend = right * right * right_right + 2 * right * down * both + down * down * down_down
    steep = right * right + down * down
    # Bend by slope does not depend on contrast, so colours and alpha of an outline move as one, without a fringe.
    return np.clip(DECISION * bend / (steep + 1e-12) / (np.sqrt(steep) + LEAST_SLOPE), -1, 1)


def _slope(planes: Planes, axis: int) -> Planes:
    """Return the change along one axis, smoothed a little across it."""
    across = 3 - axis
    padded = np.pad(planes, [(0, 0), (1, 1), (1, 1)], mode="edge")
    change = (np.roll(padded, -1, axis) - np.roll(padded, 1, axis)) / 2
    smooth = (np.roll(change, 1, across) + 2 * change + np.roll(change, -1, across)) / 4
    return smooth[:, 1:-1, 1:-1]


def _blurred(planes: Planes, sigma: float) -> Planes:
    """Return the planes under a Gaussian blur; what is outside is as at the border."""
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    height, width = planes.shape[1:]
    padded = np.pad(planes, [(0, 0), (radius, radius), (0, 0)], mode="edge")
    planes = _summed(padded[:, i : i + height] * weight for i, weight in enumerate(weights))
    padded = np.pad(planes, [(0, 0), (0, 0), (radius, radius)], mode="edge")
    return _summed(padded[:, :, i : i + width] * weight for i, weight in enumerate(weights))


def _summed(parts: Iterator[Planes]) -> Planes:
    total = next(parts)
    for part in parts:
        total += part
    return total


def _around(planes: Planes, choose: np.ufunc) -> Planes:
    """Return for each place what is chosen of it and its eight neighbours."""
    rows = planes.copy()
    choose(rows[:, 1:], planes[:, :-1], out=rows[:, 1:])
    choose(rows[:, :-1], planes[:, 1:], out=rows[:, :-1])
    both = rows.copy()
    choose(both[:, :, 1:], rows[:, :, :-1], out=both[:, :, 1:])
    choose(both[:, :, :-1], rows[:, :, 1:], out=both[:, :, :-1])
    return both


def _scaled(planes: Planes, size: tuple[int, int], how: Image.Resampling) -> Planes:
    """Return the planes in another size (width, height); 8 bits would show as steps after ten rounds."""
    return np.stack([np.asarray(Image.fromarray(np.ascontiguousarray(plane)).resize(size, how)) for plane in planes])


def _planes_of(image: Image.Image) -> Planes:
    planes = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255
    return np.concatenate([planes[:3] * planes[3:], planes[3:]])


def _image_of(planes: Planes) -> Image.Image:
    """Return planes as a picture with plain colours; where nothing is to be seen it is white."""
    # Before anything is cut off: a resize that swings over does so in colours and alpha alike.
    alpha = planes[3:]
    colours = np.where(alpha > LEAST_ALPHA, planes[:3] / np.maximum(alpha, LEAST_ALPHA), 1)
    pixels = np.clip(np.concatenate([colours, alpha]), 0, 1) * 255 + 0.5
    return Image.fromarray(np.ascontiguousarray(pixels.astype(np.uint8).transpose(1, 2, 0)), "RGBA")
