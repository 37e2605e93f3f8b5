"""Small pictures that are made here, and orders that differ in what a test names."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from schemas.pictures import picture_channels
from workers.models.creative.compose import Composition


@pytest.fixture(scope="session")
def subject() -> Image.Image:
    """Return a ball on nothing."""
    picture = Image.new("RGBA", (240, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((40, 20, 200, 180), fill=(240, 120, 60, 255))
    return picture


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """Return a picture of bright and dark spots without order: the worst ground for text."""
    spots = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((800, 600), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(2))


@pytest.fixture(scope="session")
def order_of(subject: Image.Image) -> Callable[..., Composition]:
    """Return a maker of orders."""

    def order(channel: str = "instagram.square", layout: str = "spotlight", **changes: object) -> Composition:
        given: dict[str, object] = {
            "headline": "Slow mornings, freshly roasted",
            "call_to_action": "Order now",
            "brand_name": "Northbeam Coffee",
            "colors": ("#1F3A2E", "#F2C14E"),
            "picture": subject,
            "logo": None,
            "seed": 7,
        }
        return Composition(channel=picture_channels()[channel], layout=layout, **(given | changes))  # type: ignore[arg-type]

    return order
