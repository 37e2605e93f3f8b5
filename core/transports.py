"""What each kind of broker needs to lose nothing unseen: Redis (and Valkey), and RabbitMQ.

Redis gives back what a dead worker had in hand when a time is over. RabbitMQ does so when the connection ends, keeps
quorum queues on several machines and confirms each message that it has taken.
"""

import socket
from math import ceil
from urllib.parse import urlsplit

from core.errors import SettingsError
from core.settings import Settings

REDIS = frozenset({"redis", "rediss"})
RABBITMQ = frozenset({"amqp", "amqps"})
# Keeps messages in the memory of one process: for tests that send none.
MEMORY = "memory"
# Who asks for less would be cut off by a pause of the machine or of Python.
LEAST_HEARTBEAT_SECONDS = 10
# How long a broker that holds the connection and says nothing may keep a sender.
CONFIRM_SECONDS = 5.0
# What RabbitMQ keeps of a queue from its first declaration on: to change one, the queue must be deleted.
QUORUM = {
    "x-queue-type": "quorum",
    # RabbitMQ 4 drops a message that came back 20 times, older ones never do. Feedback comes back whenever its worker
    # ends; what is dropped lies in the ledger and is sent again.
    "x-delivery-limit": 100,
    # The default of half an hour would cut off a worker of feedback that waits for the ledger. Known from 3.12 on.
    "x-consumer-timeout": 24 * 60 * 60 * 1000,
}

# Linux alone has it.
_TCP_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


def scheme_of(settings: Settings) -> str:
    """Return which transport the URL of the broker names; raises SettingsError for one that is not known."""
    scheme = urlsplit(settings.broker_url.get_secret_value()).scheme
    if scheme in REDIS | RABBITMQ | {MEMORY}:
        return scheme
    # The name alone, never the URL: it may hold a password.
    raise SettingsError(f"FACTORY_BROKER_URL: no transport '{scheme}'; write redis://host:6379/0 or amqp://host")


def queue_arguments(settings: Settings) -> dict[str, object] | None:
    """Return how queues are declared."""
    return dict(QUORUM) if scheme_of(settings) in RABBITMQ else None


def configuration(settings: Settings) -> dict[str, object]:
    """Return the part of Celery's configuration that depends on the broker."""
    scheme = scheme_of(settings)
    if scheme in RABBITMQ:
        return _rabbitmq(settings)
    options = _redis(settings) if scheme in REDIS else {}
    return {"task_publish_retry": False, "broker_connection_timeout": 2, "broker_transport_options": options}


def _redis(settings: Settings) -> dict[str, object]:
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


def _rabbitmq(settings: Settings) -> dict[str, object]:
    return {
        # A message counts as sent when the broker says so, for a quorum queue when most of its machines have it.
        "broker_transport_options": {
            "confirm_publish": True,
            # A connection whose other end is gone is noticed by the first thing that is sent over it.
            "socket_settings": {_TCP_USER_TIMEOUT: int(CONFIRM_SECONDS * 1000)} if _TCP_USER_TIMEOUT else {},
        },
        # A log-in takes several turns.
        "broker_connection_timeout": CONFIRM_SECONDS,
        # Both sides notice that the other one is gone, and what was in hand comes back, as leases do.
        "broker_heartbeat": max(LEAST_HEARTBEAT_SECONDS, ceil(settings.lease_seconds)),
        # Unlike the client of Redis, this one does not mend a connection that ended since it was used: try a fresh one.
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        # Quorum queues know no limit for a whole connection.
        "worker_detect_quorum_queues": True,
        # Celery makes 28 queues for tasks with a delay, which nothing here has: let them cost little.
        "broker_native_delayed_delivery_queue_type": "classic",
    }
