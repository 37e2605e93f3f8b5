"""A handful of invented examples, and weights that nobody trained: enough to see how the parts work together."""

from pathlib import Path

import pytest
import torch

from workers.models.miniature.concepts import concepts
from workers.models.miniature.examples import VIEWS, Examples
from workers.models.miniature.flow import LATENT_SHAPE, new_unet
from workers.models.miniature.library import new_library, save
from workers.models.miniature.starter import LIBRARY
from workers.models.miniature.text import TOKENS, WIDTH, TextEncoder
from workers.models.miniature.vae import new_vae

TINY = (32, 32, 32)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def examples() -> Examples:
    """Return four concepts, the second one in three colours, each item with two captions."""
    chance = torch.Generator().manual_seed(0)
    items = 6
    captions = torch.randn(2 * items + 1, TOKENS, WIDTH, generator=chance)
    return Examples(
        latents=torch.randn(items, VIEWS, *LATENT_SHAPE, generator=chance).bfloat16(),
        states=captions.bfloat16(),
        vectors=torch.nn.functional.normalize(captions.mean(1), dim=1),
        concept_of_item=torch.tensor([0, 1, 1, 1, 2, 3]),
        captions_of_item=torch.tensor([[2 * i, 2 * i + 2] for i in range(items)]),
    )


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory, encoder: TextEncoder) -> Path:
    """Return a folder of untrained weights in half precision, as they are shipped, and a library of three concepts."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    save(new_library(concepts()[:3], torch.randn(3, *LATENT_SHAPE), encoder), folder / LIBRARY)
    new_unet(TINY).half().save_pretrained(folder / "unet")
    new_vae().half().save_pretrained(folder / "vae")
    return folder


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()
