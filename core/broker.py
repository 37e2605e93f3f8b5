"""The Celery app of every process, and the doorbell: a ticket says that a queue has work, never which.

Feedback is the one message that carries something: it is acknowledged only when it is recorded. Even so Redis loses
what a worker was just taking when it was killed; so the ledger holds it until then, and the sweep sends it again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import kombu.exceptions
from amqp.exceptions import AMQPError, ChannelError, MessageNacked, PreconditionFailed
from celery import Celery
from kombu import Exchange, Queue
from pydantic import JsonValue

from core import traces
from core.errors import BrokerError, SettingsError
from core.settings import Settings
from core.transports import CONFIRM_SECONDS, configuration, queue_arguments
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
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_queues=[
            Queue(name, _EXCHANGE, routing_key=name, queue_arguments=queue_arguments(settings))
            for name in queue_names()
        ],
        task_default_queue=HOUSEKEEPING_QUEUE,
        task_default_exchange=_EXCHANGE.name,
        task_default_routing_key=HOUSEKEEPING_QUEUE,
        beat_schedule={
            SWEEP: _housekeeping(SWEEP, settings.sweep_seconds),
            JUDGE_CANARIES: _housekeeping(JUDGE_CANARIES, settings.canary_seconds),
            TIDY: _housekeeping(TIDY, TIDY_SECONDS),
        },
        beat_max_loop_interval=settings.sweep_seconds,
        # In memory: Celery's own keeps a pickle on disk, and beat never starts again on one that a crash has cut.
        beat_scheduler="celery.beat:Scheduler",
        **configuration(settings),
    )
    return app


def _housekeeping(task: str, seconds: float) -> dict[str, object]:
    return {"task": task, "schedule": seconds, "options": {"expires": seconds, "queue": HOUSEKEEPING_QUEUE}}


def ring(app: Celery, kind: Kind, tickets: int = 1) -> None:
    """Put tickets of a kind on its queue; raises BrokerError when the broker is away (nothing is lost by that)."""
    with _translated("the jobs are safe, the sweep rings later"):
        _send(app, GENERATE, queue_of(kind), [(kind.value,)] * min(tickets, MOST_TICKETS))


def ring_training(app: Celery, kind: Kind, model: str) -> None:
    """Put a ticket on the queue of trainings; raises BrokerError when the broker is away (nothing is lost by that)."""
    with _translated("the training waits, the sweep rings later"):
        _send(app, TRAIN, TRAIN_QUEUE, [(kind.value, model)])


def send_feedback(app: Celery, messages: Sequence[Feedback]) -> None:
    """Put feedback on its queue; raises BrokerError when the broker is away (what the inbox holds is sent again)."""
    with _translated("the feedback is safe and sent again later"):
        # What a person says is traced to its end; an import of thousands would be as many spans.
        bodies = ((one.model_dump(mode="json"),) for one in messages)
        _send(app, FEEDBACK, FEEDBACK_QUEUE, bodies, is_followed=len(messages) == 1)


def send_again(app: Celery, bodies: Iterable[Mapping[str, JsonValue]]) -> None:
    """Put messages on the queue of feedback as they were sent before, whatever their version."""
    with _translated("the feedback is safe and sent again later"):
        _send(app, FEEDBACK, FEEDBACK_QUEUE, ((dict(body),) for body in bodies), is_followed=False)


def _send(
    app: Celery, task: str, queue: str, bodies: Iterable[tuple[object, ...]], *, is_followed: bool = True
) -> None:
    with traces.span(f"send {queue}", messaging("send", queue), traces.Role.SENDER) as span:
        # Which span sent it stands beside the message and not in it: any version of a worker passes over it.
        headers, sent = traces.headers() if is_followed else {}, 0
        for body in bodies:
            try:
                _put(app, task, queue, body, headers)
            except ChannelError:
                # The queue was deleted since this connection declared it, so the broker gave the message back.
                _put(app, task, queue, body, headers)
            sent += 1
        span.note({"messaging.batch.message_count": sent})


def messaging(operation: str, queue: str) -> dict[str, str]:
    """Return what a span says of a message, in the words of OpenTelemetry's conventions."""
    return {
        "messaging.system": "celery",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
    }


def _put(app: Celery, task: str, queue: str, body: tuple[object, ...], headers: Mapping[str, str]) -> None:
    with app.producer_or_acquire() as producer:
        try:
            # Mandatory: what no queue takes is given back, and not confirmed and dropped.
            app.send_task(
                *(task, body),
                queue=queue,
                producer=producer,
                mandatory=True,
                confirm_timeout=CONFIRM_SECONDS,
                headers=dict(headers) or None,
            )
        except Exception:
            # A late confirmation would pass for that of the next message: nobody uses this connection again.
            producer.connection.collect()
            raise


def waiting_tickets(app: Celery, kind: Kind) -> int:
    """Return how many tickets lie unanswered on the queue of a kind; raises BrokerError when the broker is away."""
    return _length(app, queue_of(kind))


def waiting_feedback(app: Celery) -> int:
    """Return how many messages lie on the queue of feedback; raises BrokerError when the broker is away."""
    return _length(app, FEEDBACK_QUEUE)


def waiting_trainings(app: Celery) -> int:
    """Return how many tickets lie on the queue of trainings; raises BrokerError when the broker is away."""
    return _length(app, TRAIN_QUEUE)


def check_queues(app: Celery) -> None:
    """Raise SettingsError when a queue is there in another form, BrokerError when the broker is away."""
    for name in queue_names():
        _length(app, name)


def server_of(app: Celery) -> str:
    """Return name and version of a broker that tells them, as RabbitMQ does; raises BrokerError when it is away."""
    with _translated(), app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        told: dict[str, object] = getattr(connection.connection, "server_properties", {})
        return " ".join(str(told[name]) for name in ("product", "version") if name in told)


def _length(app: Celery, queue: str) -> int:
    with _translated(), app.connection_for_read() as connection:
        # Only this call translates what the transport's own library raises when nobody answers.
        connection.ensure_connection(max_retries=1, interval_start=0)
        # Declaring a queue that exists changes nothing and answers how long it is, on every transport.
        bound: Any = app.amqp.queues[queue].bind(connection.channel())
        bound.exchange.declare()
        answer = bound.queue_declare()
        bound.queue_bind()
        return int(answer.message_count)


@contextmanager
def _translated(comfort: str = "") -> Iterator[None]:
    try:
        yield
    except PreconditionFailed as error:
        raise SettingsError(
            f"FACTORY_BROKER_URL: a queue is there in another form than the factory's ({error.reply_text}): stop all "
            "workers and delete it (`rabbitmqctl delete_queue NAME`); the ledger sends again what lay in it"
        ) from error
    except (kombu.exceptions.OperationalError, AMQPError, MessageNacked, OSError) as error:
        raise BrokerError(f"the broker does not answer ({error})" + (f"; {comfort}" if comfort else "")) from error
