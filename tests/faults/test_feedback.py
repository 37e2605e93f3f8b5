"""SIGKILL of the feedback worker while ratings flow, and a wiped broker: each rating is recorded once."""

import random
import signal
from pathlib import Path

import pytest

from core.broker import FEEDBACK_QUEUE, make_app, send_feedback
from core.ledger import Ledger
from core.settings import Settings
from workers.sweep import sweep

from support.brokers import Broker
from support.rated import a_rating, job_id, make_assets
from support.waiting import wait_until
from support.workers import Process, Workers

pytestmark = pytest.mark.timeout(600)
ASSETS, RATERS, KILLS = 10, 60, 5


def is_recorded(settings: Settings, ledger: Ledger) -> bool:
    """Do what beat does, and tell whether nothing is on its way any more."""
    sweep(make_app(settings), ledger)
    return ledger.intake.expected() == 0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_kills_of_the_feedback_worker_lose_and_double_no_rating(
    database: str, settings: Settings, tmp_path: Path, request: pytest.FixtureRequest
):
    changes: dict[str, object] = {"lease_seconds": 2.0}
    if database == "postgresql":
        changes["ledger_url"] = request.getfixturevalue("postgres").new_ledger()
    settings = settings.model_copy(update=changes)
    ledger, app, workers, dice = Ledger(settings), make_app(settings), Workers(settings, tmp_path), random.Random(3)
    make_assets(ledger, ASSETS)
    messages = [
        a_rating(number, f"rater {who}", at=1000.0 + turn, stars=1 + (who + turn) % 5)
        for turn in (0, 1)
        for number in range(ASSETS)
        for who in range(RATERS)
    ]
    # Senders that are not sure send again.
    sent = messages + dice.sample(messages, 200)
    dice.shuffle(sent)

    parts = [sent[place::KILLS] for place in range(KILLS)]
    for part in parts:
        worker = workers.start("feedback", queues=FEEDBACK_QUEUE)
        before = recorded(ledger)
        ledger.intake.expect(part)
        send_feedback(app, part)
        wait_until(lambda before=before: recorded(ledger) > before, 60, "a rating")
        signal.sigtimedwait([], dice.uniform(0, 0.15))
        kill(worker)
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    wait_until(lambda: is_recorded(settings, ledger), 180, "the end of all messages")

    expected = sum(1 + (who + 1) % 5 for who in range(RATERS))
    scores = [ledger.scores.of_asset(job_id(number)).score.counts for number in range(ASSETS)]
    workers.end()
    assert recorded(ledger) == len(messages)
    assert [(one["ratings"], one["stars_sum"]) for one in scores] == [(RATERS, expected)] * ASSETS
    assert ledger.intake.refusals(10) == []
    ledger.close()


def test_a_wiped_broker_loses_no_rating(settings: Settings, own_ledger: Ledger, broker: Broker, tmp_path: Path):
    settings = settings.model_copy(update={"lease_seconds": 2.0})
    ledger, workers = Ledger(settings), Workers(settings, tmp_path)
    make_assets(own_ledger, 1)
    messages = [a_rating(0, f"rater {who}", stars=4) for who in range(50)]
    ledger.intake.expect(messages)
    send_feedback(make_app(settings), messages)

    broker.empty()
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    wait_until(lambda: is_recorded(settings, ledger), 120, "the ratings")
    workers.end()

    assert recorded(ledger) == 50
    ledger.close()


def recorded(ledger: Ledger) -> int:
    return sum(1 for _ in ledger.ratings.all(with_history=True))


def kill(worker: Process) -> None:
    assert worker.poll() is None, "it was to be killed, and ended by itself"
    worker.kill()
    worker.wait(10)
