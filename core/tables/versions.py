"""Versions of models, and which of them served when."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from core.tables.metadata import metadata

# What trainings made. What a version is good for follows from its verdict, its fault and the promotions.
versions = Table(
    "versions",
    metadata,
    Column("id", String(24), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("model", String(200), nullable=False),
    # All that the training says of it, as schemas/versions.py writes it.
    Column("record", Text, nullable=False),
    # Why it cannot be loaded, as the worker said that found it; empty while none did.
    Column("fault", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("ix_versions_model", "kind", "model", "created_at", "id"),
)

# Every change of what serves a model, and what served from then on: the last row of a model is what serves now. Rows
# are only ever added. Numbers count from 1 in each model, so of two people who change it at once one is too late.
promotions = Table(
    "promotions",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # promote, rollback, start-canary, stop-canary.
    Column("action", String(16), nullable=False),
    # Empty: the weights that the model ships with.
    Column("champion", String(24), nullable=False),
    # Empty: no canary runs, and the share is 0.
    Column("challenger", String(24), nullable=False),
    Column("share", Float, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("why", Text, nullable=False),
    Column("at", Float, nullable=False),
)
