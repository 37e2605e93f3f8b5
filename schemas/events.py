"""What webhooks are told about, and how it is written."""

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """What happened."""

    CAMPAIGN_FINISHED = "campaign.finished"
    # A job became a dead letter.
    ASSET_FAILED = "asset.failed"
    # What a schedule was due to submit cannot be submitted.
    SCHEDULE_FAILED = "schedule.failed"
    # Another version serves a model, also when a person or a worker went back to a former one.
    VERSION_PROMOTED = "version.promoted"


def payload(event_id: str, event_type: str, at: float, data: dict[str, Any]) -> bytes:
    """Return what is sent: the same bytes for every attempt, since they are signed."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"id": event_id, "type": event_type, "timestamp": moment, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
