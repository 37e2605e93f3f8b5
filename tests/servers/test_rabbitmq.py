"""What only RabbitMQ does: queues have a form, a worker that ends gives back at once what it had in hand."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import amqp
import kombu.pools
import pytest

from core.broker import FEEDBACK_QUEUE, check_queues, make_app, ring, send_feedback, waiting_feedback
from core.errors import SettingsError
from core.settings import Settings
from deploy.checks.servers import broker as examine
from deploy.findings import Level
from schemas.campaigns import Kind

from support.brokers import Broker
from support.rated import a_rating
from support.waiting import wait_until
from support.workers import Workers

pytestmark = [pytest.mark.timeout(300), pytest.mark.broker]


@pytest.fixture
def channel(broker: Broker) -> Iterator[amqp.Channel]:
    """A channel to the broker beside the factory's own."""
    with amqp.Connection(f"{broker.address}:{broker.port}", "guest", "guest") as connection:
        yield connection.channel()


def test_a_queue_in_another_form_is_named_with_the_way_out(settings: Settings, channel: amqp.Channel):
    channel.queue_declare("generate.copy", durable=True, auto_delete=False)
    app = make_app(settings)
    # A connection that an earlier test left open has seen its queues and does not look again.
    kombu.pools.reset()

    with pytest.raises(SettingsError, match=r"generate\.copy.*rabbitmqctl delete_queue"):
        ring(app, Kind.COPY)
    with pytest.raises(SettingsError, match="another form"):
        check_queues(app)
    (finding,) = examine(settings)
    assert (finding.name, finding.level) == ("broker", Level.FAIL)
    assert "rabbitmqctl delete_queue" in finding.found


def test_a_worker_does_not_start_on_a_queue_in_another_form(settings: Settings, channel: amqp.Channel):
    channel.queue_declare("generate.copy", durable=True, auto_delete=False)
    command = [sys.executable, "-m", "celery", "-A", "workers.app", "worker", "-Q", "housekeeping"]

    started = subprocess.run(
        command, env=settings.environment(), capture_output=True, text=True, timeout=60, check=False
    )

    assert started.returncode == 1
    assert "this worker does not start: FACTORY_BROKER_URL: a queue is there in another form" in started.stderr
    assert "Traceback" not in started.stderr


def test_the_doctor_says_which_rabbitmq_it_is(settings: Settings, channel: amqp.Channel):
    answers, waiting = examine(settings)

    assert channel.connection.server_properties["version"] in answers.found
    assert "RabbitMQ" in answers.found
    assert (answers.level, waiting.level) == (Level.OK, Level.OK)


def test_what_a_killed_worker_had_in_hand_comes_back_at_once(settings: Settings, channel: amqp.Channel, tmp_path: Path):
    # The ledger is away, so the worker holds what it takes.
    settings = settings.model_copy(update={"ledger_url": "postgresql+psycopg://nobody@127.0.0.1:9/none"})
    app, workers = make_app(settings), Workers(settings, tmp_path)
    send_feedback(app, [a_rating(0, "ada", stars=4)])
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    try:
        wait_until(lambda: waiting_feedback(app) == 0, 60, "a worker with the message in hand")
    finally:
        workers.end()

    wait_until(lambda: channel.queue_declare(FEEDBACK_QUEUE, passive=True).message_count == 1, 5, "the message back")
