"""Colours: known values, and that text is read on whatever follows from a brand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.models.creative.colour import (
    companions,
    contrast,
    from_oklab,
    ground,
    ink_on,
    oklab,
    palette,
    surface,
)

COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


def test_contrast_is_that_of_wcag():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((255, 255, 255), (118, 118, 118)) == pytest.approx(4.54, abs=0.01)


def test_oklab_there_and_back_is_the_same_colour():
    colours = np.random.default_rng(0).integers(0, 256, (50, 3)).astype(float)

    assert np.abs(from_oklab(oklab(colours)) - colours).max() < 0.01
    assert oklab(np.array([255.0, 255.0, 255.0])) == pytest.approx([1, 0, 0], abs=1e-3)


@settings(deadline=None, derandomize=True)
@given(COLOURS, COLOURS, st.sampled_from(["brand", "light", "deep"]))
def test_text_and_button_are_read_on_every_ground_of_every_brand(
    first: tuple[int, int, int], second: tuple[int, int, int], tone: str
):
    base = ground(tone, (first, second))
    mixed = companions(base, (first, second))
    written = surface(base, (first, second))

    assert min(contrast(ink_on(base), one) for one in mixed) >= 4.5
    assert contrast(written.button_ink, written.button) >= 4.5
    assert contrast(written.button, base) >= 1.9


def test_a_brand_without_colours_has_a_pair_that_is_always_its_own():
    assert palette((), "Kodo") == palette((), "Kodo")
    assert palette((), "Kodo") != palette((), "Fern")
    assert palette(("#1F3A2E",), "Kodo") == ((31, 58, 46),)
