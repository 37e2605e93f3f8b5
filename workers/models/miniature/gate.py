"""Are the pictures what was asked for? `python -m workers.models.miniature.gate` measures it by the scorer.

Each generated picture is compared with the training picture of every concept. Recall at 1 is the part that is nearest
to its own concept.
"""

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from workers.models.miniature.concepts import concepts, held_out_captions
from workers.models.miniature.flow import STRENGTH
from workers.models.miniature.sample import ad_prompts, latents_for
from workers.models.miniature.weights import SHIPPED, Networks, networks

logger = logging.getLogger(__name__)

BATCH = 19
# What shipped weights must reach, drawing as a worker does: from the nearest concept.
LEAST_RECALL = {"labels": 0.8, "held-out captions": 0.6}


@dataclass(frozen=True)
class Recall:
    """Of how many generated pictures the right concept is the first, or among the first five."""

    prompts: str
    path: str
    at_1: float
    at_5: float


@torch.no_grad()
def recall(nets: Networks, prompts: Sequence[tuple[str, str]], *, strength: float | None) -> tuple[float, float]:
    """Return recall at 1 and at 5 for prompts with the names of their concepts."""
    gallery = nets.scorer.of_pictures(nets.library.latents)
    ranks = []
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        latents = latents_for(nets, [prompt for prompt, _ in part], range(start, start + len(part)), strength=strength)
        order = (nets.scorer.of_pictures(latents) @ gallery.T).argsort(dim=1, descending=True)
        right = torch.tensor([nets.library.names.index(name) for _, name in part])
        ranks.append((order == right[:, None]).int().argmax(dim=1))
    rank = torch.cat(ranks)
    return float((rank < 1).float().mean()), float((rank < 5).float().mean())


def measure(nets: Networks, strengths: Sequence[float | None], every: int = 1) -> list[Recall]:
    """Return the recall of labels, held-out captions and ad prompts on each path; of every so many concepts."""
    some = concepts()[::every]
    sets = {
        "labels": [(concept.name, concept.name) for concept in some],
        "held-out captions": [(held_out_captions(concept)[0], concept.name) for concept in some],
        "ad prompts": ad_prompts(),
    }
    measured = []
    for strength in strengths:
        path = "plain" if strength is None else f"from the nearest concept at {strength}"
        for name, prompts in sets.items():
            at_1, at_5 = recall(nets, prompts, strength=strength)
            measured.append(Recall(name, path, round(at_1, 3), round(at_5, 3)))
            logger.info("%s, %s: recall at 1 %.2f, at 5 %.2f", name, path, at_1, at_5)
    return measured


def main() -> None:
    """Measure, print one JSON object a line, and fail if the shipped weights do not pass."""
    parser = argparse.ArgumentParser(description="Measure whether the starter image model draws what is asked for.")
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--every", type=int, default=1, help="use only every so many concepts")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(given.threads)
    measured = measure(networks(given.weights), [None, STRENGTH], given.every)
    (given.weights / "gate.json").write_text(
        "".join(json.dumps(asdict(one)) + "\n" for one in measured), encoding="utf-8"
    )
    failed = [one for one in measured if one.path != "plain" and one.at_1 < LEAST_RECALL.get(one.prompts, 0.0)]
    raise SystemExit(f"below what is asked: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
