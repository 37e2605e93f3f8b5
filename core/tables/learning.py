"""Trainings: what was learnt from which ratings, by whom, and what came of it."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text, text

from core.tables.metadata import metadata

# The condition of an index, repeated word by word where it shall be used.
IS_OPEN = text("state = 'open'")

trainings = Table(
    "trainings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    # As buckets name it: `starter+house`.
    Column("model", String(200), nullable=False),
    # open, passed, refused, skipped, failed.
    Column("state", String(10), nullable=False),
    # Why it was begun: `300 new ratings`, `ada asked for it`.
    Column("cause", String(200), nullable=False),
    # Where it is, in words, and why it ended if nothing came of it.
    Column("stage", String(40), nullable=False),
    Column("message", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    # JSON: a list of objects with `step` and losses, of which some are left out when they are many.
    Column("losses", Text, nullable=False),
    # The newest rating and comparison that the snapshot knows, and what it is.
    Column("last_rating_id", BigInteger, nullable=False),
    Column("last_comparison_id", BigInteger, nullable=False),
    Column("snapshot_key", String(200)),
    Column("snapshot_sha256", String(64)),
    Column("snapshot_bytes", BigInteger),
    # The version that it goes on from, as the snapshot once and for all; empty for the shipped one.
    Column("parent", String(40), nullable=False),
    # Of the approvals and rejections that the snapshot was made of, to see a drift.
    Column("approval", Float),
    # The version that came of it, and its whole record as JSON (schemas/versions.py), the verdict in it.
    Column("version_id", String(40)),
    Column("version", Text),
    Column("attempts", Integer, nullable=False),
    Column("worker", String(200)),
    Column("lease_token", String(32)),
    Column("lease_until", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # One at a time for each model.
    Index("ix_trainings_open", "kind", "model", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
    Index("ix_trainings_model", "kind", "model", "created_at"),
)
