"""Files that a place takes: the best that its limit allows."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from core.errors import CompositionError
from schemas.pictures import PictureChannel, picture_channels
from workers.models.creative.compose import Composition, compose
from workers.models.creative.encode import encode


def limited(channel: str, **changes: object) -> PictureChannel:
    return picture_channels()[channel].model_copy(update=changes)


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (250, 300, 3), dtype=np.uint8))


@pytest.mark.parametrize("channel", picture_channels())
def test_every_channel_gets_a_file_that_it_takes(
    order_of: Callable[..., Composition], photo: Image.Image, channel: str
):
    order = order_of(channel, "poster", picture=photo)

    data, content_type = encode(compose(order), order.channel)

    assert len(data) <= order.channel.max_bytes
    assert content_type == "image/jpeg"
    with Image.open(BytesIO(data)) as read:
        assert (read.format, read.size) == ("JPEG", (order.channel.width, order.channel.height))


def test_quality_gives_way_only_as_far_as_it_must(noise: Image.Image):
    best, _ = encode(noise, limited("iab.medium_rectangle"))
    smaller, _ = encode(noise, limited("iab.medium_rectangle", max_bytes=len(best) - 1))

    assert len(best) * 0.6 < len(smaller) < len(best)


def test_the_next_format_is_tried_when_the_first_is_too_large():
    even = Image.new("RGB", (300, 250), (31, 58, 46))
    channel = limited("iab.medium_rectangle", formats=("png", "webp"), max_bytes=300)

    assert [encode(even, channel)[1], encode(even, channel.model_copy(update={"max_bytes": 10_000}))[1]] == [
        "image/webp",
        "image/png",
    ]


def test_a_limit_that_nothing_meets_is_said(noise: Image.Image):
    with pytest.raises(CompositionError, match=r"takes at most 900 bytes, .* use a calmer picture or layout"):
        encode(noise, limited("iab.medium_rectangle", max_bytes=900))
