"""Lines that readers judged, one by one: what the verifier and the last stage of the house adapter learn from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.copy import check, repair
from workers.models.tuning.trees import Line

JUDGEMENTS = Path(__file__).parent / "judgements.jsonl"


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
