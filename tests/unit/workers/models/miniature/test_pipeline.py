"""The starter image model as a worker runs it: from the nearest concept on, the same alone and beside others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from workers.models.miniature.concepts import concepts
from workers.models.miniature.pipeline import MiniatureOutput, MiniaturePipeline, load
from workers.models.miniature.starter import starter_folder
from workers.models.tuning.denoising import Ask, Denoising

KNOWN = concepts()[0].name
OTHER = concepts()[1].name


@pytest.fixture(scope="module")
def pipe(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> MiniaturePipeline:
    return load(starter_folder(tmp_path_factory.mktemp("cache"), weights), torch.float32)


def painted(pipe: MiniaturePipeline, prompts: list[str], seeds: list[int], steps: int = 4) -> MiniatureOutput:
    return pipe(prompts, generator=[torch.Generator().manual_seed(seed) for seed in seeds], num_inference_steps=steps)


def test_a_picture_is_the_same_whatever_its_neighbours(pipe: MiniaturePipeline):
    first = painted(pipe, [KNOWN, OTHER], [1, 2]).images
    second = painted(pipe, [KNOWN, ""], [1, 5]).images

    assert first.shape == (2, 128, 128, 4)
    assert np.array_equal(first[0], second[0])


def test_a_guidance_of_one_paints_what_the_prompt_alone_says(pipe: MiniaturePipeline):
    dice = [torch.Generator().manual_seed(1) for _ in range(2)]

    alone, led = (
        pipe([KNOWN], generator=[one], num_inference_steps=4, guidance_scale=scale).images
        for one, scale in zip(dice, (1.0, 1.0001), strict=True)
    )

    assert np.allclose(alone, led, atol=1e-3)


@torch.no_grad()
def test_what_it_leaves_of_a_noise_depends_on_the_prompt(pipe: MiniaturePipeline):
    denoising = Denoising(pipe)
    latents = pipe.library.latents[:1]
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))

    errors = [float(denoising.error(Ask(name, 128, 128), latents, noise, 0.9)) for name in (KNOWN, OTHER, KNOWN)]

    assert errors[0] == errors[2] != errors[1]


def test_another_seed_gives_another_picture(pipe: MiniaturePipeline):
    images = painted(pipe, [KNOWN, KNOWN], [1, 2]).images

    assert not np.array_equal(images[0], images[1])


def test_the_prompt_leads_where_it_starts(pipe: MiniaturePipeline):
    images = painted(pipe, [KNOWN, OTHER], [1, 1]).images

    assert np.abs(images[0] - images[1]).mean() > 0.01


def test_a_prompt_that_nothing_is_near_to_is_refused_and_a_filling_one_is_not(pipe: MiniaturePipeline):
    refused = painted(pipe, [KNOWN, "the concept of net present value", ""], [1, 2, 3]).refused

    assert refused[0] == refused[2] == ""
    assert "knows nothing like 'the concept of net present value'" in refused[1]
