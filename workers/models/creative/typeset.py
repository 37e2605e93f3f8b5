"""Setting type: which characters the font has, the largest size that fits a box, and lines of even width."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

from PIL import ImageFont, features

from core.errors import CompositionError
from schemas import typeface

FONTS = files("workers.models.creative").joinpath("fonts")
# Widths grow with the size: they are measured once at this one.
MEASURED_AT = 200
CAPITALS = 0.7  # height of a capital in Poppins, in parts of the size
LEADING = 1.16  # from one line to the next; capitals with accents and letters with descenders do not touch
TALL_LEADING = 1.5  # Devanagari has signs above and below its letters
# A line more has to buy this much size, or the text stays calmer with fewer lines.
WORTH_A_LINE = 1.06
# A line that is shorter than this part of the widest looks left behind, as if the text were so much smaller.
SHORT_LINE = 0.55
SHORT_LINE_COSTS = 0.78

# Words in lines: the widest line, the squares of all widths, and the word with which each line ends.
Way = tuple[float, float, tuple[int, ...]]


class Weight(StrEnum):
    """The fonts that are shipped."""

    MEDIUM = "Poppins_500Medium.ttf"
    SEMIBOLD = "Poppins_600SemiBold.ttf"
    BOLD = "Poppins_700Bold.ttf"


@dataclass(frozen=True)
class Setting:
    """Text that was set: its lines, and how much room they take. Up and down are from the first and last baseline."""

    lines: tuple[str, ...]
    weight: Weight
    size: int
    leading: float
    width: float
    up: float
    down: float

    @property
    def height(self) -> float:
        """Return the height from the top of the first line to the bottom of the last."""
        return self.up + (len(self.lines) - 1) * self.leading + self.down


@dataclass(frozen=True)
class Limits:
    """The room for a text, in pixels."""

    width: float
    height: float
    smallest: int
    largest: float
    lines: int = 1


@cache
def _content(weight: Weight) -> bytes:
    return FONTS.joinpath(weight).read_bytes()


@cache
def joins_letters() -> bool:
    """Tell whether HarfBuzz shapes text here: Pillow brings it, but not the FriBiDi that it needs of the system."""
    return bool(features.check("raqm"))


@lru_cache(maxsize=64)
def font(weight: Weight, size: int) -> ImageFont.FreeTypeFont:
    """Return a font of a size in pixels, whose letters join where they do so and this machine can."""
    engine = ImageFont.Layout.RAQM if joins_letters() else ImageFont.Layout.BASIC
    return ImageFont.truetype(BytesIO(_content(weight)), size, layout_engine=engine)


def cleaned(text: str, role: str) -> str:
    """Return the text on one line; raises CompositionError for what the fonts lack or this machine cannot set."""
    if lacking := typeface.lacking(text):
        raise CompositionError(f"the {role} {lacking}")
    if not joins_letters() and any(ord(one) in typeface.JOINING for one in text):
        raise CompositionError(
            f"the {role} has letters of Devanagari, which this machine cannot join: install FriBiDi (on Debian"
            " `apt install libfribidi0`) and start the worker anew"
        )
    return typeface.on_one_line(text)


def fit(text: str, weight: Weight, limits: Limits) -> Setting | None:
    """Return the text in the largest size that fits, in lines of even width; nothing if even the smallest does not."""
    words = text.split()
    leading = TALL_LEADING if any("\u0900" <= character <= "\u097f" for character in text) else LEADING
    settings = [_largest(lines, weight, leading, limits) for lines in breaks(tuple(words), weight, limits.lines)]
    return max((setting for setting in settings if setting), key=_worth, default=None)


def _worth(setting: Setting) -> float:
    """Return how good a setting looks: its size, less for many lines and for short ones."""
    widths = [font(setting.weight, setting.size).getlength(line) for line in setting.lines]
    has_short_line = min(widths) < SHORT_LINE * max(widths)
    return setting.size / WORTH_A_LINE ** len(widths) * (SHORT_LINE_COSTS if has_short_line else 1)


@lru_cache(maxsize=256)
def breaks(words: tuple[str, ...], weight: Weight, most: int) -> list[tuple[str, ...]]:
    """Return the best way to set words in one line, in two, and so on: the widest line as narrow as can be."""
    face = font(weight, MEASURED_AT)
    count = len(words)
    width = {
        (start, end): face.getlength(" ".join(words[start:end]))
        for start in range(count)
        for end in range(start + 1, count + 1)
    }
    # For each number of words, the best way to set them in so many lines.
    ways: dict[int, Way] = {end: (width[0, end], width[0, end] ** 2, (end,)) for end in range(1, count + 1)}
    found: list[tuple[str, ...]] = [(" ".join(words),)]
    for lines in range(2, min(most, count) + 1):
        ways = {end: _last_line(ways, width, end) for end in range(lines, count + 1)}
        starts = (0, *ways[count][2][:-1])
        found.append(tuple(" ".join(words[a:b]) for a, b in zip(starts, ways[count][2], strict=True)))
    return found


def _last_line(ways: dict[int, Way], width: dict[tuple[int, int], float], end: int) -> Way:
    """Return the best way to add a last line that ends there."""

    def way(start: int) -> Way:
        widest, squares, ends = ways[start]
        return max(widest, width[start, end]), squares + width[start, end] ** 2, (*ends, end)

    return min(way(start) for start in ways if start < end)


def _largest(lines: tuple[str, ...], weight: Weight, leading: float, limits: Limits) -> Setting | None:
    reference = font(weight, MEASURED_AT)
    widest = max(reference.getlength(line) for line in lines)
    size = int(min(limits.largest, limits.width / widest * MEASURED_AT))
    while size >= limits.smallest:
        setting = _set(lines, weight, size, leading)
        if setting.height <= limits.height and setting.width <= limits.width:
            return setting
        # Most steps are taken at once, the rest by one: hinting makes widths jump a little.
        size = min(size - 1, int(size * limits.height / setting.height) + 1)
    return None


def _set(lines: tuple[str, ...], weight: Weight, size: int, leading: float) -> Setting:
    face = font(weight, size)
    # What is inked may leave the advance of a line by a few pixels at both ends.
    boxes = [face.getbbox(line, anchor="ls") for line in lines]
    return Setting(
        lines=lines,
        weight=weight,
        size=size,
        leading=round(size * leading),
        width=max(box[2] - min(0, box[0]) for box in boxes),
        up=max(CAPITALS * size, -boxes[0][1]),
        down=max(0.0, boxes[-1][3]),
    )
