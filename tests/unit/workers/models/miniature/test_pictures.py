"""Fetching the artwork, and what is done to a picture before it is learnt."""

import base64
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import PermanentError, TransientError
from workers.models.miniature.colours import angle_of, hue_of, name_of, turn
from workers.models.miniature.examples import VIEWS, Item, views
from workers.models.miniature.pictures import Source, fetch, matte


def source_of(path: Path, content: bytes) -> Source:
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    return Source(url=path.as_uri(), integrity=integrity)


def test_an_archive_is_fetched_once_and_kept(tmp_path: Path):
    origin = tmp_path / "art.tgz"
    origin.write_bytes(b"pictures")
    source = source_of(origin, b"pictures")
    kept = fetch(source, tmp_path / "cache")
    origin.unlink()

    assert fetch(source, tmp_path / "cache") == kept
    assert kept.read_bytes() == b"pictures"


def test_an_archive_that_is_not_the_one_we_know_is_refused(tmp_path: Path):
    origin = tmp_path / "art.tgz"
    origin.write_bytes(b"something else")

    with pytest.raises(PermanentError, match="sha512 differs"):
        fetch(source_of(origin, b"pictures"), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_without_a_network_the_message_says_where_to_put_the_archive(tmp_path: Path):
    source = Source(url="http://127.0.0.1:1/art.tgz", integrity="sha512-")

    with pytest.raises(TransientError, match=r"check the network, or fetch it elsewhere and put it at .*art\.tgz"):
        fetch(source, tmp_path)


def test_a_picture_lies_on_white_and_keeps_its_alpha():
    values = np.zeros((256, 256, 4), dtype=np.uint8)
    values[:, 128:] = (200, 0, 0, 255)

    pixels = matte(Image.fromarray(values))

    assert pixels.shape == (4, 128, 128)
    assert pixels[:, 64, 10].tolist() == [255, 255, 255, 0]
    assert pixels[:, 64, 110].tolist() == [200, 0, 0, 255]


def square(colour: tuple[float, float, float]) -> torch.Tensor:
    picture = torch.tensor([1.0, 1.0, 1.0, 0.0]).view(4, 1, 1).repeat(1, 16, 16)
    picture[:, 4:12, 2:8] = torch.tensor([*colour, 1.0]).view(4, 1, 1)
    return picture


def test_the_hue_of_a_picture_has_a_name_and_can_be_turned():
    red = square((0.85, 0.15, 0.15))
    hue = hue_of(red)
    assert hue is not None

    blue = turn(red[None], torch.tensor([angle_of("blue") - hue]))[0]

    turned = hue_of(blue)
    assert turned is not None
    assert [name_of(hue), name_of(turned)] == ["red", "blue"]
    assert torch.allclose(blue[:, 0, 0], torch.tensor([1.0, 1.0, 1.0, 0.0]), atol=1e-2)


def test_grey_things_have_no_hue():
    assert hue_of(square((0.5, 0.5, 0.5))) is None


@pytest.mark.parametrize("sides", [{"left", "right"}, {"left"}])
def test_views_are_the_picture_and_moved_ones_mirrored_only_where_allowed(sides: set[str]):
    picture = (square((0.85, 0.15, 0.15)) * 255).to(torch.uint8)

    made = views(picture, Item(concept=3, angle=0.0, captions=("a square",), may_be_mirrored=len(sides) > 1))

    assert len(made) == VIEWS
    assert torch.equal(made[0], picture)
    alpha = made[:, 3].float()
    assert {"left" if one[:, :8].sum() > one[:, 8:].sum() else "right" for one in alpha} == sides
    # The frame stays white: nothing is dragged in from outside.
    assert made[:, :3, 0, 0].min() > 250


def test_hues_are_compared_round_the_circle():
    assert name_of(angle_of("red") + math.tau) == "red"
