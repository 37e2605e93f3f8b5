"""Small pictures: of every picture one that is no larger than it need be, and of what is no picture none."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from schemas.assets import SMALL, SMALL_PIXELS
from workers.finishing.protocol import Finished
from workers.models.protocol import File
from workers.pictures.small import small_of

from support.drawings import encoded, mug


def noise(width: int, height: int) -> bytes:
    """Return a PNG that nothing makes smaller but fewer pixels, or losing some of it."""
    return encoded(Image.effect_noise((width, height), 90).convert("RGB"), "PNG")


def opened(file: File) -> Image.Image:
    return Image.open(BytesIO(file.data))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 1000), st.integers(1, 1000))
def test_it_keeps_the_proportions_and_is_never_larger_than_the_picture_or_the_page_needs(width: int, height: int):
    small = small_of(Finished(noise(width, height), "image/png", "", ""))

    assert small is not None
    got = opened(small).size
    scale = min(1.0, SMALL_PIXELS / max(width, height))
    assert all(abs(one - wanted * scale) <= 1 for one, wanted in zip(got, (width, height), strict=True))
    assert max(got) <= SMALL_PIXELS


def test_it_is_a_webp_of_the_same_subject_with_its_transparency():
    picture = mug(1080)
    small = small_of(Finished(encoded(picture, "PNG"), "image/png", "", ""))

    assert small is not None
    assert (small.ending, small.content_type) == (SMALL, "image/webp")
    assert opened(small).format == "WEBP"
    assert opened(small).mode == picture.mode == "RGBA"
    assert opened(small).getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "LA", "CMYK"])
def test_pictures_of_every_kind_have_one(mode: str):
    picture = Image.effect_noise((600, 600), 90).convert("RGB").convert(mode)
    small = small_of(Finished(encoded(picture, "TIFF"), "image/tiff", "", ""))

    assert small is not None
    assert opened(small).size == (480, 480)


def test_the_same_pixels_give_the_same_bytes():
    data = encoded(mug(700), "PNG")

    assert small_of(Finished(data, "image/png", "", "1")) == small_of(Finished(data, "image/png", "", "2"))


def test_a_recording_has_that_of_the_picture_beside_it_and_a_line_has_none():
    picture = File("png", "image/png", encoded(mug(960), "PNG"))
    sound = File("mp3", "audio/mpeg", b"sound")

    piece = small_of(Finished(b"sound", "audio/wav", "", "", companions=(sound, picture)))

    assert piece == small_of(Finished(picture.data, "image/png", "", ""))
    assert piece is not None
    assert small_of(Finished(b"sound", "audio/wav", "", "", companions=(sound,))) is None
    assert small_of(Finished(b"a line", "text/plain", "", "")) is None


def test_a_picture_that_takes_fewer_bytes_as_it_is_has_none():
    flat = encoded(Image.new("1", (1080, 1080)), "PNG")

    assert small_of(Finished(flat, "image/png", "", "")) is None
