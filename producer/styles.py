"""What ratings say of styles, by model, channel and audience, and how often each style is chosen next."""

from collections import defaultdict
from collections.abc import Sequence

from core.bandit import Cell, Evidence, estimate, posterior
from core.ledger import Ledger
from producer.plan import styles_of
from schemas.channels import channels
from schemas.frozen import Frozen
from schemas.styles import Arm, Style


class StyleRecord(Frozen):
    """How the lines of a style are received, and its part of the next choices."""

    style: Style
    # About its lines for this channel and audience, as so many independent ones of today.
    answers: float
    # The share of yes, and where it is with a probability of 95 %.
    mean: float
    low: float
    high: float
    share: float

    @classmethod
    def of(cls, arm: Arm) -> "StyleRecord":
        """Return an arm as it is shown."""
        found = estimate(arm)
        mean, low, high = (round(value, 4) for value in (found.value, found.low, found.high))
        return cls(style=arm.style, answers=round(arm.answers, 2), mean=mean, low=low, high=high, share=arm.share)


class StylesRecord(Frozen):
    """The styles that a model may write in for a channel and an audience."""

    model: str
    channel: str
    audience: str
    styles: tuple[StyleRecord, ...]


def styles_records(ledger: Ledger, tenant: str, most: int | None = None) -> tuple[list[StylesRecord], int]:
    """Return what a tenant's people said of styles, where they said the most, and how many more cells there are."""
    found = [
        (heard, cell, evidence)
        for model, evidence in ledger.styles.evidence(tenant).items()
        for cell, heard in _heard(model, evidence).items()
        # A channel may have left the list since.
        if cell.channel in channels()
    ]
    # What is known of a cell takes a look at all evidence, so only of those that are shown.
    found.sort(key=lambda one: (-one[0], one[1]))
    records = [_record(ledger, cell, evidence) for _, cell, evidence in found[:most]]
    return records, len(found) - len(records)


def _heard(model: str, evidence: Sequence[Evidence]) -> dict[Cell, float]:
    """Return how much was said in each cell of a model."""
    heard: dict[Cell, float] = defaultdict(float)
    for one in evidence:
        heard[Cell(model, one.channel, one.audience_id)] += one.yes + one.no
    return heard


def _record(ledger: Ledger, cell: Cell, evidence: Sequence[Evidence]) -> StylesRecord:
    known = posterior(cell, styles_of(cell.model, cell.channel), evidence, ledger.styles.rules.least_share)
    return StylesRecord(
        model=cell.model,
        channel=cell.channel,
        audience=cell.audience_id,
        styles=tuple(map(StyleRecord.of, known.arms)),
    )
