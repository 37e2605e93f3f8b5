import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from workers.models.cache import Layers
from workers.models.decode import Decoder, Order
from workers.models.prompts import Prompt
from workers.models.readings import SUFFIX_ROWS, Reader, Reading


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def network(request: pytest.FixtureRequest, tiny_model: Path):
    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=request.param).eval()


@pytest.fixture
def passes(network: PreTrainedModel):
    """Return the shapes (rows, tokens) of all passes of the model from now on."""
    shapes: list[tuple[int, int]] = []
    network.register_forward_pre_hook(
        lambda _module, _args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    return shapes


def prompt_of(brief: int, ask: int) -> Prompt:
    draw = random.Random(brief)
    return Prompt(tuple(draw.choices(range(1, 250), k=20 + brief)), (ask + 1, ask + 2, 9))


def tensors_of(reading: Reading) -> list[torch.Tensor]:
    layers: Layers = [*reading.prefix, *reading.suffix]
    return [reading.logits, reading.mask, *(tensor for pair in layers for tensor in pair)]


def are_equal(one: Reading, other: Reading) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors_of(one), tensors_of(other), strict=True))


@torch.inference_mode()
def test_what_is_kept_is_bit_for_bit_what_a_fresh_reading_gives(network: PreTrainedModel):
    prompts = [prompt_of(i // 3, i) for i in range(7)]
    reader = Reader(network)
    reader.read(prompts)

    kept = reader.read(prompts[::-1])[::-1]

    for prompt, reading in zip(prompts, kept, strict=True):
        assert are_equal(reading, Reader(network).read([prompt])[0])


@torch.inference_mode()
def test_briefs_that_are_read_together_give_what_each_gives_beside_others(
    network: PreTrainedModel, passes: list[tuple[int, int]]
):
    # The one of brief 44 fills its block; the others are padded.
    prompts = [prompt_of(brief, 1) for brief in (1, 44, 2, 3, 4)]

    together = Reader(network, prefix_rows=3).read(prompts)

    assert passes == [(3, 64), (3, 64), (3, 64), (SUFFIX_ROWS, 32), (SUFFIX_ROWS, 32)]
    for prompt, reading in zip(prompts, together, strict=True):
        assert are_equal(reading, Reader(network, prefix_rows=3).read([prompt])[0])


@torch.inference_mode()
def test_equal_prompts_and_briefs_are_read_once(network: PreTrainedModel, passes: list[tuple[int, int]]):
    prompts = [prompt_of(brief, ask) for brief in (1, 1, 2) for ask in (1, 2)]
    reader = Reader(network)

    reader.read(prompts)
    reader.read(prompts)

    assert passes == [(1, 64), (1, 64), (SUFFIX_ROWS, 32)]


@torch.inference_mode()
def test_the_prompts_that_were_not_used_for_longest_are_let_go_with_their_briefs(
    network: PreTrainedModel, passes: list[tuple[int, int]]
):
    whole = Reader(network)
    whole.read([prompt_of(1, 1), prompt_of(2, 1)])
    reader = Reader(network, kept_bytes=whole._kept_bytes)
    reader.read([prompt_of(1, 1), prompt_of(2, 1)])
    reader.read([prompt_of(1, 1)])
    passes.clear()

    reader.read([prompt_of(3, 1)])
    reader.read([prompt_of(1, 1)])
    reader.read([prompt_of(2, 1)])

    assert passes == [(1, 64), (SUFFIX_ROWS, 32)] * 2
    assert reader._kept_bytes == whole._kept_bytes
    assert set(reader._prefixes) == {prompt_of(1, 1).prefix, prompt_of(2, 1).prefix}


@torch.inference_mode()
def test_a_prompt_that_is_larger_than_the_limit_is_read_and_not_kept(network: PreTrainedModel):
    reader = Reader(network, kept_bytes=10)

    found = reader.read([prompt_of(1, 1), prompt_of(1, 2)])

    assert [reading.length for reading in found] == [24, 24]
    assert (reader._kept_bytes, len(reader._readings), len(reader._prefixes)) == (0, 0, 0)


def test_running_out_of_memory_lets_go_of_what_was_read(network: PreTrainedModel):
    decoder = Decoder(network, stops=[], bans=[], newlines=[])
    order = Order((5, 6), (7, 8), candidates=4, max_tokens=3, temperature=1.0, seed=1)
    before = decoder.write([order])
    kept = decoder._reader._kept_bytes
    forward = network.forward

    def full(*_args: object, **_more: object) -> None:
        raise torch.OutOfMemoryError("no memory left")

    network.forward = full
    with pytest.raises(torch.OutOfMemoryError):
        decoder.write([order])
    network.forward = forward

    assert kept > 0
    assert decoder._reader._kept_bytes == 0
    assert decoder.write([order]) == before
