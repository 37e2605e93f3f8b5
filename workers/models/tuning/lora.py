"""Low-rank adapters under training: put into a model, read and written as PEFT does it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadError

CONFIG_NAME = "adapter_config.json"
WEIGHTS_NAME = "adapter_model.safetensors"
HEAD = "lm_head"
# What PEFT can do with an adapter and the layer here does not.
UNKNOWN_KINDS = ("use_dora", "use_rslora", "lora_bias", "modules_to_save", "rank_pattern", "alpha_pattern")


@dataclass(frozen=True)
class LoraShape:
    """How large an adapter is, and on which layers it sits; none named stands for every linear one but the head."""

    rank: int = 16
    alpha: int = 32
    layers: tuple[str, ...] = ()


class LoraLinear(torch.nn.Module):
    """A frozen linear layer with a low-rank addition. Its two matrices have the type of the layer: no casts."""

    def __init__(self, base: torch.nn.Linear, shape: LoraShape, dice: torch.Generator) -> None:
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(base.weight.new_empty(shape.rank, base.in_features))
        self.up = torch.nn.Parameter(base.weight.new_zeros(base.out_features, shape.rank))
        self._scale = shape.alpha / shape.rank
        # Drawn on the CPU, so that every device begins with the same.
        drawn = torch.empty(shape.rank, base.in_features)
        torch.nn.init.kaiming_uniform_(drawn, a=math.sqrt(5), generator=dice)
        self.down.data.copy_(drawn)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return what the layer gives with its addition."""
        low = torch.nn.functional.linear(inputs, self.down) * self._scale
        added: torch.Tensor = self.base(inputs) + torch.nn.functional.linear(low, self.up)
        return added


def add_lora(model: torch.nn.Module, shape: LoraShape, seed: int = 0) -> dict[str, torch.nn.Parameter]:
    """Freeze the model and put a LoraLinear in place of the linear layers; return the new weights by PEFT's names.

    What they begin with follows from the seed alone, whatever else draws at the same time.
    """
    dice = torch.Generator().manual_seed(seed)
    model.requires_grad_(requires_grad=False)
    layers = [
        (name, layer)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear)
        and name != HEAD
        and (not shape.layers or name.rpartition(".")[2] in shape.layers)
    ]
    weights = {}
    for name, layer in layers:
        lora = LoraLinear(layer, shape, dice)
        model.set_submodule(name, lora)
        weights[f"base_model.model.{name}.lora_A.weight"] = lora.down
        weights[f"base_model.model.{name}.lora_B.weight"] = lora.up
    return weights


def masters_of(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return float32 copies for the optimizer: small steps would be lost in bfloat16."""
    return {name: weight.detach().float().clone() for name, weight in weights.items()}


def read_shape(folder: Path) -> LoraShape:
    """Return the shape of a written adapter; raises ModelLoadError for one that this training cannot continue."""
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        layers = config["target_modules"]
        shape = LoraShape(int(config["r"]), int(config["lora_alpha"]), tuple(sorted(layers)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelLoadError(f"{folder / CONFIG_NAME} describes no LoRA ({error}): give a PEFT LoRA folder") from error
    unknown = [name for name in UNKNOWN_KINDS if config.get(name)]
    if unknown or isinstance(layers, str):
        what = unknown[0] if unknown else "target_modules as a pattern"
        raise ModelLoadError(f"{folder / CONFIG_NAME}: {what} cannot be trained further; give a plain LoRA")
    return shape


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """Return the weights of a written adapter, by PEFT's names."""
    try:
        return load_file(folder / WEIGHTS_NAME)
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(f"{folder / WEIGHTS_NAME} cannot be read ({error}): give a PEFT LoRA folder") from error


def write_adapter(folder: Path, weights: Mapping[str, torch.Tensor], shape: LoraShape, base: str) -> None:
    """Write the adapter as PEFT reads it; nothing is pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.detach().contiguous() for name, weight in weights.items()}
    save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt"})
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        target_modules=sorted({name.split(".")[-3] for name in weights}),
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
    )
    config.save_pretrained(str(folder))


@torch.no_grad()
def fill(weights: Mapping[str, torch.nn.Parameter], found: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put weights that were read from a folder in the place of those that an adapter begins with."""
    if weights.keys() != found.keys():
        strange = min(weights.keys() ^ found.keys())
        raise ModelLoadError(f"the adapter in {folder} does not fit its own settings or the model: {strange}")
    for name, weight in weights.items():
        weight.copy_(found[name])
