"""Backgrounds: repeatable, of the colours asked for, without visible steps."""

import numpy as np
import pytest

from workers.models.creative.background import background

GREENS = ((31, 58, 46), (40, 70, 60), (25, 50, 52))


@pytest.mark.parametrize("kind", ["mesh", "field", "plain"])
def test_a_background_is_repeatable_and_stays_between_its_colours(kind: str):
    first, again = (background(kind, (300, 200), GREENS, 5) for _ in range(2))

    values = np.asarray(first, dtype=float)
    assert first.tobytes() == again.tobytes()
    assert (first.size, first.mode) == ((300, 200), "RGB")
    assert values.min() > 25 - 8
    assert values.max() < 70 + 8


def test_noise_hides_the_steps_between_neighbouring_values():
    values = np.asarray(background("plain", (400, 400), GREENS, 5))[..., 0]

    assert np.unique(values).size >= 5
    assert values.mean() == pytest.approx(31, abs=0.2)
