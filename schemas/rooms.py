"""Lines of an advertisement that may not be left out, and whether one can ever be short enough for its room.

What is told here is certain without drawing: the composer measures drawn type, and may still find a line too long.
"""

from collections.abc import Callable

from schemas.layouts import Frame, Layout, Shape, layout_table, safe_area, shape_of
from schemas.pictures import PictureChannel
from schemas.typeface import least_width

# Pixels of the delivered file: smaller type is not read on a screen.
SMALLEST_TEXT = 9
# Large pictures are shown smaller than they are: a square of 1080 pixels is some 360 points wide on a telephone.
ORDINARY_TEXT = 11
BUTTON_SIDE = 1.15  # of the size of its text
TINY_BUTTON_SIDE = 0.95
TINY = {Shape.LEADERBOARD, Shape.BANNER}
MEDIUM, SEMIBOLD = 0, 1
# Letters are drawn in whole pixels, so small type may be narrower than its outlines, by this part at most.
HINTING = 0.1

Room = Callable[[Layout, PictureChannel], float | None]


def scale_of(channel: PictureChannel) -> int:
    """Return how many times larger than delivered a channel is drawn: small ones, so that small type is clean."""
    shorter = min(channel.width, channel.height)
    return 4 if shorter < 100 else 3 if shorter < 400 else 1


def text_size(part: float, channel: PictureChannel) -> float:
    """Return the size of ordinary text that a layout wants, in pixels of the channel."""
    return max(part * min(channel.width, channel.height), ORDINARY_TEXT)


def button_side(channel: PictureChannel) -> float:
    """Return the room beside the text of a button, in pixels of the channel."""
    shape = shape_of(channel)
    side = TINY_BUTTON_SIDE if shape in TINY else BUTTON_SIDE
    return side * text_size(layout_table().sizes[shape].action, channel)


def action_room(layout: Layout, channel: PictureChannel) -> float | None:
    """Return the width for the call to action in pixels; nothing where it is left out when it does not fit."""
    frame = layout.frames[shape_of(channel)]
    if "action" in frame.drops:
        return None
    return safe_area(channel).part(frame.action or frame.text).width - 2 * button_side(channel)


def brand_room(layout: Layout, channel: PictureChannel) -> float | None:
    """Return the width for a brand's name without a logo in pixels; nothing where it is left out instead."""
    frame: Frame = layout.frames[shape_of(channel)]
    return None if "brand" in frame.drops else safe_area(channel).part(frame.brand or frame.text).width


def characters_for(text: str, weight: int, room: float) -> int:
    """Return how many characters of a line its room takes, when they are as small as they may be."""
    starts = range(len(text), 0, -1)
    return next((n for n in starts if least_width(text[:n], weight) * SMALLEST_TEXT <= room), 0)


def can_fit(text: str, weight: int, room: float, channel: PictureChannel) -> bool:
    """Tell whether a line may be short enough for its room when it is as small as it may be."""
    narrowed = 1 - HINTING / scale_of(channel)
    return least_width(text, weight) * SMALLEST_TEXT * narrowed <= room
