"""The broker of this run is killed in the middle of work: nothing is lost, nothing is doubled."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.broker import FEEDBACK_QUEUE, check_queues, make_app, ring, send_feedback, waiting_feedback, waiting_tickets
from core.errors import BrokerError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.verify import verify
from schemas.campaigns import Kind
from workers.sweep import sweep

from support.brokers import BROKERS, Broker
from support.lines import line_campaign, line_jobs
from support.rated import a_rating, make_assets
from support.waiting import wait_until
from support.workers import Workers

pytestmark = [pytest.mark.timeout(600), pytest.mark.broker]
JOBS = 60


@pytest.fixture
def own_broker(pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test alone, which may be killed."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server = BROKERS[pytestconfig.getoption("--broker")](folder)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def own_settings(settings: Settings, own_broker: Broker) -> Settings:
    """Settings on that broker, where every queue has been for a while.

    RabbitMQ 3.10 that is killed within a second of a queue's first declaration comes back with one that nobody leads.
    """
    changes = {"broker_url": own_broker.url, "batch_size": 4, "lease_seconds": 6}
    changed = Settings(**(settings.model_dump() | changes))
    check_queues(make_app(changed))
    signal.sigtimedwait([], 3)
    return changed


def rings(settings: Settings) -> bool:
    """Ring as often as it takes; somebody answers."""
    try:
        ring(make_app(settings), Kind.COPY)
    except BrokerError:
        return False
    return True


def is_recorded(settings: Settings, ledger: Ledger) -> bool:
    """Do what beat does, and tell whether nothing is on its way any more."""
    with contextlib.suppress(BrokerError):
        sweep(make_app(settings), ledger)
    return ledger.intake.expected() == 0


def test_a_broker_that_is_killed_and_comes_back_loses_no_job(
    own_settings: Settings, own_broker: Broker, storage: Storage, line_model: Path, tmp_path: Path
):
    ledger, workers = Ledger(own_settings), Workers(own_settings, tmp_path)
    campaign = line_campaign("c1", products=JOBS, variants=1)
    ledger.campaigns.submit("c1", campaign, line_jobs("c1", campaign, line_model))
    ring(make_app(own_settings), Kind.COPY, 3)
    try:
        workers.start()
        for share in (0.1, 0.5):
            wait_until(lambda share=share: ledger.campaigns.status("c1").done >= share * JOBS, 120, "progress")
            own_broker.kill()
            own_broker.start()
            wait_until(lambda: rings(own_settings), 60, "a broker that takes tickets")

        wait_until(lambda: ledger.campaigns.status("c1").is_settled, 120, "the end")

        verdict = verify(ledger, storage, "c1")
        assert verdict.is_sound, verdict.violations
        assert verdict.states["done"] + verdict.states["failed"] == JOBS
        assert {letter.error_code for letter in ledger.jobs.dead_letters("c1")} <= {"rejected"}
    finally:
        workers.end()
        ledger.close()


def test_a_sender_goes_on_with_a_broker_that_was_started_again(own_settings: Settings, own_broker: Broker):
    app = make_app(own_settings)
    ring(app, Kind.COPY)

    own_broker.kill()
    own_broker.start()
    own_broker.empty()
    # The connection of the first ticket ended with its broker, and nobody was told.
    ring(app, Kind.COPY, 2)

    assert waiting_tickets(app, Kind.COPY) == 2


def test_ratings_outlive_the_broker_that_held_them(own_settings: Settings, own_broker: Broker, tmp_path: Path):
    ledger, workers, app = Ledger(own_settings), Workers(own_settings, tmp_path), make_app(own_settings)
    make_assets(ledger, 1)
    messages = [a_rating(0, f"rater {who}", stars=4) for who in range(40)]
    ledger.intake.expect(messages)
    send_feedback(app, messages)
    assert waiting_feedback(app) == 40

    own_broker.kill()
    own_broker.start()
    try:
        workers.start("feedback", queues=FEEDBACK_QUEUE)
        wait_until(lambda: is_recorded(own_settings, ledger), 120, "the ratings")

        assert sum(1 for _ in ledger.ratings.all(with_history=True)) == 40
        assert ledger.intake.refusals(10) == []
    finally:
        workers.end()
        ledger.close()
