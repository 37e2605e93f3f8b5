"""The weights of the starter music model: taken from the checkpoint of a training and saved as a standard folder."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from core.errors import StateError
from workers.models.music.networks import Architecture, Transformer
from workers.models.music.tokens import tokenizer_of
from workers.models.training import Plan

SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Measured:
    """How far a network was trained, and its loss on tunes that it never saw."""

    steps: int
    parameters: int
    held_out_nats_a_word: float
    held_out_bits_a_note: float


def trained(plan: Plan, module: str) -> dict[str, torch.Tensor]:
    """Return the weights of a module in the checkpoint of a plan, whether that is fulfilled or not."""
    if not plan.checkpoint.is_file():
        raise StateError(
            f"{plan.name} is not trained in {plan.folder}: run `factory models train-starter music {plan.name}`"
        )
    prefix = f"module/{module}/"
    tensors = load_file(plan.checkpoint)
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def steps_taken(plan: Plan) -> int:
    """Return how many steps are behind the checkpoint of a plan."""
    return int(load_file(plan.checkpoint)["step"]) if plan.checkpoint.is_file() else 0


def save_folder(network: Transformer, vocabulary: dict[str, int], folder: Path) -> None:
    """Write a network and its words as a folder that transformers loads, in half precision."""
    llama: Any = network.llama
    llama.half().save_pretrained(folder)
    tokenizer_of(vocabulary).save_pretrained(folder)
    # safetensors writes files that nobody else may read.
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)


def export(
    plan: Plan, vocabulary: dict[str, int], measured: Mapping[Architecture, Measured], folder: Path = SHIPPED
) -> None:
    """Write what the checkpoint of the transformer holds, and how each architecture measured."""
    network = Transformer(len(vocabulary))
    network.core.load_state_dict(trained(plan, "average"))
    save_folder(network, vocabulary, folder)
    record = {name: asdict(one) for name, one in measured.items()}
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
