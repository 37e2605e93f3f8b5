"""Where everything stands: geometry alone, before the first pixel. Says what to shorten when something does not fit."""

from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations

from core.errors import CompositionError
from schemas.layouts import (
    Align,
    Box,
    Frame,
    Layout,
    Sizes,
    layout_table,
    safe_area,
    shape_of,
)
from schemas.pictures import PictureChannel
from schemas.rooms import SMALLEST_TEXT, TINY, button_side, scale_of, text_size
from workers.models.creative.typeset import Limits, Setting, Weight, fit

# Pixels of the delivered file, and a part of its shorter side: large pictures are shown smaller than they are.
SMALLEST_HEADLINE = 11
SMALLEST_PART = 0.03
# A headline that is hardly larger than the brand is no headline.
HIERARCHY = 1.25
# A wide logo has the name in it.
WIDE_LOGO = 1.6
LOGO_HEIGHT = 1.9  # of the size of the brand's name
BUTTON_HEIGHT = 2.3  # of the size of its text


@dataclass(frozen=True)
class Texts:
    """What is to be read, cleaned; and the shape of the logo, if there is one."""

    headline: str
    action: str
    brand: str
    logo_ratio: float | None


@dataclass(frozen=True)
class Words:
    """Text in its place: the box holds what is inked."""

    setting: Setting
    box: Box
    align: Align


@dataclass(frozen=True)
class Button:
    """A pill and the text in it."""

    box: Box
    words: Words


@dataclass(frozen=True)
class BrandRow:
    """The logo, the name, or both side by side."""

    logo: Box | None
    name: Words | None


@dataclass(frozen=True)
class Arrangement:
    """Where everything stands, in pixels of a canvas that is `scale` times as large as the channel."""

    scale: int
    canvas: Box
    picture: Box | None
    panel: Box | None
    has_square_panel: bool
    headline: Words
    brand: BrandRow | None
    action: Button | None


def arrange(layout: Layout, channel: PictureChannel, texts: Texts) -> Arrangement:
    """Return the arrangement with the most parts; raises CompositionError when even the headline alone is too long."""
    frame = layout.frames[shape_of(channel)]
    *choices, last = [one for count in range(len(frame.drops) + 1) for one in combinations(frame.drops, count)]
    for dropped in choices:
        with suppress(CompositionError):
            return _Arranger(frame, channel, texts, dropped).arrangement()
    return _Arranger(frame, channel, texts, last).arrangement()


class _Arranger:
    """One attempt, with some parts left out."""

    def __init__(self, frame: Frame, channel: PictureChannel, texts: Texts, dropped: tuple[str, ...]) -> None:
        self.frame = frame
        self.channel = channel
        self.scale = scale_of(channel)
        self.shorter = min(channel.width, channel.height) * self.scale
        self.safe = Box(*(side * self.scale for side in safe_area(channel)))
        self.canvas = Box(0, 0, channel.width * self.scale, channel.height * self.scale)
        self.has_brand = "brand" not in dropped and bool(texts.brand or texts.logo_ratio)
        self.has_picture = "picture" not in dropped
        has_action = "action" not in dropped and bool(texts.action)
        self.texts = texts if has_action else replace(texts, action="")
        self.must_show_hierarchy = "brand" in frame.drops
        self.is_tiny = shape_of(channel) in TINY

    @property
    def sizes(self) -> Sizes:
        return layout_table().sizes[shape_of(self.channel)]

    def arrangement(self) -> Arrangement:
        room = self._text_room()
        action_room = self.safe.part(self.frame.action) if self.frame.action else room
        action = self._button(action_room) if self.texts.action else None
        row = (
            self._brand_row(self.safe.part(self.frame.brand) if self.frame.brand else room) if self.has_brand else None
        )
        above = _height(row) + self._gap() if row and not self.frame.brand else 0.0
        below = action.box.height + self._action_gap() if action and not self.frame.action else 0.0
        setting = self._headline(room.width, room.height - above - below, row)
        top = self._top_of_stack(room, above + setting.height + below)
        headline = self._placed(setting, room, top + above)
        if row and not self.frame.brand:
            row = _moved(row, top)
        if action and not self.frame.action:
            action = self._button(Box(room.left, headline.box.bottom + self._action_gap(), room.right, room.bottom))
        stack = Box(room.left, top, room.right, top + above + setting.height + below)
        return Arrangement(
            scale=self.scale,
            canvas=self.canvas,
            picture=self.safe.part(self.frame.picture) if self.has_picture else None,
            panel=self._panel(stack),
            has_square_panel=bool(self.frame.panel and self.frame.panel.bleeds),
            headline=headline,
            brand=row,
            action=action,
        )

    def _text_room(self) -> Box:
        """Return where words stand: what was left out of a strip makes room."""
        room = self.safe.part(self.frame.text)
        if not self.frame.drops:
            return room
        picture = self.safe.part(self.frame.picture)
        if not self.has_picture:
            room = room.around(picture)
        if self.frame.action and not self.texts.action:
            grown = room.around(self.safe.part(self.frame.action))
            room = room if self.has_picture and grown.meets(picture) else grown
        # A picture may leave the safe area, words may not.
        return Box(
            max(room.left, self.safe.left),
            max(room.top, self.safe.top),
            min(room.right, self.safe.right),
            min(room.bottom, self.safe.bottom),
        )

    def _top_of_stack(self, room: Box, height: float) -> float:
        spare = room.height - height
        return room.top + {"top": 0.0, "middle": spare / 2, "bottom": spare}[self.frame.vertical]

    def _gap(self) -> float:
        return (0.45 if self.is_tiny else 1.1) * self._text_size(self.sizes.brand)

    def _action_gap(self) -> float:
        return 1.4 * self._text_size(self.sizes.action)

    def _text_size(self, part: float) -> float:
        return text_size(part, self.channel) * self.scale

    def _headline(self, width: float, height: float, row: BrandRow | None) -> Setting:
        smallest = max(SMALLEST_HEADLINE * self.scale, round(SMALLEST_PART * self.shorter))
        if row and row.name and self.must_show_hierarchy:
            smallest = max(smallest, round(HIERARCHY * row.name.setting.size))
        limits = Limits(width, height, smallest, self.sizes.headline * self.shorter, self.sizes.lines)
        setting = fit(self.texts.headline, Weight.BOLD, limits)
        if setting is None:
            raise CompositionError(self._too_long(limits))
        return setting

    def _too_long(self, limits: Limits) -> str:
        words = self.texts.headline.split()
        place = f"{self.channel.title} ({self.channel.width} x {self.channel.height})"
        starts = [" ".join(words[:count]) for count in range(1, len(words))]
        # The longer the start, the less it fits.
        fitting = bisect_left(starts, True, key=lambda start: fit(start, Weight.BOLD, limits) is None)
        if fitting:
            return (
                f"the headline of {len(self.texts.headline)} characters cannot be read in {place}:"
                f" shorten it to about {len(starts[fitting - 1])}"
            )
        return f"the word '{max(words, key=len)}' of the headline is too long for {place}: use a shorter one"

    def _one_line(self, role: str, text: str, weight: Weight, width: float, part: float) -> Setting:
        limits = Limits(width, self.safe.height, SMALLEST_TEXT * self.scale, self._text_size(part))
        setting = fit(text, weight, limits)
        if setting is None:
            raise CompositionError(f"the {role} '{text}' is too long for {self.channel.title}: shorten it")
        return setting

    def _button(self, room: Box) -> Button:
        """Return the button in its room: at the top of a stack's rest, else at the foot or in the middle of a strip."""
        side = button_side(self.channel) * self.scale
        text = self._one_line(
            "call to action", self.texts.action, Weight.SEMIBOLD, room.width - 2 * side, self.sizes.action
        )
        height = BUTTON_HEIGHT * text.size
        width = text.width + 2 * side
        align = self.frame.action_align if self.frame.action else self.frame.align
        left = {"left": room.left, "centre": room.middle[0] - width / 2, "right": room.right - width}[align]
        top = room.top
        if self.frame.action:
            top = room.middle[1] - height / 2 if self.is_tiny else room.bottom - height
        box = Box(left, top, left + width, top + height)
        # Capitals stand in the middle: descenders do not push the text up.
        baseline = box.middle[1] + (text.up - text.down * 0.1) / 2
        words = Box(left + side, baseline - text.up, left + side + text.width, baseline + text.down)
        return Button(box, Words(text, words, "left"))

    def _brand_row(self, room: Box) -> BrandRow:
        """Return the brand at the top of its room."""
        size, ratio = self._text_size(self.sizes.brand), self.texts.logo_ratio
        height = LOGO_HEIGHT * size if not self.is_tiny else 1.3 * size
        logo_width = min(height * ratio, room.width / 2) if ratio else 0.0
        name = None
        if self.texts.brand and (not ratio or ratio < WIDE_LOGO):
            between = 0.5 * size if ratio else 0.0
            name = self._one_line(
                "name of the brand",
                self.texts.brand,
                Weight.MEDIUM,
                room.width - logo_width - between,
                self.sizes.brand,
            )
        else:
            between = 0.0
        width = logo_width + between + (name.width if name else 0.0)
        left = room.left if self.frame.align == "left" else room.middle[0] - width / 2
        if not name:
            return BrandRow(Box(left, room.top, left + logo_width, room.top + height), None)
        tallest = max(height, name.height) if ratio else name.height
        logo = Box(left, room.top, left + logo_width, room.top + height) if ratio else None
        start, top = left + logo_width + between, room.top + (tallest - name.up) / 2 if ratio else room.top
        return BrandRow(logo, Words(name, Box(start, top, start + name.width, top + name.height), "left"))

    def _placed(self, setting: Setting, room: Box, top: float) -> Words:
        left = room.left if self.frame.align == "left" else room.middle[0] - setting.width / 2
        return Words(setting, Box(left, top, left + setting.width, top + setting.height), self.frame.align)

    def _panel(self, stack: Box) -> Box | None:
        """Return the plane of the frame: to the edges where it bleeds, or as a card around the words."""
        if not self.frame.panel:
            return None
        box = self.safe.part(self.frame.panel.box)
        if self.frame.panel.bleeds:
            return box._replace(**{side: getattr(self.canvas, side) for side in self.frame.panel.bleeds})
        border = stack.left - box.left
        return box._replace(top=stack.top - border, bottom=stack.bottom + border)


def _height(row: BrandRow) -> float:
    boxes = [box for box in (row.logo, row.name and row.name.box) if box]
    return max(box.bottom for box in boxes) - min(box.top for box in boxes)


def _moved(row: BrandRow, top: float) -> BrandRow:
    boxes = [box for box in (row.logo, row.name and row.name.box) if box]
    by = top - min(box.top for box in boxes)

    def moved(box: Box) -> Box:
        return box._replace(top=box.top + by, bottom=box.bottom + by)

    name = replace(row.name, box=moved(row.name.box)) if row.name else None
    return BrandRow(moved(row.logo) if row.logo else None, name)
