"""Whose turn it is: the better class first, then the campaign that was served longest ago."""

from typing import Any

from sqlalchemy import Connection, Row

from core.ledger import statements

# A campaign that waited this long goes first whatever its class, so that background work is slow but never starved.
STARVED_SECONDS = 300.0


def in_order_of_service(connection: Connection, now: float) -> list[Row[Any, Any, Any, Any]]:
    """Return the campaigns that may be served, the next one first."""
    rows = connection.execute(statements.SERVED_CAMPAIGNS).all()
    return sorted(rows, key=lambda row: (class_of(row, now), row.served_at, row.created_at, row.id))


def class_of(row: Row[Any, Any, Any, Any], now: float) -> int:
    """Return the class that the campaign has now: 0 is served first."""
    waited = now - max(row.served_at, row.created_at)
    return 0 if waited >= STARVED_SECONDS else row.priority
