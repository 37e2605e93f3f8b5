"""Finished advertisements, measured in their own pixels."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from core.errors import CompositionError
from schemas.layouts import layouts, safe_area
from schemas.pictures import picture_channels
from schemas.rooms import scale_of
from workers.models.creative import paint
from workers.models.creative.arrange import Texts, Words, arrange
from workers.models.creative.colour import contrasts
from workers.models.creative.compose import Composition, compose

Orders = Callable[..., Composition]
PLACES = [(channel, layout) for layout in layouts() for channel in picture_channels()]


def words_of(order: Composition) -> list[Words]:
    texts = Texts(order.headline, order.call_to_action, order.brand_name, None)
    plan = arrange(layouts()[order.layout], order.channel, texts)
    name = plan.brand.name if plan.brand else None
    return [plan.headline, *([name] if name else []), *([plan.action.words] if plan.action else [])]


def inked(order: Composition, words: Words) -> Image.Image:
    """Return the text alone: white on black, as large as the canvas."""
    scale = scale_of(order.channel)
    canvas = Image.new("RGB", (order.channel.width * scale, order.channel.height * scale))
    paint.text(canvas, words, (255, 255, 255))
    return canvas.getchannel("R")


def measured_contrast(order: Composition, picture: Image.Image, words: Words) -> float:
    """Return the contrast of the text as delivered to what is delivered around it."""
    ink = np.asarray(inked(order, words).resize(picture.size, Image.Resampling.LANCZOS))
    pixels = np.asarray(picture, dtype=float)
    scale = scale_of(order.channel)
    left, top, right, bottom = (round(side / scale) for side in words.box)
    inside = np.zeros(ink.shape, dtype=bool)
    inside[top:bottom, left:right] = True
    text = pixels[ink >= ink.max() - 4].mean(axis=0).round().astype(int).tolist()
    around = pixels[inside & (ink == 0)]
    return float(np.percentile(contrasts((text[0], text[1], text[2]), around), paint.WORST))


@pytest.mark.parametrize(("channel", "layout"), PLACES)
def test_every_layout_fills_every_channel_and_its_text_can_be_read(
    order_of: Orders, photo: Image.Image, channel: str, layout: str
):
    order = order_of(channel, layout)
    on_photo = replace(order, picture=photo)

    finished, finished_on_photo = compose(order), compose(on_photo)

    size = (order.channel.width, order.channel.height)
    assert [(finished.mode, finished.size), (finished_on_photo.mode, finished_on_photo.size)] == [("RGB", size)] * 2
    for words in words_of(order):
        assert measured_contrast(order, finished, words) >= 4.5
        assert measured_contrast(on_photo, finished_on_photo, words) >= 4.5


@pytest.mark.parametrize("channel", picture_channels())
@pytest.mark.parametrize(
    "headline", ["Gifts", "Ångström: größte Öfen für jeden Tag", "Run further. Feel lighter every day."]
)
def test_no_text_leaves_the_safe_area(order_of: Orders, channel: str, headline: str):
    for layout in layouts():
        order = order_of(channel, layout, headline=headline)
        scale = scale_of(order.channel)
        safe = safe_area(order.channel)

        boxes = [inked(order, words).getbbox() for words in words_of(order)]

        for box in boxes:
            assert box is not None
            # Half a pixel of the finished picture may be lost to rounding.
            assert box[0] / scale >= safe.left - 0.5
            assert box[1] / scale >= safe.top - 0.5
            assert box[2] / scale <= safe.right + 0.5
            assert box[3] / scale <= safe.bottom + 0.5


def test_other_words_change_nothing_where_the_place_puts_its_own_buttons(order_of: Orders):
    order = order_of("instagram.story")
    other = replace(order, headline="Wake up", call_to_action="See all of it", brand_name="Kodo")

    changed = ImageChops.difference(compose(order), compose(other)).getbbox()

    assert changed is not None
    margins = order.channel.margins
    assert changed[1] >= margins.top * 1920
    assert changed[3] <= (1 - margins.bottom) * 1920
    assert changed[0] >= margins.left * 1080
    assert changed[2] <= (1 - margins.right) * 1080


@pytest.mark.parametrize("layout", layouts())
def test_the_same_order_gives_the_same_pixels(order_of: Orders, layout: str):
    order = order_of("iab.medium_rectangle", layout)

    assert compose(order).tobytes() == compose(order).tobytes()


def test_another_seed_gives_another_background(order_of: Orders):
    order = order_of("iab.medium_rectangle")

    assert compose(order).tobytes() != compose(replace(order, seed=8)).tobytes()


@pytest.mark.parametrize("colors", [(), ("#E4572E",), ("#808080", "#7F7F7F"), ("#FFFFFF", "#B3261E"), ("#000000",)])
def test_text_can_be_read_whatever_the_colours_of_the_brand_are(order_of: Orders, colors: tuple[str, ...]):
    for layout in layouts():
        order = order_of("iab.medium_rectangle", layout, colors=colors)

        finished = compose(order)

        assert [words for words in words_of(order) if measured_contrast(order, finished, words) < 4.5] == []


def test_a_subject_is_seen_and_casts_a_shadow(order_of: Orders, subject: Image.Image):
    with_subject = order_of("iab.medium_rectangle", "editorial")
    empty = replace(with_subject, picture=Image.new("RGBA", subject.size, (0, 0, 0, 0)))

    changed = ImageChops.difference(compose(with_subject), compose(empty))

    # The ball is orange on a light page: it takes away blue; its shadow takes away a little of everything.
    values = np.asarray(changed, dtype=int)
    assert (values[..., 2] > 120).sum() > 3000
    assert ((values.min(axis=-1) > 8) & (values.max(axis=-1) < 90)).sum() > 300


def test_a_logo_takes_the_place_beside_the_name_and_a_wide_one_that_of_the_name(order_of: Orders):
    square = Image.new("RGBA", (100, 100), (200, 0, 0, 255))
    wide = Image.new("RGBA", (300, 100), (200, 0, 0, 255))
    order = order_of("instagram.square", "editorial")
    ratios = {"none": None, "square": 1.0, "wide": 3.0}

    rows = {
        name: arrange(layouts()["editorial"], order.channel, Texts("Gifts", "", "Kodo", ratio)).brand
        for name, ratio in ratios.items()
    }

    seen = {name: (bool(row and row.logo), bool(row and row.name)) for name, row in rows.items()}
    assert seen == {"none": (False, True), "square": (True, True), "wide": (True, False)}
    for logo in (square, wide):
        red = np.asarray(compose(replace(order, logo=logo)), dtype=int)
        assert ((red[..., 0] > 150) & (red[..., 1] < 60) & (red[..., 2] < 60)).sum() > 1000


def test_a_logo_in_the_colour_of_the_ground_gets_a_chip_behind_it(order_of: Orders):
    logo = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(logo).ellipse((10, 10, 90, 90), fill="#1F3A2E")
    without = replace(order_of(), brand_name="")

    changed = ImageChops.difference(compose(replace(without, logo=logo)), compose(without))

    # White on deep green: the chip differs much more than the logo does.
    assert changed.getextrema()[0][1] > 180


def test_an_unknown_layout_is_refused_with_those_there_are(order_of: Orders):
    with pytest.raises(CompositionError, match="no layout 'mosaic': choose one of spotlight, editorial"):
        compose(order_of(layout="mosaic"))


def test_an_empty_headline_is_refused(order_of: Orders):
    with pytest.raises(CompositionError, match="empty headline"):
        compose(order_of(headline=" \n\u200b"))


def test_a_button_is_left_out_when_there_is_no_call_to_action(order_of: Orders):
    order = order_of("instagram.square", "poster", call_to_action="")

    yellow = (np.abs(np.asarray(compose(order), dtype=int) - (242, 193, 78)).max(axis=-1) < 8).sum()

    assert yellow == 0
