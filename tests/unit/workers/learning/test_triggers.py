"""When a model learns by itself."""

import pytest

from core.ledger.opinions import News
from core.ledger.trainings import StoredSnapshot, Training
from schemas.campaigns import Kind
from schemas.learning import TrainingState, curriculum
from workers.learning.triggers import DAY, HOUR, why_begin

RULES = curriculum().triggers
NOW = 1_800_000_000.0


def trained(ago: float, approval: float | None = 0.5, *, is_open: bool = False) -> Training:
    snapshot = StoredSnapshot("key", "0" * 64, 1, 10, 0, approval)
    return Training(
        id="t",
        kind=Kind.COPY,
        model="m",
        state=TrainingState.OPEN if is_open else TrainingState.REFUSED,
        cause="",
        stage="",
        message="",
        step=0,
        steps=0,
        losses=(),
        snapshot=snapshot,
        parent="",
        version=None,
        attempts=1,
        worker=None,
        created_at=NOW - ago,
        finished_at=None if is_open else NOW - ago,
    )


@pytest.mark.parametrize(
    ("news", "last", "cause"),
    [
        (News(299, 0, 0), None, ""),
        (News(300, 0, 0), None, "300 new ratings"),
        (News(300, 0, 0), trained(2 * HOUR), "300 new ratings"),
        (News(300, 0, 0), trained(0.5 * HOUR), ""),
        (News(300, 0, 0), trained(2 * HOUR, is_open=True), ""),
        (News(49, 0, 0), trained(8 * DAY), ""),
        (News(50, 0, 0), trained(8 * DAY), "50 new ratings in 7 days"),
        (News(50, 0, 0), trained(6 * DAY), ""),
        (News(100, 100, 70), trained(DAY), "approval moved from 50% to 70%"),
        (News(100, 100, 60), trained(DAY), ""),
        (News(99, 99, 99), trained(DAY), ""),
        (News(100, 100, 100), trained(DAY, approval=None), ""),
    ],
)
def test_a_training_begins_for_ratings_the_clock_or_a_drift(news: News, last: Training | None, cause: str):
    assert why_begin(news, last, NOW, RULES) == cause
