"""Send what somebody thinks of an asset to the feedback worker, and see that it arrives."""

import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery
from pydantic import ValidationError

from core.broker import send_feedback
from core.errors import BrokerError, FeedbackError
from core.ledger import Ledger
from schemas.ratings import Comparison, Feedback, Rating, what_is_wrong

# An idle worker records a rating in milliseconds.
PATIENCE_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Sent:
    """A message that will not be lost: recorded already, on its way, or waiting in the ledger for the broker."""

    id: str
    is_sent: bool
    is_recorded: bool = False


def rating_of(job_id: str, **fields: object) -> Rating:
    """Return a rating; raises FeedbackError that names the field."""
    try:
        return Rating.model_validate({"job_id": job_id, **fields})
    except ValidationError as error:
        raise FeedbackError(what_is_wrong(error)) from error


def comparison_of(job_id: str, **fields: object) -> Comparison:
    """Return a comparison; raises FeedbackError that names the field."""
    try:
        return Comparison.model_validate({"job_id": job_id, **fields})
    except ValidationError as error:
        raise FeedbackError(what_is_wrong(error)) from error


def message_of(content: Rating | Comparison, rater: str, tenant: str) -> Feedback:
    """Return the message that says so now, of an asset of the tenant; raises FeedbackError that names the field."""
    try:
        return Feedback(id=uuid.uuid4().hex, tenant=tenant, rater=rater, at=time.time(), content=content)
    except ValidationError as error:
        raise FeedbackError(what_is_wrong(error)) from error


def taken_back(ledger: Ledger, tenant: str, rater: str, job_id: str, message_id: str) -> Rating:
    """Return the rating that takes back one of a person: what the person had said before it, or nothing.

    Whatever the person has said since then is taken back, too.
    """
    mine = [one for one in ledger.ratings.of_job(job_id) if (one.tenant, one.rater) == (tenant, rater)]
    place = next((i for i, one in enumerate(mine) if one.message_id == message_id), len(mine))
    former = mine[place - 1] if place else None
    if former is None or former.is_withdrawn:
        return rating_of(job_id, is_withdrawn=True)
    said = {name: getattr(former, name) for name in ("stars", "approves", "reason", "comment")}
    return rating_of(job_id, **said)


def send(
    ledger: Ledger,
    app: Celery,
    content: Rating | Comparison,
    rater: str,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Sent:
    """Send it; return when it is recorded, or after some seconds. Raises FeedbackError for what would be refused."""
    message = message_of(content, rater, ledger.jobs.tenant(content.job_id))
    if refusal := ledger.intake.why_not(message):
        raise FeedbackError(refusal)
    if not post(ledger, app, [message]):
        return Sent(message.id, is_sent=False)
    pause, ends_at = threading.Event(), time.monotonic() + patience_seconds
    while not (is_recorded := ledger.intake.is_recorded(message.id)) and time.monotonic() < ends_at:
        pause.wait(POLL_SECONDS)
    return Sent(message.id, is_sent=True, is_recorded=is_recorded)


def post(ledger: Ledger, app: Celery, messages: Sequence[Feedback]) -> bool:
    """Keep messages in the inbox and send them; return False when the broker is away, which the sweep mends later."""
    ledger.intake.expect(messages)
    try:
        send_feedback(app, messages)
    except BrokerError:
        return False
    return True
