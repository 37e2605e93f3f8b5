import sys

import numpy as np
import pytest
from PIL import Image, ImageFilter

from core.errors import SettingsError
from workers.checks.nudity import NudityChecker
from workers.checks.picture import check, is_near_duplicate, likeness
from workers.pictures.sharpen import enlarge

from support.drawings import mug, rocket, scene


class NoMugs:
    """Finds a picture unsafe that looks like a mug."""

    def unsafe(self, image: Image.Image) -> str:
        return "a mug" if is_near_duplicate(likeness(image), [likeness(mug())]) else ""


def noisy(size: int, *, is_subject: bool) -> Image.Image:
    values = np.random.default_rng(7).integers(0, 256, (size, size, 3), dtype=np.uint8)
    picture = Image.fromarray(values)
    if is_subject:
        picture.putalpha(mug(size).getchannel("A"))
    return picture


def failed(image: Image.Image) -> set[str]:
    return {result.name for result in check(image, *image.size) if not result.passed}


def bits_apart(first: Image.Image, second: Image.Image) -> int:
    return (int(likeness(first), 16) ^ int(likeness(second), 16)).bit_count()


@pytest.mark.parametrize("picture", [enlarge(mug(), 512, 512), enlarge(rocket(), 400, 300), scene((1080, 1080))])
def test_a_good_picture_passes_every_check(picture: Image.Image):
    assert failed(picture) == set()


def test_a_subject_in_one_colour_on_nothing_is_not_blank():
    heart = enlarge(mug(colour="#ffffff"), 512, 512)

    assert failed(heart) == set()


def test_a_picture_of_another_size_is_refused_with_both_sizes():
    results = {result.name: result for result in check(scene((320, 240)), 320, 250)}

    assert results["size"].detail == "320 x 240 pixels, 320 x 250 wanted"


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 250), "#405060"),
        Image.new("RGBA", (300, 250), (255, 255, 255, 0)),
        Image.new("RGBA", (300, 250), "#405060"),
    ],
)
def test_a_picture_with_nothing_on_it_is_blank(picture: Image.Image):
    assert "blank" in failed(picture)


@pytest.mark.parametrize("picture", [mug(512), scene((512, 512))])
def test_a_picture_without_a_sharp_edge_is_blurred(picture: Image.Image):
    assert failed(picture.filter(ImageFilter.GaussianBlur(9))) == {"blurred"}


@pytest.mark.parametrize("size", [64, 128, 512, 1080])
@pytest.mark.parametrize("is_subject", [False, True])
def test_noise_is_found_at_the_scale_of_the_model_that_made_it(size: int, is_subject: bool):  # noqa: FBT001
    picture = noisy(size, is_subject=is_subject).resize((1080, 1080), Image.Resampling.BICUBIC)

    assert "noise" in failed(picture)


@pytest.mark.parametrize("picture", [mug(512), rocket(512), scene((640, 480))])
def test_a_resized_copy_has_nearly_the_same_likeness(picture: Image.Image):
    copy = picture.resize((picture.width // 3, picture.height // 3), Image.Resampling.LANCZOS)

    assert bits_apart(picture, copy) <= 6
    assert is_near_duplicate(likeness(copy), [likeness(picture)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (mug(), rocket()),
        (mug(), scene()),
        (mug(), mug(colour="#2040d0")),
        (scene(), scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        (rocket(), rocket().transpose(Image.Transpose.FLIP_TOP_BOTTOM)),
    ],
)
def test_different_pictures_are_more_than_twelve_bits_apart(first: Image.Image, second: Image.Image):
    assert bits_apart(first, second) > 12
    assert not is_near_duplicate(likeness(first), [likeness(second)])


def test_a_picture_of_one_light_has_no_likeness_to_speak_of():
    assert likeness(Image.new("RGB", (64, 64), "white")) == "0" * 16


def test_unsafe_content_is_judged_only_where_there_is_a_safety_checker():
    picture = enlarge(mug(), 512, 512)

    without = [result.name for result in check(picture, 512, 512)]
    judged = check(picture, 512, 512, NoMugs())[-1]

    assert "unsafe" not in without
    assert (judged.name, judged.passed, judged.detail) == ("unsafe", False, "a mug")


def test_the_checker_that_is_not_installed_says_what_to_know_before_installing_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "nudenet", None)

    with pytest.raises(SettingsError, match="AGPL"):
        NudityChecker()
