"""One loop for every training here: planned steps, a log, and checkpoints that survive a kill at any moment.

All randomness of a step comes from its number, so a training that was interrupted ends with the same weights.
"""

import json
import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import nn

logger = logging.getLogger(__name__)

LOG_STEPS = 50
CHECKPOINT_SECONDS = 30.0
STEP_COUNT = "step"


class Trainee(Protocol):
    """Something that learns step by step, and what must be kept to go on as if nothing had happened."""

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Return the networks by name."""
        ...

    @property
    def optimizers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Return the optimizers by name."""
        ...

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one of the planned steps; return its losses."""
        ...


@dataclass(frozen=True)
class Plan:
    """How long to train, and where the state is kept. `minutes` ends this run early, `steps` ends the training."""

    folder: Path
    name: str
    steps: int
    minutes: float = math.inf

    @property
    def checkpoint(self) -> Path:
        """Return the file of the checkpoint."""
        return self.folder / f"{self.name}.checkpoint.safetensors"

    @property
    def log(self) -> Path:
        """Return the file of the losses, one JSON object a line."""
        return self.folder / f"{self.name}.losses.jsonl"


def generator_at(seed: int, step: int) -> torch.Generator:
    """Return the randomness of one step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def warm_and_fall(step: int, steps: int, warm_up: int = 50) -> float:
    """Return the part of the learning rate at a step: up in a line, then down to nothing."""
    remaining: float = (1 - step / steps) ** 0.7
    return min(1.0, (step + 1) / warm_up) * remaining


def train(trainee: Trainee, plan: Plan) -> bool:
    """Train from the last checkpoint on; tell whether the plan is fulfilled."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    step = resume(trainee, plan.checkpoint)
    logger.info("%s: step %d of %d", plan.name, step, plan.steps)
    started, saved, cpu = time.monotonic(), time.monotonic(), time.process_time()
    losses: list[Mapping[str, float]] = []
    while step < plan.steps and time.monotonic() - started < plan.minutes * 60:
        losses.append(trainee.learn(step, plan.steps))
        step += 1
        if len(losses) == LOG_STEPS or step == plan.steps:
            _log(plan, step, losses, time.process_time() - cpu)
            losses, cpu = [], time.process_time()
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save(trainee, plan.checkpoint, step)
            saved = time.monotonic()
    save(trainee, plan.checkpoint, step)
    return step >= plan.steps


def _log(plan: Plan, step: int, losses: list[Mapping[str, float]], cpu_seconds: float) -> None:
    means = {key: round(sum(one[key] for one in losses) / len(losses), 4) for key in losses[0]}
    cpu_ms = round(1000 * cpu_seconds / len(losses))
    with plan.log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, **means, "cpu_ms_a_step": cpu_ms, "at": round(time.time())}) + "\n")
    shown = " ".join(f"{key} {value}" for key, value in means.items())
    logger.info("%s: step %d of %d: %s (%d CPU ms a step)", plan.name, step, plan.steps, shown, cpu_ms)


def save(trainee: Trainee, path: Path, step: int) -> None:
    """Write the checkpoint beside the old one and swap them."""
    tensors = {"step": torch.tensor(step)}
    for module_name, module in trainee.modules.items():
        tensors |= {f"module/{module_name}/{key}": value for key, value in module.state_dict().items()}
    names = _names(trainee)
    for optimizer_name, optimizer in trainee.optimizers.items():
        for param, state in optimizer.state.items():
            assert isinstance(param, nn.Parameter)
            tensors |= {f"optimizer/{optimizer_name}/{names[param]}/{key}": value for key, value in state.items()}
    draft = path.with_suffix(f".{os.getpid()}.draft")
    save_file({key: value.contiguous() for key, value in tensors.items()}, draft)
    draft.replace(path)


def resume(trainee: Trainee, path: Path) -> int:
    """Load the checkpoint if there is one; return the number of the next step."""
    if not path.is_file():
        return 0
    tensors = load_file(path)
    for module_name, module in trainee.modules.items():
        prefix = f"module/{module_name}/"
        module.load_state_dict({key.removeprefix(prefix): tensors[key] for key in tensors if key.startswith(prefix)})
    params = {name: param for param, name in _names(trainee).items()}
    for key, value in tensors.items():
        if key.startswith("optimizer/"):
            _, optimizer_name, param_name, field = key.split("/")
            param = params[param_name]
            # AdamW counts its steps on the CPU; all else belongs where the weights are.
            trainee.optimizers[optimizer_name].state[param][field] = (
                value if field == STEP_COUNT else value.to(param.device)
            )
    return int(tensors["step"])


def _names(trainee: Trainee) -> dict[nn.Parameter, str]:
    return {
        param: f"{module_name}.{key}"
        for module_name, module in trainee.modules.items()
        for key, param in module.named_parameters()
    }
