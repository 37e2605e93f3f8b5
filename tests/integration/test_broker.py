"""The doorbell, against a real broker and against none."""

from collections.abc import Callable

import pytest
from celery import Celery
from pydantic import SecretStr

from core.broker import FEEDBACK_QUEUE, MOST_TICKETS, make_app, ring, send_feedback, waiting_tickets
from core.errors import BrokerError
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.ratings import Feedback

from support.brokers import Broker
from support.rated import a_rating
from support.waiting import free_port


def test_tickets_lie_on_the_queue_of_their_kind(settings: Settings):
    app = make_app(settings)

    before = waiting_tickets(app, Kind.COPY)
    ring(app, Kind.COPY, 3)

    assert (before, waiting_tickets(app, Kind.COPY)) == (0, 3)


def test_however_many_jobs_there_are_the_bell_rings_a_handful_of_times(settings: Settings):
    app = make_app(settings)

    ring(app, Kind.COPY, 100_000)

    assert waiting_tickets(app, Kind.COPY) == MOST_TICKETS


def test_a_queue_that_was_deleted_is_made_again_by_the_next_ticket(settings: Settings, broker: Broker):
    app = make_app(settings)
    ring(app, Kind.COPY)

    broker.empty()
    ring(app, Kind.COPY, 2)

    assert waiting_tickets(app, Kind.COPY) == 2


def test_feedback_lies_on_its_queue_as_json_until_somebody_records_it(settings: Settings):
    app, sent = make_app(settings), a_rating(stars=4, comment="crisp, für alle")

    send_feedback(app, [sent])

    with app.connection_for_read() as connection:
        found = connection.SimpleQueue(app.amqp.queues[FEEDBACK_QUEUE]).get(timeout=5)
    (body,), _, _ = found.payload
    assert found.content_type == "application/json"
    assert Feedback.model_validate(body) == sent


ASKS = (
    lambda app: ring(app, Kind.COPY),
    lambda app: waiting_tickets(app, Kind.COPY),
    lambda app: send_feedback(app, [a_rating(stars=3)]),
)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("is_wrong", ["address", "password"])
def test_a_broker_that_does_not_serve_is_one_clear_error(
    settings: Settings, broker: Broker, ask: Callable[[Celery], object], is_wrong: str
):
    away = broker.wrong_url if is_wrong == "password" else broker.url.replace(f":{broker.port}/", f":{free_port()}/")
    app = make_app(settings.model_copy(update={"broker_url": SecretStr(away)}))

    with pytest.raises(BrokerError, match="does not answer"):
        ask(app)
