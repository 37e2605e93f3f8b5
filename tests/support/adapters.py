"""Adapters that have the line model write other lines, so that a line tells which version wrote it."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.ledger import Ledger
from core.storage import Storage
from core.versions import store

from support.lines import LINES
from support.versions import a_version

# The decoder looks at this many of the likeliest tokens, so an adapter that turns every answer into one direction has
# the model write these many lines alone.
TOP_LINES = 40
SIDES = {"north": 1.0, "south": -1.0}


def register(ledger: Ledger, storage: Storage, model: Path, folder: Path, sides: dict[int, str]) -> dict[str, str]:
    """Store and register a version of the line model for each number; return the side of each id."""
    registered = {}
    for number, side in sides.items():
        trained = write_adapter(model, folder / f"{number}-{side}", side)
        version = store(storage, trained, a_version(number, model=str(model)))
        ledger.versions.register(version)
        registered[version.id] = side
    return registered


def lines_of(model: Path, side: str) -> set[str]:
    """Return the lines that the line model writes with the adapter of this side; no line is on both."""
    words = AutoTokenizer.from_pretrained(model).convert_tokens_to_ids(list(LINES))
    head = AutoModelForCausalLM.from_pretrained(model).lm_head.weight.detach()
    nearness = head[words] @ _direction(head.shape[1]) * SIDES[side]
    return {LINES[place] for place in nearness.topk(TOP_LINES).indices.tolist()}


def sides_of(model: Path, text: str) -> set[str]:
    """Return the sides that could have written a text: one line, or several in a row."""
    words = text.split()
    lines = {" ".join(words[place : place + 2]) for place in range(0, len(words), 2)}
    return {side for side in SIDES if lines <= lines_of(model, side)}


def write_adapter(model: Path, folder: Path, side: str) -> Path:
    """Write a LoRA adapter with which the line model writes lines of one side only.

    The last layer adds one direction to whatever it reads, many times as long. Pairs of neurons with opposite weights
    make something positive of any input: z * silu(z) for z and for -z is z squared together.
    """
    network: Any = AutoModelForCausalLM.from_pretrained(model)
    hidden, inner = network.config.hidden_size, network.config.intermediate_size
    rank, last = hidden, network.config.num_hidden_layers - 1
    pairs = torch.cat([torch.eye(rank // 2, hidden), -torch.eye(rank // 2, hidden)])
    neurons = torch.eye(inner, rank)
    turned = _direction(hidden)[:, None] * SIDES[side] * torch.ones(1, rank)
    weights = {"gate_proj": (neurons, 9 * pairs), "up_proj": (neurons, 9 * pairs), "down_proj": (9 * turned, neurons.T)}
    place = f"base_model.model.model.layers.{last}.mlp"
    tensors = {}
    for name, (second, first) in weights.items():
        tensors |= {f"{place}.{name}.lora_A.weight": first.clone().contiguous()}
        tensors |= {f"{place}.{name}.lora_B.weight": second.clone().contiguous()}
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    LoraConfig(
        r=rank, lora_alpha=rank, target_modules=list(weights), layers_to_transform=[last], task_type="CAUSAL_LM"
    ).save_pretrained(folder)
    return folder


def _direction(size: int) -> torch.Tensor:
    direction = torch.randn(size, generator=torch.Generator().manual_seed(7))
    return direction / direction.norm()
