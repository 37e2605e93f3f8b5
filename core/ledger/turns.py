"""Whose turn it is: the better class first, then the campaign that was served longest ago."""

from typing import Any

from sqlalchemy import Connection, Row, or_, select

from core.ledger.campaigns import CampaignState
from core.tables import campaigns

# A campaign that waited this long goes first whatever its class, so that background work is slow but never starved.
STARVED_SECONDS = 300.0


def in_order_of_service(connection: Connection, now: float) -> list[Row[Any, Any, Any, Any]]:
    """Return the campaigns that may be served, the next one first."""
    rows = connection.execute(
        select(campaigns.c.id, campaigns.c.priority, campaigns.c.served_at, campaigns.c.created_at).where(
            campaigns.c.state == CampaignState.ACTIVE,
            or_(
                campaigns.c.budget_device_seconds.is_(None),
                campaigns.c.spent_device_seconds < campaigns.c.budget_device_seconds,
            ),
        )
    ).all()
    return sorted(rows, key=lambda row: (class_of(row, now), row.served_at, row.created_at, row.id))


def class_of(row: Row[Any, Any, Any, Any], now: float) -> int:
    """Return the class that the campaign has now: 0 is served first."""
    waited = now - max(row.served_at, row.created_at)
    return 0 if waited >= STARVED_SECONDS else row.priority
