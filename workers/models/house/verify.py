"""Fit the verifier of the house adapter to judged lines. `python -m workers.models.house.verify`.

A ridge regression in closed form: the same judgements and weights give the same verifier.
"""

import argparse
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from core.errors import StateError
from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.awkward import awkwardness
from workers.checks.copy import check, repair
from workers.models.copy_loading import HOUSE_FOLDER, STARTER, load
from workers.models.tuning.trees import Line
from workers.models.verifier import Verifier

logger = logging.getLogger(__name__)

JUDGEMENTS = Path(__file__).parent / "judgements.jsonl"
# Of thirty. Deeper ones know the next token, lower ones the words; measured in docs/decisions/0004-copy-quality.md.
LAYERS = (18, 21)
PENALTY = 3000.0
# Verdicts a nat of merit; of the judged lines it is 0.2 without a verifier.
LEAST_SLOPE = 0.02
FOLDS = 8
SEED = 7


@dataclass(frozen=True)
class Judgement:
    """A line with a reader's verdict: 1 is fit as it stands, 0.5 is true but to be touched up, 0 is false or unfit."""

    line: Line
    fit: float

    @property
    def product(self) -> str:
        """Return what a fold must not share with another."""
        return f"{self.line.brief.brand.name}/{self.line.brief.product.name}"

    @classmethod
    def of(cls, row: dict[str, str | float | None]) -> Self:
        """Return the judgement of a row of the file."""
        brief = Brief(
            brand=Brand(name=row["brand"], voice=row["voice"]),
            product=Product(
                sku="judged", name=row["product"], description=row["about"], price=row["price"], offer=row["offer"]
            ),
            audience=Audience(id="readers", description=row["audience"]),
            channel=row["channel"],
            style=Style(str(row["style"])),
        )
        return cls(Line(brief, str(row["text"])), float(row["fit"] or 0.0))


def judgements() -> list[Judgement]:
    """Return verdicts to learn from: on lines that pass the checks and are still written so, but none that measure."""
    rows = (json.loads(line) for line in JUDGEMENTS.read_text(encoding="utf-8").splitlines())
    judged = [Judgement.of(row) for row in rows if not row.get("is_held_out")]
    return [one for one in judged if _is_offered(one.line)]


def _is_offered(line: Line) -> bool:
    return repair(line.text, line.brief) == line.text and all(one.passed for one in check(line.text, line.brief))


@dataclass(frozen=True)
class Evidence:
    """What is known of judged lines: (lines, features) held by the model, and their merit and verdicts (lines,)."""

    held: torch.Tensor
    merit: torch.Tensor
    fit: torch.Tensor

    def at(self, places: Sequence[int]) -> Self:
        """Return a part of it."""
        return type(self)(self.held[places], self.merit[places], self.fit[places])


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
    model = load(STARTER, str(given.adapter), "cpu", "auto", given.cache / "models", given.threads)
    lines = [one.line for one in judged]
    evidence = Evidence(
        held=model.hidden_means(lines, LAYERS).double(),
        merit=torch.tensor(
            [
                fluency - awkwardness(line.text, line.brief)
                for line, fluency in zip(lines, model.fluencies(lines), strict=True)
            ]
        ).double(),
        fit=torch.tensor([one.fit for one in judged]).double(),
    )
    verified = cross_validated(evidence, [one.product for one in judged])
    for name, merit in (("merit alone", evidence.merit), ("with the verifier", verified)):
        logger.info("%s: correlation with the verdicts %.3f", name, _correlation(merit, evidence.fit))
        for part in (0.2, 0.3, 0.5, 0.7):
            best = evidence.fit[merit.argsort(descending=True)[: int(part * len(merit))]]
            fit, false = (best == 1).double().mean(), (best == 0).double().mean()
            floor = merit.sort(descending=True).values[int(part * len(merit)) - 1]
            logger.info(
                "  best %.0f %%: floor %.2f, fit %.0f %%, false %.0f %%", 100 * part, floor, 100 * fit, 100 * false
            )
    if _correlation(verified, evidence.fit) <= _correlation(evidence.merit, evidence.fit):
        raise SystemExit("on products that it did not see the verifier tells less than merit alone: nothing is written")
    probe, bias = fitted(evidence)
    Verifier(dict(zip(LAYERS, probe.float().chunk(len(LAYERS)), strict=True)), bias).write(given.adapter)


def _correlation(left: torch.Tensor, right: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([left, right]))[0, 1])


if __name__ == "__main__":
    main()
