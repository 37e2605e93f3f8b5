"""The layouts as data: whole, and for every shape of picture."""

import pytest
from pydantic import ValidationError

from schemas.layouts import Layout, Shape, layouts, safe_area, shape_of
from schemas.pictures import picture_channels


def test_each_channel_has_the_shape_that_its_name_says():
    shapes = {channel.id: shape_of(channel) for channel in picture_channels().values()}

    assert shapes["instagram.square"] == shapes["iab.medium_rectangle"] == Shape.SQUARE
    assert shapes["instagram.story"] == shapes["meta.feed"] == shapes["pinterest.pin"] == Shape.TALL
    assert shapes["display.landscape"] == shapes["linkedin.image"] == Shape.WIDE
    assert shapes["iab.leaderboard"] == Shape.LEADERBOARD
    assert shapes["iab.wide_skyscraper"] == Shape.SKYSCRAPER
    assert shapes["iab.mobile_banner"] == Shape.BANNER


def test_the_safe_area_keeps_to_the_margins_and_off_the_edge():
    story, square = picture_channels()["instagram.story"], picture_channels()["instagram.square"]

    safe = safe_area(story)

    assert (round(safe.top), round(safe.bottom)) == (269, 1536)
    # 6 % is less than the free edge of a tall picture.
    assert (round(safe.left), round(safe.right)) == (81, 999)
    assert safe_area(square).left == pytest.approx(75.6)


def test_a_layout_without_a_frame_for_some_shape_is_refused():
    layout = layouts()["spotlight"].model_dump()
    del layout["frames"][Shape.BANNER]

    with pytest.raises(ValidationError, match="no frame for banner"):
        Layout.model_validate(layout)


def test_a_panel_without_a_place_is_refused():
    layout = layouts()["spotlight"].model_dump() | {"panel": "text"}

    with pytest.raises(ValidationError, match="a frame has a panel exactly if the layout says what for"):
        Layout.model_validate(layout)
