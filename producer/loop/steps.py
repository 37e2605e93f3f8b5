"""The steps of the loop that are no command: rate with simulated people, compare, find what is held out."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery

from core.errors import StateError
from core.ledger import Ledger
from core.ledger.trainings import Training
from core.storage import Storage
from producer.loop.people import NAMES, LengthTaste, answers
from producer.rate import message_of, post, rating_of
from schemas.access import DEFAULT_TENANT
from schemas.assets import Location
from schemas.jobs import Brief
from schemas.learning import Opinion

# So many messages are sent at once; one batch of them is recorded in a second or two.
MESSAGES_AT_ONCE = 50
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Line:
    """A line as it was made, also when somebody rejected it."""

    job_id: str
    brief: Brief
    variant: int
    text: str
    model: str

    @property
    def slot(self) -> tuple[str, str, str, str, int]:
        """Return what tells a line from all others of its campaign, and is the same in the next one."""
        brief = self.brief
        return brief.product.sku, brief.audience.id, brief.locale, brief.channel, self.variant


@dataclass(frozen=True)
class Compared:
    """The lines that two versions wrote for one brief with one seed, and whether the taste prefers the new one."""

    old: Line
    new: Line
    # 1 where the taste prefers the new line, 0 where it prefers the old one, or a half.
    win: float


@dataclass(frozen=True)
class Rated:
    """What simulated people said of a campaign."""

    ratings: int
    liked: int
    lines: int


def lines_of(ledger: Ledger, campaign_id: str) -> list[Line]:
    """Return every line of a campaign in the order of its plan."""
    return [
        Line(one.asset.job_id, Brief.model_validate_json(one.brief), one.variant, one.asset.preview, one.asset.model)
        for one in ledger.assets.of_campaign(campaign_id)
    ]


def require_nobody_else(ledger: Ledger) -> None:
    """Raise StateError where anybody real has rated: a model must not learn from simulated people beside them."""
    if any(one.rater not in NAMES for one in ledger.ratings.all()):
        raise StateError(
            "people have rated in this home, and simulated people would teach its model beside them: "
            "give the demo a home of its own, FACTORY_HOME=.factory/loop factory demo-loop"
        )


def rate(ledger: Ledger, app: Celery, lines: Sequence[Line], taste: LengthTaste, each: int) -> Rated:
    """Have `each` of the simulated people rate each line, and return when all of it is recorded.

    The messages are those of `factory rate`. Raises StateError when nobody records them.
    """
    liked = [taste.likes(line.brief.channel, line.text) for line in lines]
    messages = [
        message_of(rating_of(line.job_id, approves=approves), name, DEFAULT_TENANT)
        for line, is_liked in zip(lines, liked, strict=True)
        for name, approves in answers(is_liked, line.job_id, each)
    ]
    for start in range(0, len(messages), MESSAGES_AT_ONCE):
        post(ledger, app, messages[start : start + MESSAGES_AT_ONCE])
    pause, ends_at = threading.Event(), time.monotonic() + PATIENCE_SECONDS
    while ledger.intake.expected():
        if time.monotonic() > ends_at:
            raise StateError("the ratings are not recorded: `factory status` says whether a feedback worker runs")
        pause.wait(POLL_SECONDS)
    return Rated(len(messages), sum(liked), len(lines))


def held_out_of(storage: Storage, training: Training) -> set[str]:
    """Return the skus that a training never learnt from, as its snapshot says."""
    assert training.snapshot, "the caller asks after the snapshot was taken"
    stored = training.snapshot
    place = Location(key=stored.key, offset_bytes=0, length_bytes=stored.length_bytes, sha256=stored.sha256)
    records = (line for line in storage.get(place).splitlines() if json.loads(line)["type"] == "opinion")
    opinions = (Opinion.model_validate_json(line) for line in records)
    return {one.brief.product.sku for one in opinions if one.is_held_out}


def compare(old: Sequence[Line], new: Sequence[Line], taste: LengthTaste) -> list[Compared]:
    """Put lines of the same brief and seed beside each other, where both campaigns have one."""
    known = {line.slot: line for line in old}
    pairs = [(known[line.slot], line) for line in new if line.slot in known]
    return [Compared(before, after, taste.win(before.text, after.text)) for before, after in pairs]


def win_rate(compared: Sequence[Compared]) -> float:
    """Return how often the taste prefers the new line, ties half."""
    return sum(one.win for one in compared) / len(compared) if compared else 0.5
