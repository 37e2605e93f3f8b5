"""Signatures of webhooks, as Standard Webhooks 1.0 has them: receivers check them with any of its libraries."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

PREFIX = "whsec_"


def headers_of(secret: str, event_id: str, moment: int, body: bytes) -> dict[str, str]:
    """Return the headers of one attempt: the id is the same for every attempt, the time is its own."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(secret, event_id, moment, body),
    }


def signature(secret: str, event_id: str, moment: int, body: bytes) -> str:
    """Return the signature of a body under an id and a time (seconds since 1970)."""
    signed = f"{event_id}.{moment}.".encode() + body
    digest = hmac.digest(b64decode(secret.removeprefix(PREFIX)), signed, sha256)
    return f"v1,{b64encode(digest).decode()}"
