"""The Celery app of every process, and the doorbell: a ticket says that a queue has work, never which.

Feedback is the one message that carries something: it is acknowledged only when it is recorded. Even so Redis loses
what a worker was just taking when it was killed; so the ledger holds it until then, and the sweep sends it again.
"""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

import kombu.exceptions
from celery import Celery
from kombu import Exchange, Queue
from pydantic import JsonValue

from core.errors import BrokerError
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.ratings import Feedback

GENERATE = "generate"
SWEEP = "sweep"
JUDGE_CANARIES = "judge_canaries"
TIDY = "tidy"
FEEDBACK = "feedback"
TRAIN = "train"
HOUSEKEEPING_QUEUE = "housekeeping"
FEEDBACK_QUEUE = "feedback"
TRAIN_QUEUE = "train"
# More tickets than worker threads are surplus: whoever answers one serves until nothing waits.
MOST_TICKETS = 8
# A day would do, but a clock in a container forgets when it last rang.
TIDY_SECONDS = 3600.0
_EXCHANGE = Exchange("factory", type="direct")


def queue_of(kind: Kind) -> str:
    """Return the queue whose tickets ring the workers of a kind."""
    return f"generate.{kind}"


def queue_names() -> list[str]:
    """Return every queue: one a kind, one each for housekeeping, feedback and trainings."""
    return [*map(queue_of, Kind), HOUSEKEEPING_QUEUE, FEEDBACK_QUEUE, TRAIN_QUEUE]


def make_app(settings: Settings) -> Celery:
    """Return the Celery app; connects to nothing."""
    app = Celery("factory", broker=settings.broker_url.get_secret_value(), backend=None)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        # A lost ticket is harmless: the sweep rings again. So it is acknowledged before it is answered.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        task_publish_retry=False,
        broker_connection_timeout=2,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_queues=[Queue(name, _EXCHANGE, routing_key=name) for name in queue_names()],
        task_default_queue=HOUSEKEEPING_QUEUE,
        task_default_exchange=_EXCHANGE.name,
        task_default_routing_key=HOUSEKEEPING_QUEUE,
        broker_transport_options=_transport_options(settings),
        beat_schedule={
            SWEEP: _housekeeping(SWEEP, settings.sweep_seconds),
            JUDGE_CANARIES: _housekeeping(JUDGE_CANARIES, settings.canary_seconds),
            TIDY: _housekeeping(TIDY, TIDY_SECONDS),
        },
        beat_max_loop_interval=settings.sweep_seconds,
    )
    return app


def _housekeeping(task: str, seconds: float) -> dict[str, object]:
    return {"task": task, "schedule": seconds, "options": {"expires": seconds, "queue": HOUSEKEEPING_QUEUE}}


def _transport_options(settings: Settings) -> dict[str, object]:
    if not settings.broker_url.get_secret_value().startswith(("redis", "rediss")):
        return {}
    return {
        # What a killed worker had in hand comes back after as long as its jobs do; twice is no harm.
        "visibility_timeout": ceil(settings.lease_seconds),
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # The default of 300 s would block every restore for that long after a worker was killed in one.
        "unacked_mutex_expire": 30,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
    }


def ring(app: Celery, kind: Kind, tickets: int = 1) -> None:
    """Put tickets of a kind on its queue; raises BrokerError when the broker is away (nothing is lost by that)."""
    try:
        with app.producer_or_acquire() as producer:
            for _ in range(min(tickets, MOST_TICKETS)):
                app.send_task(GENERATE, (kind.value,), queue=queue_of(kind), producer=producer, retry=False)
    except (kombu.exceptions.OperationalError, OSError) as error:
        raise BrokerError(f"the broker does not answer ({error}); the jobs are safe, the sweep rings later") from error


def ring_training(app: Celery, kind: Kind, model: str) -> None:
    """Put a ticket on the queue of trainings; raises BrokerError when the broker is away (nothing is lost by that)."""
    try:
        with app.producer_or_acquire() as producer:
            app.send_task(TRAIN, (kind.value, model), queue=TRAIN_QUEUE, producer=producer, retry=False)
    except (kombu.exceptions.OperationalError, OSError) as error:
        raise BrokerError(f"the broker does not answer ({error}); the training waits, the sweep rings later") from error


def send_feedback(app: Celery, messages: Iterable[Feedback]) -> None:
    """Put feedback on its queue; raises BrokerError when the broker is away (what the inbox holds is sent again)."""
    send_again(app, (one.model_dump(mode="json") for one in messages))


def send_again(app: Celery, bodies: Iterable[Mapping[str, JsonValue]]) -> None:
    """Put messages on the queue of feedback as they were sent before, whatever their version."""
    try:
        with app.producer_or_acquire() as producer:
            for body in bodies:
                app.send_task(FEEDBACK, (dict(body),), queue=FEEDBACK_QUEUE, producer=producer, retry=False)
    except (kombu.exceptions.OperationalError, OSError) as error:
        raise BrokerError(f"the broker does not answer ({error}); the feedback is safe and sent again later") from error


def waiting_tickets(app: Celery, kind: Kind) -> int:
    """Return how many tickets lie unanswered on the queue of a kind; raises BrokerError when the broker is away."""
    return _length(app, queue_of(kind))


def waiting_feedback(app: Celery) -> int:
    """Return how many messages lie on the queue of feedback; raises BrokerError when the broker is away."""
    return _length(app, FEEDBACK_QUEUE)


def waiting_trainings(app: Celery) -> int:
    """Return how many tickets lie on the queue of trainings; raises BrokerError when the broker is away."""
    return _length(app, TRAIN_QUEUE)


def _length(app: Celery, queue: str) -> int:
    try:
        with app.connection_for_read() as connection:
            # Only this call translates what the transport's own library raises when nobody answers.
            connection.ensure_connection(max_retries=1, interval_start=0)
            # Declaring a queue that exists changes nothing and answers how long it is, on every transport.
            channel: Any = connection.channel()
            return int(channel.queue_declare(queue=queue, durable=True).message_count)
    except (kombu.exceptions.OperationalError, OSError) as error:
        raise BrokerError(f"the broker does not answer ({error})") from error
