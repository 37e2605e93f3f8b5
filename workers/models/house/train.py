"""Train the house adapter: a LoRA on the starter model, from the seed lines. `python -m workers.models.house.train`.

A killed training goes on from its last checkpoint and gives the same weights.
"""

import argparse
import json
import logging
import math
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from workers.models.device import CPU, device_of
from workers.models.house.lines import SeedBrief, seed_briefs, train_and_held_out
from workers.models.starter import starter_folder
from workers.models.tuning.lora import LoraShape, add_lora, masters_of, read_weights, write_adapter
from workers.models.tuning.trees import BRANCHES, Line, Pack, log_probabilities, pack

logger = logging.getLogger(__name__)

ADAPTER = Path(__file__).parent / "adapter"
SHAPE = LoraShape(rank=16, alpha=32)
PACKS_A_STEP = 2
WARM_UP_STEPS = 20
CHECKPOINT_STEPS = 25
SEED = 7
BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"


# Families of briefs whose lines are plain, facts in the words of the brief, in sentences that fit any product; and of
# those whose facts have several doers, parts or conditions, which plain lines keep apart.
PLAIN = "plain"
CAREFUL = "careful"
SETS = "sets"
TERMS = "terms"


@dataclass(frozen=True)
class Stage:
    """A part of the training: how often over the lines of which families, and the highest learning rate.

    None stands for all families without a name of their own here.
    """

    epochs: int
    learning_rate: float
    families: tuple[str | None, ...]


# First the trade, from lines in all styles; then the plain way in which a small model makes the fewest mistakes; then
# who does what, and what belongs to which part.
STAGES = (
    Stage(epochs=2, learning_rate=5e-4, families=(None,)),
    Stage(epochs=2, learning_rate=5e-4, families=(PLAIN,)),
    Stage(epochs=2, learning_rate=3e-4, families=(CAREFUL,)),
    Stage(epochs=1, learning_rate=3e-4, families=(CAREFUL,)),
    Stage(epochs=1, learning_rate=2e-4, families=(SETS,)),
    Stage(epochs=1, learning_rate=2e-4, families=(TERMS,)),
)


def groups_of_epoch(briefs: Sequence[SeedBrief], epoch: str) -> list[list[Line]]:
    """Return what is packed together; the order follows from the name of the epoch alone."""
    order = random.Random(f"{SEED}-{epoch}")
    groups = [group for brief in briefs for group in _groups(brief, order)]
    order.shuffle(groups)
    return groups


def _groups(brief: SeedBrief, order: random.Random) -> list[list[Line]]:
    """Deal the lines of a brief out, channel by channel in any order, about `BRANCHES` at a time."""
    names = sorted({line.brief.channel for line in brief.lines})
    order.shuffle(names)
    lines = sorted(brief.lines, key=lambda line: names.index(line.brief.channel))
    return [lines[start : start + BRANCHES] for start in range(0, len(lines), BRANCHES)]


class Training:
    """A model under training with its optimizer and where it stands."""

    def __init__(self, folder: Path, checkpoint: Path, device: torch.device = CPU) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        self.model = model.to(device)
        self.weights = add_lora(self.model, SHAPE, SEED)
        self.masters = masters_of(self.weights)
        # On a CPU one weight after the other needs less memory, and takes as long.
        self._foreach = device.type != "cpu"
        self.optimizer = torch.optim.AdamW(self.masters.values(), weight_decay=0.0, foreach=self._foreach)
        self.checkpoint = checkpoint
        self.step = 0

    def learn(self, packs: Sequence[Pack], learning_rate: float) -> float:
        """Take one optimizer step; return the loss a token."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        tokens = sum(len(packed.targets) for packed in packs)
        loss_sum = 0.0
        for packed in packs:
            loss = -log_probabilities(self.model, packed).sum() / tokens
            loss.backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach())
        for name, weight in self.weights.items():
            assert weight.grad is not None
            self.masters[name].grad = weight.grad.float()
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters.values(), 1.0, foreach=self._foreach)
        self.optimizer.step()
        self._copy_masters()
        self.step += 1
        return loss_sum

    @torch.no_grad()
    def held_out_loss(self, briefs: Sequence[SeedBrief]) -> float:
        """Return the loss a token on briefs that are not trained on."""
        total, count = 0.0, 0
        for brief in briefs:
            for start in range(0, len(brief.lines), BRANCHES):
                packed = pack(self.tokenizer, brief.lines[start : start + BRANCHES])
                total -= float(log_probabilities(self.model, packed).sum())
                count += len(packed.targets)
        return total / count

    def save(self) -> None:
        """Write the checkpoint beside the old one and swap them, so that a kill leaves one that is whole."""
        draft = self.checkpoint.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        tensors = {f"weight.{name}": master for name, master in self.masters.items()}
        for name, master in self.masters.items():
            state = self.optimizer.state[master]
            tensors |= {f"{key}.{name}": state[key] for key in ("exp_avg", "exp_avg_sq")}
        save_file(tensors, draft / "state.safetensors")
        (draft / "state.json").write_text(json.dumps({"step": self.step}), encoding="utf-8")
        shutil.rmtree(self.checkpoint, ignore_errors=True)
        draft.rename(self.checkpoint)

    def resume(self) -> bool:
        """Go on from the checkpoint; return whether there is one."""
        if not (self.checkpoint / "state.json").is_file():
            return False
        self.step = json.loads((self.checkpoint / "state.json").read_text(encoding="utf-8"))["step"]
        tensors = load_file(self.checkpoint / "state.safetensors")
        for name, master in self.masters.items():
            master.copy_(tensors[f"weight.{name}"])
            moments = {key: tensors[f"{key}.{name}"].to(master.device) for key in ("exp_avg", "exp_avg_sq")}
            self.optimizer.state[master] = {"step": torch.tensor(float(self.step)), **moments}
        self._copy_masters()
        return True

    @torch.no_grad()
    def _copy_masters(self) -> None:
        for name, weight in self.weights.items():
            weight.copy_(self.masters[name])

    @torch.no_grad()
    def load_adapter(self, folder: Path) -> None:
        """Go on from a written adapter, with a new optimizer."""
        for name, weight in read_weights(folder).items():
            self.masters[name].copy_(weight)
        self._copy_masters()

    def export(self, folder: Path) -> None:
        """Write the adapter as PEFT reads it, in bfloat16; nothing is pickled."""
        write_adapter(folder, self.weights, SHAPE, BASE)


def train(
    cache: Path, adapter: Path = ADAPTER, threads: int = 2, first_stage: int = 1, device: torch.device = CPU
) -> None:
    """Train the house adapter and write it; `cache` holds the starter model and the checkpoint.

    A later first stage goes on from the adapter that is there.
    """
    torch.set_num_threads(threads)
    taught, held_out = train_and_held_out(seed_briefs())
    training = Training(starter_folder(cache / "models"), cache / "house-checkpoint", device)
    if not training.resume() and first_stage > 1:
        training.load_adapter(adapter)
    first_step = 0
    for number, stage in enumerate(STAGES[first_stage - 1 :], start=first_stage):
        briefs = [brief for brief in taught if _stage_family(brief) in stage.families]
        logger.info("stage %d: %d lines of %d briefs", number, sum(len(b.lines) for b in briefs), len(briefs))
        orders = [groups_of_epoch(briefs, f"{number}-{epoch}") for epoch in range(stage.epochs)]
        batches = [order[i : i + PACKS_A_STEP] for order in orders for i in range(0, len(order), PACKS_A_STEP)]
        if training.step < first_step + len(batches):
            _take(training, stage, batches, first_step)
            training.export(adapter)
            for family in (TERMS, SETS, CAREFUL, PLAIN, None):
                loss = training.held_out_loss([brief for brief in held_out if _stage_family(brief) == family])
                logger.info("held-out loss of %s briefs: %.3f", family or "all other", loss)
        first_step += len(batches)


def _stage_family(brief: SeedBrief) -> str | None:
    return brief.family if brief.family in (PLAIN, CAREFUL, SETS, TERMS) else None


def _take(training: Training, stage: Stage, batches: Sequence[list[list[Line]]], first_step: int) -> None:
    """Go through a stage from where the training stands."""
    losses: list[float] = []
    for number in range(training.step - first_step, len(batches)):
        packs = [pack(training.tokenizer, group) for group in batches[number]]
        losses.append(training.learn(packs, stage.learning_rate * _schedule(number, len(batches))))
        if training.step % CHECKPOINT_STEPS == 0 or number == len(batches) - 1:
            training.save()
            mean = sum(losses) / len(losses)
            logger.info("step %d, %d of %d: loss %.3f", training.step, number + 1, len(batches), mean)
            losses = []


def _schedule(step: int, total: int) -> float:
    """Return the part of the learning rate at a step: up in a line, down in half a cosine to a twentieth."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (0.525 + 0.475 * math.cos(math.pi * step / total))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the house adapter on the seed lines.")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of starter model and checkpoint")
    parser.add_argument("--adapter", type=Path, default=ADAPTER, help="where the adapter is written")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--first-stage", type=int, default=1, help="go on from the written adapter with this stage")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(given.cache, given.adapter, given.threads, given.first_stage, device_of(given.device))


if __name__ == "__main__":
    main()
