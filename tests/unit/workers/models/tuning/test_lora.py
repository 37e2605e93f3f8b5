"""Adapters under training are read by PEFT as they were written, and what cannot be continued is refused by name."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from core.errors import ModelLoadError
from workers.models.tuning.lora import LoraShape, add_lora, read_shape, read_weights, write_adapter

IDS = torch.tensor([[5, 9, 23, 7]])
SHAPE = LoraShape(rank=4, alpha=8, layers=("q_proj", "v_proj"))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@torch.no_grad()
def test_peft_reads_what_was_trained_and_gives_the_same_numbers(writer: Path, tmp_path: Path):
    model = AutoModelForCausalLM.from_pretrained(writer)
    weights = add_lora(model, SHAPE)
    for weight in weights.values():
        weight.normal_(std=0.3, generator=torch.Generator().manual_seed(len(weights)))
    write_adapter(tmp_path, weights, SHAPE, "writer")

    read = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(writer), tmp_path)

    assert torch.allclose(read(IDS).logits, model(IDS).logits, atol=1e-5)
    assert not torch.allclose(read(IDS).logits, AutoModelForCausalLM.from_pretrained(writer)(IDS).logits, atol=1e-2)


@torch.no_grad()
def test_a_fresh_adapter_changes_nothing(writer: Path):
    plain, adapted = (AutoModelForCausalLM.from_pretrained(writer) for _ in range(2))

    add_lora(adapted, LoraShape())

    assert torch.equal(adapted(IDS).logits, plain(IDS).logits)


def test_an_adapter_reads_back_as_it_was_written(writer: Path, tmp_path: Path):
    weights = add_lora(AutoModelForCausalLM.from_pretrained(writer), SHAPE)
    write_adapter(tmp_path, weights, SHAPE, "writer")

    assert read_shape(tmp_path) == SHAPE
    assert {name: tensor.tolist() for name, tensor in read_weights(tmp_path).items()} == {
        name: weight.tolist() for name, weight in weights.items()
    }
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    ("change", "named"),
    [({"use_dora": True}, "use_dora"), ({"target_modules": ".*_proj"}, "pattern"), ({"r": None}, "no LoRA")],
)
def test_what_cannot_be_trained_further_is_refused_by_name(
    writer: Path, tmp_path: Path, change: dict[str, object], named: str
):
    write_adapter(tmp_path, add_lora(AutoModelForCausalLM.from_pretrained(writer), SHAPE), SHAPE, "writer")
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))

    with pytest.raises(ModelLoadError, match=named):
        read_shape(tmp_path)


def test_weights_that_are_cut_off_are_refused(writer: Path, tmp_path: Path):
    write_adapter(tmp_path, add_lora(AutoModelForCausalLM.from_pretrained(writer), SHAPE), SHAPE, "writer")
    weights = tmp_path / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])

    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_weights(tmp_path)
