"""Painting the parts: planes, pictures with soft shadows, text, buttons, and a veil where text could not be read."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from schemas.layouts import Box
from workers.models.creative.arrange import Button, Words
from workers.models.creative.colour import LEAST_CONTRAST, Floats, Rgb, Surface, contrast, contrasts
from workers.models.creative.typeset import font

# Edges are drawn larger and reduced, so that they are smooth.
SMOOTH = 4
SHADOW_STRENGTH = 0.34
SHADOW_BLUR = 0.05  # of the longer side of what casts it
SHADOW_DROP = 0.045
# Shadows are blurred small: they have no detail.
SHADOW_SCALE = 4
ROUND = 0.045  # corners, of the shorter side of the canvas
# Contrast is measured where text stands, on a raster of this many pixels at most, and met by all but the worst of them.
MEASURED = 160
WORST = 2  # per cent
VEIL_STEP = 0.05
VEIL_RESERVE = 1.05  # for what reducing and compressing do to the picture
LEAST_LOGO_CONTRAST = 1.7


def rounded(size: tuple[int, int], radius: float) -> Image.Image:
    """Return a mask of a rectangle with round corners."""
    width, height = size
    mask = Image.new("L", (width * SMOOTH, height * SMOOTH), 0)
    edges = (0, 0, width * SMOOTH - 1, height * SMOOTH - 1)
    ImageDraw.Draw(mask).rounded_rectangle(edges, radius * SMOOTH, fill=255)
    return mask.reduce(SMOOTH)


def plane(canvas: Image.Image, box: Box, colour: Rgb, radius: float, shadow: Rgb | None = None) -> None:
    """Fill a box with a colour."""
    left, top, right, bottom = box.pixels()
    if radius == 0:
        canvas.paste(colour, (left, top, right, bottom))
        return
    mask = rounded((right - left, bottom - top), radius)
    if shadow:
        cast(canvas, mask, (left, top), shadow, SHADOW_STRENGTH * 0.6)
    canvas.paste(colour, (left, top), mask)


def cast(canvas: Image.Image, mask: Image.Image, at: tuple[int, int], colour: Rgb, strength: float) -> None:
    """Darken what lies below a mask: a soft shadow that falls down a little."""
    longer = max(mask.size)
    blur, drop = SHADOW_BLUR * longer, round(SHADOW_DROP * longer)
    border = round(3 * blur)
    size = (mask.width + 2 * border, mask.height + 2 * border)
    small = (max(1, size[0] // SHADOW_SCALE), max(1, size[1] // SHADOW_SCALE))
    shadow = Image.new("L", size, 0)
    shadow.paste(mask.point(lambda value: round(value * strength)), (border, border))
    shadow = shadow.resize(small, Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(blur / SHADOW_SCALE))
    canvas.paste(colour, (at[0] - border, at[1] - border + drop), shadow.resize(size, Image.Resampling.BICUBIC))


def subject(canvas: Image.Image, picture: Image.Image, box: Box, shadow: Rgb) -> None:
    """Place a cut-out subject, as large as its box, with a shadow."""
    visible = picture.getchannel("A").point(lambda value: 255 * (value > 8)).getbbox()
    cut = picture.crop(visible) if visible else picture
    scale = min(box.width / cut.width, box.height / cut.height)
    size = (max(1, round(cut.width * scale)), max(1, round(cut.height * scale)))
    cut = cut.resize(size, Image.Resampling.LANCZOS)
    x, y = box.middle
    at = (round(x - cut.width / 2), round(y - cut.height / 2))
    cast(canvas, cut.getchannel("A"), at, shadow, SHADOW_STRENGTH)
    canvas.paste(cut, at, cut)


def photograph(canvas: Image.Image, picture: Image.Image, box: Box, radius: float, shadow: Rgb | None = None) -> None:
    """Fill a box with a photograph, cropped around a point a little above its middle."""
    left, top, right, bottom = box.pixels()
    size = (right - left, bottom - top)
    cropped = ImageOps.fit(picture, size, Image.Resampling.LANCZOS, centering=(0.5, 0.45))
    mask = rounded(size, radius) if radius else Image.new("L", size, 255)
    if shadow:
        cast(canvas, mask, (left, top), shadow, SHADOW_STRENGTH)
    canvas.paste(cropped, (left, top), mask)


def text(canvas: Image.Image, words: Words, ink: Rgb) -> None:
    """Draw text; lines begin and end with their ink, so that large and small ones stand flush."""
    setting, draw = words.setting, ImageDraw.Draw(canvas)
    face = font(setting.weight, setting.size)
    baseline = words.box.top + setting.up
    for line in setting.lines:
        left, _, right, _ = face.getbbox(line, anchor="ls")
        start = words.box.left if words.align == "left" else words.box.middle[0] - (right - left) / 2
        draw.text((round(start - left), round(baseline)), line, font=face, fill=ink, anchor="ls")
        baseline += setting.leading


def button(canvas: Image.Image, part: Button, surface: Surface) -> None:
    """Draw a pill with its text."""
    plane(canvas, part.box, surface.button, part.box.height / 2)
    text(canvas, part.words, surface.button_ink)


def logo(canvas: Image.Image, picture: Image.Image, box: Box, shades: tuple[Rgb, Rgb]) -> None:
    """Place a logo; one that would not be seen gets a chip of the light or the dark shade behind it."""
    left, top, right, bottom = box.pixels()
    alpha = picture.convert("RGBA").getchannel("A")
    own = _mean(picture.convert("RGB"), alpha)
    below = _mean(canvas.crop((left, top, right, bottom)).convert("RGB"), None)
    if float(contrasts(own, np.array(below, dtype=float))) < LEAST_LOGO_CONTRAST:
        chip = max(shades, key=lambda one: float(contrasts(own, np.array(one, dtype=float))))
        plane(canvas, box, chip, box.height * 0.22)
        box = box.grown(-0.14 * box.height)
    scale = min(box.width / picture.width, box.height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    small = picture.convert("RGBA").resize(size, Image.Resampling.LANCZOS)
    x, y = box.middle
    canvas.paste(small, (round(x - small.width / 2), round(y - small.height / 2)), small)


def _mean(picture: Image.Image, alpha: Image.Image | None) -> Rgb:
    values = np.asarray(picture, dtype=float).reshape(-1, 3)
    weights = np.ones(len(values)) if alpha is None else np.asarray(alpha, dtype=float).reshape(-1) + 1e-6
    red, green, blue = np.average(values, axis=0, weights=weights).round().astype(int).tolist()
    return (red, green, blue)


def _below(canvas: Image.Image, box: Box) -> Floats:
    part = canvas.crop(box.pixels())
    part.thumbnail((MEASURED, MEASURED), Image.Resampling.BOX)
    return np.asarray(part, dtype=float)


def veil(canvas: Image.Image, box: Box, ink: Rgb, colours: tuple[Rgb, ...]) -> None:
    """Lay a colour over the picture from the nearest edge to the text, no stronger than reading it needs."""
    colour = max(colours, key=lambda one: contrast(one, ink))
    plain = below = _below(canvas, box)
    strength = 0.0
    while strength < 1 and np.percentile(contrasts(ink, below), WORST) < LEAST_CONTRAST * VEIL_RESERVE:
        strength += VEIL_STEP
        below = plain * (1 - strength) + np.array(colour, dtype=float) * strength
    if strength > 0:
        canvas.paste(colour, (0, 0), _ramp(canvas.size, box, min(1.0, strength)))


def _ramp(size: tuple[int, int], box: Box, strength: float) -> Image.Image:
    """Return a mask that is even from an edge to the end of the box and fades beyond it."""
    width, height = size
    is_upright = box.width / width >= box.height / height
    length, near, far = (height, box.top, box.bottom) if is_upright else (width, box.left, box.right)
    is_from_end = near + far > length
    end = length - near if is_from_end else far
    fade = min(0.6 * (far - near) + 0.06 * length, 0.35 * length)
    places = np.arange(length) + 0.5
    part = np.clip((end + fade - places) / fade, 0, 1)
    values = (strength * 255 * part * part * (3 - 2 * part)).round().astype(np.uint8)
    values = values[::-1] if is_from_end else values
    line = values[:, None] if is_upright else values[None, :]
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(line, (height, width))))


def is_photograph(picture: Image.Image) -> bool:
    """Return whether a picture fills its rectangle: it has no transparent part."""
    return "A" not in picture.getbands() or picture.getchannel("A").getextrema() == (255, 255)
