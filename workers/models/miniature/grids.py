"""Many pictures on one sheet, each with its caption below: to look at, not to deliver."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw

from workers.models.miniature.pictures import SIZE

MARGIN = 4
CAPTION_HEIGHT = 14
CAPTION_LETTERS = 22


def image_of(pixels: torch.Tensor) -> Image.Image:
    """Return one picture (4, H, W) in bytes as the subject on white, without its alpha."""
    return Image.fromarray(np.ascontiguousarray(pixels[:3].permute(1, 2, 0).numpy()))


def sheet(pixels: torch.Tensor, captions: Sequence[str], columns: int = 8) -> Image.Image:
    """Return pictures (N, 4, 128, 128) in rows of so many columns."""
    width, height = SIZE + MARGIN, SIZE + CAPTION_HEIGHT + MARGIN
    rows = -(-len(pixels) // columns)
    page = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), "white")
    pen = ImageDraw.Draw(page)
    for number, (picture, caption) in enumerate(zip(pixels, captions, strict=True)):
        left, top = MARGIN + number % columns * width, MARGIN + number // columns * height
        page.paste(image_of(picture), (left, top))
        pen.text((left, top + SIZE), caption[:CAPTION_LETTERS], fill="black")
    return page
