"""Deliver what the outbox holds: each event at least once, under an id that makes twice as good as once.

Whoever is killed in the middle of an attempt loses nothing: its lease ends, and the event is sent again.
"""

import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from urllib.parse import urlsplit

from core import traces
from core.errors import FactoryError, LedgerError
from core.ledger import Ledger
from core.ledger.webhooks import Attempt, Delivery, Webhooks
from core.probes import Probes, Pulse, probed
from core.settings import Settings
from producer.documents import UNPRINTABLE
from producer.webhooks.addresses import check_url
from producer.webhooks.post import Answer, post
from producer.webhooks.signatures import headers_of
from schemas.events import payload

logger = logging.getLogger(__name__)

# After each attempt that failed; then the delivery is given up. As Standard Webhooks advises: over three days.
WAITS_SECONDS = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
# Receivers that came back together shall not all be called together.
JITTER = 0.2
THREADS = 8
POLL_SECONDS = 1.0
AWAY_SECONDS = 5.0
# Of a round of attempts, each of which ends after some seconds.
LONGEST_SECONDS = 600.0
# What a receiver answers that wants nothing any more.
GONE = 410
MOST_ERROR_CHARACTERS = 300
AGENT = "content-factory-webhooks/1"


def run(ledger: Ledger, settings: Settings, stopping: threading.Event) -> None:
    """Deliver until it is told to stop; attempts in hand are ended first."""
    pulse = Pulse(LONGEST_SECONDS)
    with (
        probed(settings, Probes(is_alive=pulse.moves)),
        ThreadPoolExecutor(THREADS, thread_name_prefix="deliver") as pool,
    ):
        while not stopping.is_set():
            try:
                with pulse.busy():
                    sent = deliver_due(ledger.webhooks, settings, pool)
            except LedgerError as error:
                logger.warning("nothing delivered: %s", error)
                stopping.wait(AWAY_SECONDS)
            else:
                if not sent:
                    stopping.wait(POLL_SECONDS)


def deliver_due(webhooks: Webhooks, settings: Settings, pool: ThreadPoolExecutor) -> int:
    """Make an attempt at what is due, of each webhook some; return how many attempts that were."""
    # An attempt that takes longer than a lease of jobs is made twice, which the id of the event makes harmless.
    claimed = webhooks.claim(settings.lease_seconds)
    if not claimed:
        return 0
    with traces.span("deliver webhooks", {"factory.deliveries": len(claimed)}) as span:
        # Each in a context of its own, of this span: so its line in the log names the trace.
        sent = [pool.submit(copy_context().run, _deliver, webhooks, settings, one) for one in claimed]
        span.note({"factory.deliveries.delivered": sum(ended.result() for ended in sent)})
    return len(claimed)


def _deliver(webhooks: Webhooks, settings: Settings, delivery: Delivery) -> bool:
    """Make an attempt and record it; return whether it was taken."""
    began, at = time.monotonic(), time.time()
    answer = _attempt(delivery, settings, at)
    is_delivered = answer.status is not None and answer.status // 100 == 2
    # Some of it are words of the receiver, which may hold anything.
    error = UNPRINTABLE.sub("?", " ".join(answer.error.split()))[:MOST_ERROR_CHARACTERS]
    attempt = Attempt(delivery.webhook_id, at, time.monotonic() - began, answer.status, error)
    webhooks.record(delivery, attempt, is_delivered=is_delivered, wait_seconds=wait_after(delivery.tries))
    if answer.status == GONE:
        webhooks.disable(delivery.webhook_id, "it answered 410 Gone")
    logger.info(
        "event %s to %s, attempt %d: %s",
        delivery.event.id,
        delivery.webhook_id,
        delivery.attempt,
        "delivered" if is_delivered else error,
    )
    return is_delivered


def _attempt(delivery: Delivery, settings: Settings, at: float) -> Answer:
    event, allow_private = delivery.event, settings.webhook_private_addresses
    body = payload(event.id, event.type, event.at, event.data)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        **headers_of(delivery.secret, event.id, int(at), body),
    }
    try:
        check_url(delivery.url, allow_private=allow_private)
    except FactoryError as error:
        # It was allowed when it was made; the settings have changed since.
        return Answer(None, str(error))
    return post(urlsplit(delivery.url), headers, body, allow_private=allow_private)


def wait_after(tries: int) -> float | None:
    """Return how long to wait after so many attempts that failed; None when that was the last."""
    if tries > len(WAITS_SECONDS):
        return None
    return WAITS_SECONDS[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
