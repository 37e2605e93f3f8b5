"""The doorbell, against a real broker and against none."""

from collections.abc import Callable

import pytest
from celery import Celery
from pydantic import SecretStr

from core.broker import MOST_TICKETS, make_app, ring, waiting_tickets
from core.errors import BrokerError
from core.settings import Settings
from schemas.campaigns import Kind

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


@pytest.mark.parametrize("ask", [lambda app: ring(app, Kind.COPY), lambda app: waiting_tickets(app, Kind.COPY)])
@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}/0", "redis://nobody:wrong@127.0.0.1:{valkey}/0"])
def test_a_broker_that_does_not_serve_is_one_clear_error(settings: Settings, ask: Callable[[Celery], object], url: str):
    valkey = settings.broker_url.get_secret_value().rpartition(":")[2].partition("/")[0]
    away = SecretStr(url.format(port=free_port(), valkey=valkey))
    app = make_app(settings.model_copy(update={"broker_url": away}))

    with pytest.raises(BrokerError, match="does not answer"):
        ask(app)
