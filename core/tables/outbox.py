"""What webhooks are told, and how that went."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from core.tables.metadata import metadata

# The condition of an index, repeated word by word where it shall be used.
IS_PENDING = text("state = 'pending'")

# Where a tenant wants to be told what happens.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("url", String(2000), nullable=False),
    # Signs what is sent, so it cannot be kept as a hash.
    Column("secret", String(100), nullable=False),
    # Types of events with commas around each: `,asset.failed,campaign.finished,`.
    Column("types", String(400), nullable=False),
    Column("created_at", Float, nullable=False),
    # Why nothing is sent to it any more; empty while it is.
    Column("disabled_reason", String(200), nullable=False),
    Index("ix_webhooks_tenant", "tenant"),
)

# The outbox: what happened, written in the transaction that made it happen.
events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("type", String(40), nullable=False),
    Column("subject", String(96), nullable=False),
    Column("data", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_events_tenant", "tenant", "at", "id"),
)

# An event on its way to a webhook. While an attempt is under way, `next_at` is when another one may take it up.
deliveries = Table(
    "deliveries",
    metadata,
    Column("event_id", String(40), ForeignKey("events.id"), primary_key=True),
    Column("webhook_id", String(40), ForeignKey("webhooks.id"), primary_key=True),
    # pending, delivered, given_up.
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    # Attempts since it was last asked for; they decide how long to wait.
    Column("tries", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Index("ix_deliveries_due", "next_at", sqlite_where=IS_PENDING, postgresql_where=IS_PENDING),
    Index("ix_deliveries_webhook_id", "webhook_id", "event_id"),
)

# The history of each delivery: what came of every attempt.
attempts = Table(
    "attempts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("webhook_id", String(40), ForeignKey("webhooks.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", String(300), nullable=False),
    Index("ix_attempts_delivery", "event_id", "webhook_id"),
)
