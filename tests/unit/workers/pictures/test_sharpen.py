import numpy as np
import pytest
from PIL import Image

from workers.pictures.sharpen import enlarge, unmatte

from support.drawings import mug, scene


def steepest(image: Image.Image) -> float:
    """Return how steep the steepest hundredth of a picture's outline is."""
    alpha = np.asarray(image.getchannel("A"), dtype=float)
    slope = np.hypot(*np.gradient(alpha))
    return float(np.percentile(slope[slope > 1], 90))


def on(ground: str, image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")


def test_an_enlarged_subject_has_steeper_edges_than_a_plain_resize():
    subject = mug(64)

    enlarged = enlarge(subject, 384, 384)

    assert steepest(enlarged) > 1.5 * steepest(subject.resize((384, 384), Image.Resampling.BICUBIC))


def test_an_enlarged_subject_covers_what_the_small_one_covers():
    subject = mug(64)

    enlarged = enlarge(subject, 384, 384)

    difference = np.asarray(enlarged.resize((64, 64), Image.Resampling.BOX).getchannel("A"), dtype=float)
    difference -= np.asarray(subject.getchannel("A"), dtype=float)
    assert np.abs(difference).mean() < 3
    assert enlarged.getpixel((2, 2))[3] == 0
    assert enlarged.getpixel((180, 220)) == pytest.approx((192, 32, 32, 255), abs=4)


@pytest.mark.parametrize(("width", "height"), [(300, 500), (500, 300), (31, 17)])
def test_a_subject_stands_whole_in_the_middle_of_its_canvas(width: int, height: int):
    subject = Image.new("RGBA", (40, 40), "#206040")

    enlarged = enlarge(subject, width, height)

    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    assert enlarged.size == (width, height)
    assert enlarged.getchannel("A").point(lambda value: 255 * (value > 127)).getbbox() == (
        *(left, top),
        *(left + side, top + side),
    )


def test_no_dark_or_white_fringe_is_drawn_around_a_subject():
    subject = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    subject.paste((240, 200, 40, 255), (10, 10, 30, 30))

    values = np.asarray(enlarge(subject, 240, 240))

    visible = values[values[..., 3] > 40]
    assert np.abs(visible[:, :3].astype(int) - (240, 200, 40)).max() <= 16


def test_a_photograph_fills_its_size_and_keeps_its_shapes():
    enlarged = enlarge(scene((320, 240)), 400, 400)

    wanted = scene((320, 240)).crop((40, 0, 280, 240)).resize((400, 400), Image.Resampling.LANCZOS)
    assert (enlarged.mode, enlarged.size) == ("RGB", (400, 400))
    assert np.abs(np.asarray(enlarged, dtype=int) - np.asarray(wanted, dtype=int)).mean() < 0.5


def test_a_subject_that_lay_on_white_shows_no_white_on_black():
    matted = on("white", mug())
    matted.putalpha(mug().getchannel("A"))

    freed = unmatte(matted)

    was, now = (np.asarray(on("black", one), dtype=int) for one in (mug(), freed))
    assert np.abs(was - now).max() <= 3
