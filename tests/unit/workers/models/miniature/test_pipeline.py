"""The starter image model as a worker runs it: from the nearest concept on, the same alone and beside others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from workers.models.miniature.concepts import concepts
from workers.models.miniature.pipeline import MiniatureOutput, MiniaturePipeline, load
from workers.models.miniature.starter import starter_folder

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
