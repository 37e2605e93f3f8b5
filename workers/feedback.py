"""Records feedback: exactly once, however often a message comes, and never in a circle.

A message is acknowledged after it is in the ledger, or among the refusals with its reason. One of a newer version waits
in the inbox for a worker that can read it. One whose worker was killed
comes again, from the broker or from the inbox, and its id tells whether it was recorded.
"""

import json
import logging
import threading
from collections.abc import Callable

from pydantic import ValidationError

from core.errors import FeedbackError, OutdatedError, SettingsError, TransientError
from core.ledger import Ledger
from schemas.access import DEFAULT_TENANT
from schemas.ratings import VERSION, Envelope, Feedback, what_is_wrong

logger = logging.getLogger(__name__)

BACKOFF_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 15.0


class NewerVersionError(FeedbackError):
    """Only a newer worker can read this message. Never leaves this module."""


def read_message(body: object) -> Feedback:
    """Return the message of a body; raises FeedbackError that names the field."""
    version = body.get("version") if isinstance(body, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise NewerVersionError(
            f"version: {version} is newer than {VERSION}, which this worker knows: update the worker"
        )
    try:
        # As JSON, where a list is a tuple and a text is a word of a list, and nothing else is taken for another thing.
        return Feedback.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        raise FeedbackError(what_is_wrong(error)) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise FeedbackError(f"message: is no JSON: {error}") from error


def record(ledger: Ledger, body: object) -> None:
    """Record a message, or keep it among the refusals; raises TransientError when the ledger is away."""
    try:
        message = read_message(body)
    except NewerVersionError as error:
        if not _is_left(ledger, body):
            _refuse(ledger, str(error), body)
        return
    except FeedbackError as error:
        _refuse(ledger, str(error), body)
        return
    try:
        (receipt,) = ledger.intake.record([message])
    except (TransientError, SettingsError, OutdatedError):
        raise
    except Exception as error:
        # Nobody foresaw this. The message must not come again for ever, and somebody shall read what it was.
        logger.exception("feedback %s cannot be recorded", message.id)
        _refuse(ledger, f"message: {type(error).__name__}: {error}"[:2000], body)
        return
    if receipt.refusal:
        _refuse(ledger, receipt.refusal, body)
    else:
        logger.info("feedback %s %s", message.id, "recorded" if receipt.is_new else "was known")


def record_patiently(open_ledger: Callable[[], Ledger], body: object, stopping: threading.Event) -> bool:
    """Record a message however often the ledger is away meanwhile; return False when the worker stops before that.

    A ledger that refuses us is mended by people while we wait, so that is no reason to lose a message either.
    """
    pause = BACKOFF_SECONDS
    while not stopping.is_set():
        try:
            record(open_ledger(), body)
        except (TransientError, SettingsError) as error:
            logger.warning("waiting %.1f s: %s", pause, error)
        else:
            return True
        stopping.wait(pause)
        pause = min(pause * 2, BACKOFF_LIMIT_SECONDS)
    return False


def _is_left(ledger: Ledger, body: object) -> bool:
    """Leave a message for a newer worker, where it says enough of itself to be sent again."""
    try:
        envelope = Envelope.model_validate(body)
    except ValidationError:
        return False
    assert isinstance(body, dict)
    logger.warning("feedback %s is of a newer version: left for a newer worker", envelope.id)
    ledger.intake.leave(envelope.id, envelope.tenant, envelope.rater, body)
    return True


def _refuse(ledger: Ledger, reason: str, body: object) -> None:
    # What somebody typed stays out of the log.
    logger.warning("feedback refused: %s", reason.partition(": ")[0])
    try:
        text = json.dumps(body, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(body))
    ledger.intake.refuse(reason, text, _text(body, "tenant") or DEFAULT_TENANT, _text(body, "rater"), _text(body, "id"))


def _text(body: object, name: str) -> str:
    """Return a field of a message that may be anything: whoever is forgotten is forgotten with what was refused."""
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
