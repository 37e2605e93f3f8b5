"""Adapters that take turns on one language model: each as if it had been loaded alone, none leaving a trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from core.errors import ModelLoadError
from schemas.jobs import Job
from workers.models.copy import CopyModel
from workers.models.copy_loading import open_base

JobOf = Callable[..., Job]
# peft reads a property that transformers 6 renames.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")


def write_adapter(model: Path, folder: Path, seed: int, **recipe: Any) -> str:
    torch.manual_seed(seed)
    plain: dict[str, Any] = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    network = get_peft_model(
        AutoModelForCausalLM.from_pretrained(model), LoraConfig(init_lora_weights=False, **plain | recipe)
    )
    network.save_pretrained(folder)
    return str(folder)


def weights_of(model: CopyModel) -> dict[str, torch.Tensor]:
    return dict(model._decoder._model.state_dict())


def lines_of(model: CopyModel, jobs: list[Job]) -> list[list[bytes]]:
    return [[sample.data for sample in samples] for samples in model.generate(jobs, 1)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("recipe", [{}, {"use_rslora": True, "lora_alpha": 16}, {"use_dora": True}])
def test_an_adapter_on_a_kept_model_gives_the_weights_that_it_is_merged_into(
    tiny_model: Path, tmp_path: Path, dtype: str, recipe: dict[str, Any]
):
    adapter = write_adapter(tiny_model, tmp_path / "dry", 1, **recipe)
    base = open_base(str(tiny_model), "cpu", dtype, tmp_path, 1)

    found = weights_of(base.model(adapter))

    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model), adapter).merge_and_unload()
    expected = merged.to(getattr(torch, dtype)).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_adapters_take_turns_and_leave_no_trace(tiny_model: Path, tmp_path: Path, job_of: JobOf):
    adapters = [write_adapter(tiny_model, tmp_path / f"a{seed}", seed) for seed in (1, 2)]
    jobs = [job_of(seed) for seed in range(3)]
    alone = [
        lines_of(open_base(str(tiny_model), "cpu", "float32", tmp_path, 1).model(one), jobs)
        for one in (None, *adapters)
    ]

    base = open_base(str(tiny_model), "cpu", "float32", tmp_path, 1)
    in_turn = [base.model(one) for one in (adapters[0], None, adapters[1], adapters[0])]

    assert [lines_of(one, jobs) for one in in_turn] == [alone[1], alone[0], alone[2], alone[1]]
    assert len({str(lines) for lines in alone}) == 3
    assert in_turn[0].version == in_turn[3].version != in_turn[2].version


def test_what_an_adapter_leaves_alone_is_held_once(tiny_model: Path, tmp_path: Path):
    adapter = write_adapter(tiny_model, tmp_path / "dry", 1)
    base = open_base(str(tiny_model), "cpu", "float32", tmp_path, 1)

    first, second = (weights_of(base.model(one)) for one in (None, adapter))

    same = {name for name in first if first[name].data_ptr() == second[name].data_ptr()}
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= same
    assert not any(name.endswith("proj.weight") for name in same)


@pytest.mark.parametrize("damage", ["size", "header", "config"])
def test_an_adapter_that_does_not_fit_says_so(tiny_model: Path, tmp_path: Path, damage: str):
    adapter = Path(write_adapter(tiny_model, tmp_path / "dry", 1))
    if damage == "size":
        write_adapter(tiny_model, tmp_path / "other", 1, r=8)
        (tmp_path / "other" / "adapter_model.safetensors").rename(adapter / "adapter_model.safetensors")
    elif damage == "header":
        (adapter / "adapter_model.safetensors").write_bytes(b"not weights")
    else:
        (adapter / "adapter_config.json").write_text("{")
    base = open_base(str(tiny_model), "cpu", "float32", tmp_path, 1)

    with pytest.raises(ModelLoadError, match=f"adapter {adapter} does not fit its model"):
        base.model(str(adapter))

    assert base.model(None).version.startswith(tiny_model.name)
