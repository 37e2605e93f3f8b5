"""One finished advertisement: ground, picture, words and button, exactly as large as its place.

The same order gives the same pixels. Text is at least 4.5 times as bright or as dark as what lies below it (WCAG AA).
"""

import hashlib
from dataclasses import dataclass
from functools import reduce

from PIL import Image

from core.errors import CompositionError
from schemas.layouts import Box, Layout, layouts
from schemas.pictures import PictureChannel
from workers.models.creative import paint
from workers.models.creative.arrange import Arrangement, Texts, arrange
from workers.models.creative.background import background
from workers.models.creative.colour import Rgb, Surface, companions, ground, palette, polar, shade, surface
from workers.models.creative.typeset import cleaned

DISC_FILL = 0.84  # of the disc's width is for the subject


@dataclass(frozen=True)
class Composition:
    """The parts of an advertisement. A picture with transparent parts is a cut-out subject, any other a photograph."""

    channel: PictureChannel
    layout: str
    headline: str
    call_to_action: str
    brand_name: str
    colors: tuple[str, ...]
    picture: Image.Image
    logo: Image.Image | None
    seed: int


@dataclass(frozen=True)
class Scheme:
    """The colours of one advertisement."""

    ground: Surface
    # What the words stand on: the ground, or the paper of a panel.
    words: Surface
    mixed: tuple[Rgb, ...]
    shadow: Rgb


def layout_named(name: str) -> Layout:
    """Return a layout; raises CompositionError for one that is not there."""
    if name not in layouts():
        raise CompositionError(f"there is no layout '{name}': choose one of {', '.join(layouts())}")
    return layouts()[name]


def compose(order: Composition) -> Image.Image:
    """Return the advertisement; raises CompositionError, which says what to shorten or to replace."""
    layout = layout_named(order.layout)
    plan = arrange(layout, order.channel, _texts(order))
    scheme = _scheme(layout, palette(order.colors, order.brand_name))
    canvas = background(layout.background, _size(plan.canvas), scheme.mixed, _seed(order))
    _paint_picture(canvas, order.picture, layout, plan, scheme)
    _paint_words(canvas, order, plan, scheme)
    return canvas.resize((order.channel.width, order.channel.height), Image.Resampling.LANCZOS)


def _texts(order: Composition) -> Texts:
    headline = cleaned(order.headline, "headline")
    if not headline:
        raise CompositionError("the advertisement has an empty headline: give it some words")
    return Texts(
        headline=headline,
        action=cleaned(order.call_to_action, "call to action"),
        brand=cleaned(order.brand_name, "name of the brand"),
        logo_ratio=order.logo.width / order.logo.height if order.logo else None,
    )


def _seed(order: Composition) -> int:
    name = f"{order.seed}/{order.layout}/{order.channel.id}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def _size(box: Box) -> tuple[int, int]:
    return round(box.width), round(box.height)


def _scheme(layout: Layout, colours: tuple[Rgb, ...]) -> Scheme:
    base = ground(layout.tone, colours)
    _, chroma, hue = polar(base)
    below = surface(base, colours)
    paper = surface(shade(0.985, min(chroma, 0.008), hue), colours)
    return Scheme(
        ground=below,
        words=paper if layout.panel == "text" else below,
        mixed=companions(base, colours),
        shadow=shade(0.14, min(chroma, 0.04), hue),
    )


def _paint_picture(
    canvas: Image.Image, picture: Image.Image, layout: Layout, plan: Arrangement, scheme: Scheme
) -> None:
    is_photograph = paint.is_photograph(picture)
    if is_photograph and layout.photo == "cover":
        paint.photograph(canvas, picture, plan.canvas, 0)
    radius = paint.ROUND * min(canvas.size)
    if plan.panel:
        colour = scheme.words.colour if layout.panel == "text" else scheme.ground.button
        paint.plane(canvas, plan.panel, colour, 0 if plan.has_square_panel else radius, scheme.shadow)
    if is_photograph:
        _paint_photograph(canvas, picture, layout, plan, scheme)
    elif plan.picture:
        box = plan.picture
        if layout.disc:
            box = _square(box, 1)
            paint.plane(canvas, box, scheme.ground.button, box.width / 2)
            box = _square(box, DISC_FILL)
        paint.subject(canvas, picture, box, scheme.shadow)


def _paint_photograph(
    canvas: Image.Image, picture: Image.Image, layout: Layout, plan: Arrangement, scheme: Scheme
) -> None:
    if layout.photo == "panel" and plan.panel:
        paint.photograph(canvas, picture, plan.panel, 0)
    elif layout.photo == "disc" and plan.picture:
        box = _square(plan.picture, 1)
        paint.photograph(canvas, picture, box, box.width / 2, scheme.shadow)
    elif layout.photo == "card" and plan.picture:
        paint.photograph(canvas, picture, plan.picture, paint.ROUND * min(canvas.size), scheme.shadow)


def _square(box: Box, part: float) -> Box:
    """Return the largest square in the middle of a box, or a part of it."""
    half = min(box.width, box.height) * part / 2
    x, y = box.middle
    return Box(x - half, y - half, x + half, y + half)


def _paint_words(canvas: Image.Image, order: Composition, plan: Arrangement, scheme: Scheme) -> None:
    words = [plan.headline, *([plan.brand.name] if plan.brand and plan.brand.name else [])]
    together = reduce(Box.around, (one.box for one in words))
    paint.veil(canvas, together, scheme.words.ink, (scheme.words.colour, scheme.shadow))
    for one in words:
        paint.text(canvas, one, scheme.words.ink)
    if plan.brand and plan.brand.logo and order.logo:
        paint.logo(canvas, order.logo, plan.brand.logo, (scheme.words.ink, scheme.words.colour))
    if plan.action:
        paint.button(canvas, plan.action, scheme.words)
