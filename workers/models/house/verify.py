"""Fit the verifier of the house adapter to judged lines. `python -m workers.models.house.verify`.

A ridge regression in closed form: the same judgements and weights give the same verifier.
"""

import argparse
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from core.errors import StateError
from workers.checks.awkward import awkwardness
from workers.models.copy import CopyModel
from workers.models.copy_loading import HOUSE_FOLDER, STARTER, load
from workers.models.house.judgements import Judgement, judgements
from workers.models.verifier import Verifier

logger = logging.getLogger(__name__)

# Of thirty. Deeper ones know the next token, lower ones the words; measured in docs/decisions/0004-copy-quality.md.
LAYERS = (18, 21)
PENALTY = 6000.0
# Verdicts a nat of merit; of the judged lines it is 0.2 without a verifier.
LEAST_SLOPE = 0.02
FOLDS = 8
SEED = 7


@dataclass(frozen=True)
class Evidence:
    """What is known of judged lines: (lines, features) held by the model, and their merit and verdicts (lines,)."""

    held: torch.Tensor
    merit: torch.Tensor
    fit: torch.Tensor

    def at(self, places: Sequence[int]) -> Self:
        """Return a part of it."""
        return type(self)(self.held[places], self.merit[places], self.fit[places])


def evidence_of(model: CopyModel, judged: Sequence[Judgement]) -> Evidence:
    """Return what a model with its adapter holds of judged lines, and how it ranks them without a verifier."""
    lines = [one.line for one in judged]
    awkward = torch.tensor([awkwardness(line.text, line.brief) for line in lines])
    return Evidence(
        held=model.hidden_of(lines, LAYERS).double(),
        merit=torch.tensor(model.fluencies(lines)).double() - awkward.double(),
        fit=torch.tensor([one.fit for one in judged]).double(),
    )


def fitted(evidence: Evidence) -> tuple[torch.Tensor, float]:
    """Return a probe and its bias, in the units of merit, that together with merit tell best which lines are fit.

    Raises StateError where merit itself tells nothing.
    """
    mean, spread = evidence.held.mean(0), evidence.held.std(0) + 1e-6
    columns = torch.cat(
        [(evidence.held - mean) / spread, evidence.merit[:, None], torch.ones(len(evidence.fit), 1).double()], 1
    )
    penalties = torch.full((columns.shape[1],), PENALTY).double()
    # Neither merit nor the mean is held back.
    penalties[-2:] = 0.0
    found = torch.linalg.solve(columns.T @ columns + penalties.diag(), columns.T @ evidence.fit)
    if found[-2] < LEAST_SLOPE:
        raise StateError(
            "merit says nothing of these verdicts, so a verifier has no unit: judge more lines of this adapter"
        )
    probe = found[:-2] / spread / found[-2]
    return probe, -float(mean @ probe)


def cross_validated(evidence: Evidence, products: Sequence[str]) -> torch.Tensor:
    """Return the merit of each line with a verifier that saw no line of its product."""
    names = sorted(set(products))
    random.Random(SEED).shuffle(names)
    fold_of = {name: number % FOLDS for number, name in enumerate(names)}
    found = evidence.merit.clone()
    for fold in range(FOLDS):
        seen = [place for place, product in enumerate(products) if fold_of[product] != fold]
        unseen = [place for place, product in enumerate(products) if fold_of[product] == fold]
        probe, bias = fitted(evidence.at(seen))
        found[unseen] += evidence.held[unseen] @ probe + bias
    return found


def main() -> None:
    """Read the command line, fit, tell how well it does on products that it did not see, and write."""
    parser = argparse.ArgumentParser(description="Fit the verifier of the house adapter to judged lines.")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="folder of the starter model")
    parser.add_argument("--adapter", type=Path, default=HOUSE_FOLDER, help="whose lines it judges")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    judged = judgements()
    logger.info("%d lines of %d products", len(judged), len({one.product for one in judged}))
    evidence = evidence_of(
        load(STARTER, str(given.adapter), "cpu", "auto", given.cache / "models", given.threads), judged
    )
    verified = cross_validated(evidence, [one.product for one in judged])
    _tell("merit alone", evidence.merit, evidence.fit)
    _tell("with the verifier", verified, evidence.fit)
    if _correlation(verified, evidence.fit) <= _correlation(evidence.merit, evidence.fit):
        raise SystemExit("on products that it did not see the verifier tells less than merit alone: nothing is written")
    probe, bias = fitted(evidence)
    parts = probe.float().chunk(2 * len(LAYERS))
    of_all, of_last = (dict(zip(LAYERS, some, strict=True)) for some in (parts[: len(LAYERS)], parts[len(LAYERS) :]))
    Verifier(of_all, of_last, bias).write(given.adapter)


def _tell(name: str, merit: torch.Tensor, verdicts: torch.Tensor) -> None:
    """Log how well lines are ranked by their merit."""
    logger.info("%s: correlation with the verdicts %.3f", name, _correlation(merit, verdicts))
    order = merit.argsort(descending=True)
    for percent in (20, 30, 50, 70):
        best = order[: len(merit) * percent // 100]
        fit, false = (100 * float((verdicts[best] == verdict).double().mean()) for verdict in (1, 0))
        logger.info("  best %d %%: floor %.2f, fit %.0f %%, false %.0f %%", percent, merit[best[-1]], fit, false)


def _correlation(left: torch.Tensor, right: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([left, right]))[0, 1])


if __name__ == "__main__":
    main()
