"""Colours that work together: from the colours of a brand to surfaces on which text is read, measured as WCAG does.

Mixing and shifting happens in OKLab, where equal steps look equal; L is lightness, C chroma, h the hue in turns.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]
Floats = NDArray[np.float64]

WHITE: Rgb = (255, 255, 255)
BLACK: Rgb = (0, 0, 0)
# WCAG 2.2 AA for text; what we choose colours by, so that noise and compression do not undercut it.
LEAST_CONTRAST = 4.5
SAFE_CONTRAST = 5.0
# A button that is nearer than this to what it stands on is not seen as one.
LEAST_BUTTON_CONTRAST = 1.9
# Matrices of OKLab, from https://bottosson.github.io/posts/oklab/
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
FROM_CONES = np.linalg.inv(TO_CONES)
FROM_LAB = np.linalg.inv(TO_LAB)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Surface:
    """Something to write on: its colour, its text, and the button that stands out from it."""

    colour: Rgb
    ink: Rgb
    button: Rgb
    button_ink: Rgb


def rgb(code: str) -> Rgb:
    """Return the colour of `#RRGGBB`."""
    return (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16))


def linear(values: Floats) -> Floats:
    """Return sRGB values of 0..255 as light of 0..1."""
    parts = values / 255
    light: Floats = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return light


def oklab(values: Floats) -> Floats:
    """Return colours (..., 3) of 0..255 in OKLab."""
    lab: Floats = np.cbrt(linear(values) @ TO_CONES.T) @ TO_LAB.T
    return lab


def from_oklab(values: Floats) -> Floats:
    """Return colours (..., 3) of OKLab as 0..255, clipped to what a screen can show."""
    light = np.clip((values @ FROM_LAB.T) ** 3 @ FROM_CONES.T, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255


def polar(colour: Rgb) -> tuple[float, float, float]:
    """Return lightness, chroma and hue of a colour."""
    lightness, a, b = oklab(np.array(colour, dtype=float))
    return float(lightness), float(np.hypot(a, b)), float(np.arctan2(b, a) / (2 * np.pi) % 1)


def shade(lightness: float, chroma: float, hue: float) -> Rgb:
    """Return the colour of that lightness and hue, as colourful as asked for or as a screen can show."""
    angle = hue * 2 * np.pi
    while True:
        lab = np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])
        light = (FROM_LAB @ lab) ** 3 @ FROM_CONES.T
        if chroma < 0.004 or (light.min() > -0.001 and light.max() < 1.001):
            red, green, blue = (round(value) for value in from_oklab(lab).tolist())
            return (red, green, blue)
        chroma *= 0.92


def luminance(values: Floats) -> Floats:
    """Return how bright colours (..., 3) of 0..255 are, as WCAG defines it."""
    light: Floats = linear(values) @ LUMINANCE
    return light


def contrast(first: Rgb, second: Rgb) -> float:
    """Return the WCAG contrast of two colours: 1 for equal ones, 21 for black on white."""
    return float(contrasts(first, np.array(second, dtype=float)))


def contrasts(colour: Rgb, values: Floats) -> Floats:
    """Return the contrast of a colour to each of the colours (..., 3)."""
    one, others = float(luminance(np.array(colour, dtype=float))), luminance(values)
    return (np.maximum(one, others) + 0.05) / (np.minimum(one, others) + 0.05)


def palette(colours: Sequence[str], brand: str) -> tuple[Rgb, ...]:
    """Return the colours of a brand; a brand without any gets a pair that follows from its name."""
    if colours:
        return tuple(rgb(code) for code in colours)
    digest = hashlib.sha256(brand.encode()).digest()
    hue = digest[0] / 256
    # A deep ground and a bright button: neighbours, thirds and opposites of the wheel go together.
    turn = (1 / 12, 1 / 3, 1 / 2, 7 / 12)[digest[1] % 4]
    return (shade(0.42, 0.11, hue), shade(0.86, 0.11, (hue + turn) % 1))


def surface(colour: Rgb, colours: Sequence[Rgb]) -> Surface:
    """Return what is written on a ground of that colour, with a button in one of the brand's colours."""
    ink = ink_on(colour)
    standing_out = [one for one in colours if contrast(one, colour) >= LEAST_BUTTON_CONTRAST]
    button = max(standing_out, key=lambda one: distance(one, colour), default=ink)
    return Surface(colour, ink, button, ink_on(button))


def ink_on(colour: Rgb) -> Rgb:
    """Return the colour of text on a ground: white where that can be read, else a dark shade of it, else black."""
    _, chroma, hue = polar(colour)
    dark = shade(0.2, min(chroma, 0.05), hue)
    for ink in (WHITE, dark):
        if contrast(ink, colour) >= SAFE_CONTRAST:
            return ink
    # One of the two always reaches 4.58.
    return max((WHITE, BLACK), key=lambda ink: contrast(ink, colour))


def distance(first: Rgb, second: Rgb) -> float:
    """Return how different two colours look."""
    return float(np.linalg.norm(oklab(np.array(first, dtype=float)) - oklab(np.array(second, dtype=float))))


def ground(tone: str, colours: Sequence[Rgb]) -> Rgb:
    """Return the colour of the background: the brand's own, a light tint of it, or a deep shade."""
    lightness, chroma, hue = polar(colours[0])
    if tone == "light":
        return shade(0.955, min(chroma, 0.014), hue)
    if tone == "deep":
        darkest = min(colours, key=lambda one: polar(one)[0])
        lightness, chroma, hue = polar(darkest)
        return darkest if lightness < 0.4 else shade(0.3, min(chroma, 0.09), hue)
    return colours[0]


def companions(base: Rgb, colours: Sequence[Rgb]) -> tuple[Rgb, ...]:
    """Return colours that mix with a ground: neighbours and the brand's other hues, all of which its ink is read on."""
    lightness, chroma, hue = polar(base)
    ink = ink_on(base)
    away = 1 if polar(ink)[0] < lightness else -1
    others = [polar(one) for one in colours[1:3]]
    wanted = [
        (lightness + 0.05 * away, chroma * 1.05, hue),
        (lightness + 0.09 * away, chroma, (hue + 0.06) % 1),
        (lightness - 0.03 * away, chroma * 1.1, (hue - 0.05) % 1),
        *((lightness + 0.04 * away, min(other, chroma + 0.04), turned) for _, other, turned in others),
    ]
    return (base, *(_readable(one, ink, away) for one in wanted))


def _readable(wanted: tuple[float, float, float], ink: Rgb, away: int) -> Rgb:
    """Return the wanted colour, moved away from the ink until text reads on it."""
    lightness, chroma, hue = wanted
    colour = shade(lightness, chroma, hue)
    while contrast(colour, ink) < SAFE_CONTRAST and 0.02 < lightness < 0.98:
        lightness += 0.01 * away
        colour = shade(lightness, chroma, hue)
    return colour
