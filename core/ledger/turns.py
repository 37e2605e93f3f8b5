"""Whose turn it is: of the campaigns that are open, the better class first, then who was served longest ago."""

import logging
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.ledger import statements
from core.ledger.campaigns import CampaignState
from core.tables import campaigns
from core.windows import next_opening

logger = logging.getLogger(__name__)

# A campaign that waited this long goes first whatever its class, so that background work is slow but never starved.
STARVED_SECONDS = 300.0


def in_order_of_service(connection: Connection, now: float) -> list[Row[Any, Any, Any, Any, Any]]:
    """Return the campaigns that may be served, the next one first."""
    rows = connection.execute(statements.SERVED_CAMPAIGNS, {"now": now}).all()
    return sorted(rows, key=lambda row: (class_of(row, now), row.served_at, row.created_at, row.id))


def class_of(row: Row[Any, Any, Any, Any, Any], now: float) -> int:
    """Return the class that the campaign has now: 0 is served first."""
    waited = now - max(row.served_at, row.created_at, row.opens_at)
    return 0 if waited >= STARVED_SECONDS else row.priority


def move_windows(connection: Connection, now: float) -> None:
    """Give campaigns whose window has closed the next one; until then they are closed, however late that is."""
    going_on = campaigns.c.state.in_((CampaignState.SUBMITTING, CampaignState.ACTIVE, CampaignState.PAUSED))
    closed = select(campaigns.c.id, campaigns.c.time_window).where(going_on, campaigns.c.closes_at <= now)
    for row in connection.execute(closed.order_by(campaigns.c.id)).all():
        try:
            opens_at, closes_at = next_opening(row.time_window, now)
        except Exception:  # a clock that this machine does not know must not stop the sweep of all leases
            logger.exception("campaign %s stays closed: %s", row.id, row.time_window)
            continue
        moved = {"opens_at": opens_at, "closes_at": closes_at}
        connection.execute(update(campaigns).where(campaigns.c.id == row.id).values(moved))
