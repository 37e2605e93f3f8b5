"""The last stage of the house adapter: judged lines teach which of two is better.

`python -m workers.models.house.prefer`, by the same tuner that learns from ratings; a killed training goes on from its
last checkpoint.
"""

import argparse
import hashlib
import logging
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.models.copy_loading import HOUSE_FOLDER, STARTER
from workers.models.house.judgements import Judgement, judgements
from workers.models.starter import sha256_of
from workers.models.tuning.copy import CopyTuner
from workers.models.tuning.protocol import Judged, Lesson, Place

logger = logging.getLogger(__name__)

RECIPE = curriculum().recipes[Kind.COPY].model_copy(update={"epochs": 1, "learning_rate": 2e-4})
MOST_PAIRS_OF_A_LINE = 4
SEED = 7


def lessons(judged: Sequence[Judgement]) -> list[Lesson]:
    """Return pairs of lines of one product with different verdicts; no line is in more than a few of them."""
    by_product: dict[str, list[Judgement]] = defaultdict(list)
    for one in judged:
        by_product[one.product].append(one)
    dice = random.Random(SEED)
    found = []
    for product, some in sorted(by_product.items()):
        pairs = [(better, worse) for better in some for worse in some if better.fit > worse.fit]
        dice.shuffle(pairs)
        used: Counter[int] = Counter()
        for better, worse in pairs:
            if max(used[id(better)], used[id(worse)]) < MOST_PAIRS_OF_A_LINE:
                used.update((id(better), id(worse)))
                found.append(Lesson(product, _judged(better), _judged(worse), better.fit - worse.fit))
    return found


def _judged(one: Judgement) -> Judged:
    return Judged(one.line.brief, one.line.text)


def main() -> None:
    """Read the command line, train, and write the adapter."""
    parser = argparse.ArgumentParser(description="Let the house adapter learn from judged lines.")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of starter model and checkpoint")
    parser.add_argument(
        "--adapter", type=Path, required=True, help="what it goes on from: the adapter of the stage before"
    )
    parser.add_argument("--out", type=Path, default=HOUSE_FOLDER, help="where the adapter is written")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pairs = lessons(judgements())
    logger.info("%d pairs of %d products", len(pairs), len({pair.product for pair in pairs}))

    def watch(step: int, steps: int, losses: Mapping[str, float]) -> None:
        logger.info(
            "step %d of %d: %s", step, steps, ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        )

    tuner = CopyTuner(STARTER, given.cache / "models", RECIPE, Place("cpu", "auto", given.threads))
    # Another adapter, other pairs or another recipe are another training.
    begins = [sha256_of(path) for path in sorted(given.adapter.glob("*.safetensors"))]
    name = hashlib.sha256(repr((begins, pairs, RECIPE)).encode()).hexdigest()[:16]
    version = tuner.tune(given.adapter, pairs, given.cache / "house-preferences" / name, watch)
    shutil.copytree(version, given.out, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
