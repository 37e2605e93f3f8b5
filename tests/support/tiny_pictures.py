"""Pictures of noise that are red or blue, as if they had been delivered; people like red ones."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from workers.models.tuning.protocol import Judged, Lesson

SIDE = 32
PROMPTS = ("a cup", "a chair", "an apple", "a book")


def brief_of(number: int) -> Brief:
    """Return the brief of a product."""
    return Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku=f"NB-{number}", name=f"Thing {number}"),
        audience=Audience(id="all", description="everybody"),
        channel="instagram.square",
    )


def picture(folder: Path, number: int, *, is_red: bool) -> Judged:
    """Return a picture of this number."""
    file = folder / f"{number}-{'red' if is_red else 'blue'}.png"
    pixels = np.random.default_rng(2 * number + is_red).integers(0, 60, (SIDE, SIDE, 3))
    pixels[..., 0 if is_red else 2] += 180
    Image.fromarray(pixels.astype(np.uint8)).save(file)
    recipe = {"prompt": PROMPTS[number % len(PROMPTS)], "width": SIDE, "height": SIDE}
    return Judged(brief_of(number), "", recipe, file, hashlib.sha256(file.read_bytes()).hexdigest())


def lessons(folder: Path, count: int) -> list[Lesson]:
    """Return pairs of a red picture and a blue one."""
    return [
        Lesson(f"product {number}", picture(folder, number, is_red=True), picture(folder, number, is_red=False), 1.0)
        for number in range(count)
    ]
