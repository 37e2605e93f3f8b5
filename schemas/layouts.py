"""Layouts: where the parts of an advertisement stand in each shape of picture. Data with a version, not code."""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator
from ruamel.yaml import YAML

from schemas.frozen import Frozen
from schemas.pictures import PictureChannel

DATA = files("schemas").joinpath("data/layouts.yaml")
# A picture box may leave the safe area; pixels beyond the canvas are cut off.
Part = Annotated[float, Field(ge=-0.5, le=1.5)]
Parts = tuple[Part, Part, Part, Part]
Side = Literal["left", "top", "right", "bottom"]
Align = Literal["left", "centre", "right"]
Vertical = Literal["top", "middle", "bottom"]
Dropped = Literal["brand", "picture", "action"]


class Shape(StrEnum):
    """What sort of rectangle a channel is; each needs an arrangement of its own."""

    TALL = "tall"
    SQUARE = "square"
    WIDE = "wide"
    LEADERBOARD = "leaderboard"
    SKYSCRAPER = "skyscraper"
    BANNER = "banner"


class Box(NamedTuple):
    """A rectangle of the canvas, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Return the width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Return the height in pixels."""
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        """Return the centre."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def part(self, parts: Parts) -> "Box":
        """Return a box that is given in parts of this one."""
        left, top, right, bottom = parts
        return Box(
            self.left + left * self.width,
            self.top + top * self.height,
            self.left + right * self.width,
            self.top + bottom * self.height,
        )

    def around(self, other: "Box") -> "Box":
        """Return the smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def meets(self, other: "Box") -> bool:
        """Return whether the boxes have a part in common."""
        beside = self.right <= other.left or other.right <= self.left
        return not beside and self.top < other.bottom and other.top < self.bottom

    def grown(self, by: float) -> "Box":
        """Return this box with a border of so many pixels."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)

    def pixels(self) -> tuple[int, int, int, int]:
        """Return the box rounded to whole pixels."""
        return round(self.left), round(self.top), round(self.right), round(self.bottom)


class Sizes(Frozen):
    """Type and space of a shape, in parts of the shorter side of the canvas."""

    headline: Annotated[float, Field(gt=0, le=1)]
    brand: Annotated[float, Field(gt=0, le=1)]
    action: Annotated[float, Field(gt=0, le=1)]
    # Free space at the edges, where the place does not ask for more.
    edge: Annotated[float, Field(ge=0, le=0.2)]
    lines: Annotated[int, Field(ge=1, le=8)]


class Panel(Frozen):
    """A plane of its own colour; it runs to the edge of the canvas on the sides where it bleeds.

    One that bleeds nowhere is a card: it is as high as the words on it, with as much room above as beside them.
    """

    box: Parts
    bleeds: tuple[Side, ...] = ()


class Frame(Frozen):
    """One arrangement. Boxes are in parts of the safe area, from its upper left corner."""

    # Brand, headline and button stand here one below the other, unless they have a box of their own.
    text: Parts
    align: Align = "left"
    vertical: Vertical = "top"
    brand: Parts | None = None
    action: Parts | None = None
    action_align: Align = "left"
    picture: Parts
    panel: Panel | None = None
    # What may be left out where not everything can be read: as little as possible, what stands first before the rest.
    drops: tuple[Dropped, ...] = ()


class Layout(Frozen):
    """One template for every channel."""

    title: str
    # The colour of the ground: the brand's first, a light tint of it, or a deep shade.
    tone: Literal["brand", "light", "deep"]
    background: Literal["mesh", "field", "plain"]
    # A photograph: over the whole canvas, over the panel, as a card with round corners, or in a circle.
    photo: Literal["cover", "panel", "card", "disc"]
    # A panel below the text is paper, one below the picture has the colour of the button.
    panel: Literal["none", "text", "picture"] = "none"
    # Whether a cut-out subject stands on a disc.
    disc: bool = False
    frames: dict[Shape, Frame]

    @model_validator(mode="after")
    def _serves_every_shape(self) -> Self:
        missing = [shape for shape in Shape if shape not in self.frames]
        if missing:
            raise ValueError(f"no frame for {', '.join(missing)}")
        flat = [shape for shape, frame in self.frames.items() if (frame.panel is None) != (self.panel == "none")]
        if flat:
            raise ValueError(f"a frame has a panel exactly if the layout says what for: see {', '.join(flat)}")
        return self


class LayoutTable(Frozen):
    """All layouts, as one versioned document."""

    version: int
    sizes: dict[Shape, Sizes]
    layouts: Annotated[dict[str, Layout], Field(min_length=5)]


@cache
def layout_table() -> LayoutTable:
    """Return the layouts and the sizes of type."""
    text = DATA.read_text(encoding="utf-8")
    return LayoutTable.model_validate(YAML(typ="safe", pure=True).load(text))


def layouts() -> dict[str, Layout]:
    """Return every layout by its name, in the order of the file."""
    return layout_table().layouts


def shape_of(channel: PictureChannel) -> Shape:
    """Return what sort of rectangle a channel is."""
    ratio = channel.width / channel.height
    if ratio > 4:
        return Shape.BANNER if channel.height < 75 else Shape.LEADERBOARD
    if ratio < 0.4:
        return Shape.SKYSCRAPER
    if ratio > 1.3:
        return Shape.WIDE
    return Shape.TALL if ratio < 0.85 else Shape.SQUARE


def safe_area(channel: PictureChannel) -> Box:
    """Return where text may stand, in pixels of the channel: inside its margins and not at the very edge."""
    edge = layout_table().sizes[shape_of(channel)].edge * min(channel.width, channel.height)
    margins = channel.margins
    return Box(
        max(edge, margins.left * channel.width),
        max(edge, margins.top * channel.height),
        channel.width - max(edge, margins.right * channel.width),
        channel.height - max(edge, margins.bottom * channel.height),
    )
