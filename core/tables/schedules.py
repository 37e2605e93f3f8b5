"""Campaigns that are submitted by the clock, and every time that this was due."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, text

from core.tables.metadata import metadata

# Conditions of indexes, repeated word by word where these shall be used.
IS_SCHEDULED = text("state = 'active'")
IS_KEPT = text("state <> 'removed'")
IS_DUE = text("state = 'due'")

schedules = Table(
    "schedules",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    # active, paused, removed.
    Column("state", String(10), nullable=False),
    Column("cron", String(100), nullable=False),
    Column("catch_up", String(8), nullable=False),
    # What its campaigns are made of from now on. Without a foreign key: a template names its schedule already.
    Column("template_id", String(32), nullable=False),
    # Whether the limits of its tenant bind its runs: those of the command line are bound by none.
    Column("is_limited", Boolean, nullable=False),
    # When it is due next; a scheduler that moves it on records what was due in the same transaction.
    Column("next_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(100), nullable=False),
    Index("ix_schedules_due", "next_at", sqlite_where=IS_SCHEDULED, postgresql_where=IS_SCHEDULED),
    Index("ix_schedules_name", "tenant", "name", unique=True, sqlite_where=IS_KEPT, postgresql_where=IS_KEPT),
)

# What the campaigns of a schedule follow from. Never changed: a run that is tried again is the same campaign.
templates = Table(
    "templates",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("schedule_id", String(40), ForeignKey("schedules.id"), nullable=False),
    Column("timezone", String(64), nullable=False),
    # What runs have instead of what the campaign says; empty: as the campaign.
    Column("time_window", String(11), nullable=False),
    Column("priority", String(12), nullable=False),
    # The campaign file as it was; its feed and logo lie in the store, listed here as JSON.
    Column("file_name", String(200), nullable=False),
    Column("definition", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("taken_at", Float, nullable=False),
)

# A schedule and the moment that it was due: once, whoever looks how often.
schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("schedule_id", String(40), ForeignKey("schedules.id"), primary_key=True),
    Column("due_at", Float, primary_key=True),
    Column("template_id", String(32), ForeignKey("templates.id"), nullable=False),
    # due, submitted, skipped, failed.
    Column("state", String(10), nullable=False),
    # The clock, or who asked for it.
    Column("cause", String(100), nullable=False),
    Column("campaign_id", String(80)),
    # Why it was skipped, failed or is not submitted yet.
    Column("reason", Text, nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("attempts", Integer, nullable=False),
    # Nobody takes it up before that: somebody has it in hand, or it failed and is tried again.
    Column("not_before", Float, nullable=False),
    Index("ix_schedule_runs_due", "not_before", sqlite_where=IS_DUE, postgresql_where=IS_DUE),
)
