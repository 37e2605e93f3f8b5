"""Which concept a prompt means, and when it means none."""

from pathlib import Path

import pytest
import torch

from workers.models.miniature import library
from workers.models.miniature.concepts import concepts
from workers.models.miniature.library import Library, new_library
from workers.models.miniature.text import TextEncoder

NAMES = ("cup of coffee", "chocolate bar", "rocket", "graduation cap", "sneaker", "ice cream", "soft ice cream")


@pytest.fixture(scope="module")
def some(encoder: TextEncoder) -> Library:
    chosen = [concept for concept in concepts() if concept.name in NAMES]
    return new_library(chosen, torch.randn(len(chosen), 8, 16, 16), encoder)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("espresso", "cup of coffee"),
        ("a steaming espresso for early risers", "cup of coffee"),
        ("purple rocket", "rocket"),
        ("comfortable running shoes", "sneaker"),
        ("vanilla ice cream cone", "soft ice cream"),
    ],
)
def test_a_prompt_finds_the_concept_that_it_means(some: Library, encoder: TextEncoder, prompt: str, name: str):
    [match] = some.nearest([prompt], encoder)

    assert match.name == name
    assert match.fits


def test_a_prompt_that_nothing_fits_is_told_from_one_that_fits(some: Library, encoder: TextEncoder):
    [match] = some.nearest(["tax advice for freelancers"], encoder)

    assert not match.fits


def test_a_library_is_the_same_after_it_was_written(some: Library, encoder: TextEncoder, tmp_path: Path):
    library.save(some, tmp_path / "library.safetensors")

    read = library.load(tmp_path / "library.safetensors")

    assert (read.names, read.words) == (some.names, some.words)
    assert torch.allclose(read.latents, some.latents, atol=5e-3)
    assert read.nearest(["latte"], encoder)[0].name == "cup of coffee"
