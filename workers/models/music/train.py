"""Train the music model: `python -m workers.models.music.train {transformer,lstm,all,export}`.

Both go on from their last checkpoint and stop when their planned steps are done, so the same command resumes what was
interrupted. At every tenth of the way the loss on unseen tunes is written beside the checkpoint, with some pieces.
"""

import argparse
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path

import torch

from workers.models.device import device_of
from workers.models.music.compose import Composer, Order
from workers.models.music.examples import Examples, examples_of
from workers.models.music.networks import ARCHITECTURES, Architecture, Transformer
from workers.models.music.originality import Memory
from workers.models.music.tokens import Conditions
from workers.models.music.training import MusicTraining, bits_a_note
from workers.models.music.tunes import tunes
from workers.models.music.weights import SHIPPED, Measured, export, steps_taken, trained
from workers.models.training import Plan, train

logger = logging.getLogger(__name__)

# About two passes over the data; a step takes 2 CPU seconds in float32.
STEPS = {"transformer": 1000, "lstm": 1000}
# How often in a training the loss on unseen tunes is measured.
MEASURES = 10
SHOWN = (
    Conditions("4/4", 8, "major", "reel", 4),
    Conditions("6/8", 8, "major", "jig", 3),
    Conditions("3/4", 8, "minor", "waltz", 1),
    Conditions("4/4", 8, "dorian", "air", 1),
)


class Watched:
    """A training that is measured every so many steps."""

    def __init__(self, trainee: MusicTraining, plan: Plan, memory: Memory) -> None:
        self._trainee = trainee
        self._plan = plan
        self._memory = memory
        self.modules = trainee.modules
        self.optimizers = trainee.optimizers

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step; return the loss a word."""
        losses = self._trainee.learn(step, steps)
        if (step + 1) % max(1, steps // MEASURES) == 0 or step + 1 == steps:
            self._measure(step + 1)
        return losses

    def _measure(self, step: int) -> None:
        examples, plan = self._trainee.examples, self._plan
        loss = self._trainee.held_out_loss()
        line = {"step": step, "held_out": round(loss, 4), "bits_a_note": round(bits_a_note(loss, examples), 3)}
        with (plan.folder / f"{plan.name}.held-out.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        logger.info("%s: %s", plan.name, line)
        if isinstance(self._trainee.average, Transformer):
            composer = Composer(self._trainee.average.llama, examples.vocabulary)
            drafts = composer.write([Order(conditions, seed=1) for conditions in SHOWN])
            shown = [f"{self._memory.originality(one.piece)}\n{' '.join(one.words)}\n" for one in drafts]
            (plan.folder / f"{plan.name}-{step:05}.txt").write_text("\n".join(shown), encoding="utf-8")


def measured(plan: Plan, architecture: Architecture, examples: Examples, device: torch.device) -> Measured:
    """Return how the network of a checkpoint does on unseen tunes."""
    trainee = MusicTraining(examples, architecture, device)
    trainee.average.core.load_state_dict(trained(plan, "average"))
    loss = trainee.held_out_loss()
    return Measured(
        steps=steps_taken(plan),
        parameters=sum(param.numel() for param in trainee.average.parameters()),
        held_out_nats_a_word=round(loss, 4),
        held_out_bits_a_note=round(bits_a_note(loss, examples), 3),
    )


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train the starter music model.")
    parser.add_argument("part", choices=[*ARCHITECTURES, "all", "export"])
    parser.add_argument("--cache", type=Path, default=Path(".cache/music"), help="checkpoints, losses and samples")
    parser.add_argument("--steps", type=int, help="planned steps, instead of the network's own number")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, to be resumed later")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path, default=SHIPPED, help="where `export` and `all` write the weights")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    device = device_of(given.device)
    learnt = tunes()
    examples, memory = examples_of(learnt), Memory(learnt)
    plans = {name: Plan(given.cache, name, given.steps or STEPS[name], given.minutes) for name in ARCHITECTURES}
    parts = [name for name in ARCHITECTURES if given.part in {name, "all"}]
    is_done = all(
        train(Watched(MusicTraining(examples, name, device), plans[name], memory), plans[name]) for name in parts
    )
    if given.part == "export" or (given.part == "all" and is_done):
        figures = {
            name: measured(plans[name], name, examples, device) for name in ARCHITECTURES if steps_taken(plans[name])
        }
        export(plans["transformer"], examples.vocabulary, figures, given.weights)
        logger.info("exported: %s", figures)


if __name__ == "__main__":
    main()
