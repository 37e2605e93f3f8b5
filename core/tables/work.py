"""Campaigns, jobs and what they became; rows are the truth, the broker only rings."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from core.tables.metadata import metadata
from schemas.access import DEFAULT_TENANT

# The `not_before` of a job that waits for its inputs: 30 000 years from now.
WAITS_FOR_INPUTS = 1e12
# Conditions of indexes. A statement that shall use one of these indexes repeats its condition word by word.
IS_READY = text("state = 'waiting' AND not_before < 1e12")
IS_UNREADY = text("state = 'waiting' AND not_before = 1e12")
IS_LEASED = text("state = 'leased'")
IS_REPLACEMENT = text("replaces_job_id IS NOT NULL")

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(64), nullable=False),
    # Whose it is: nobody of another tenant sees it, its jobs or its assets.
    Column("tenant", String(63), nullable=False, server_default=DEFAULT_TENANT),
    # submitting, active, paused, cancelled, finished. Only an active campaign's jobs are claimed.
    Column("state", String(12), nullable=False),
    Column("state_reason", String(200), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("submitted_jobs", Integer, nullable=False),
    # How many it will have when it is wholly submitted: what quotas count.
    Column("planned_jobs", Integer, nullable=False, server_default="0"),
    Column("budget_device_seconds", Float),
    # Two times of day and a time zone, '22:00-06:00 Europe/Berlin'; empty: it is always open.
    Column("time_window", String(80), nullable=False, server_default=""),
    # Its jobs are claimed from then on, until then. Without a window: always.
    Column("opens_at", Float, nullable=False, server_default="0"),
    Column("closes_at", Float),
    Column("spent_device_seconds", Float, nullable=False),
    # When a job of it was last claimed: of equals, the one that waited longest is served next.
    Column("served_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    # Of what was made until then only the rows are left.
    Column("assets_deleted_at", Float),
    Index("ix_campaigns_state", "state"),
    Index("ix_campaigns_tenant", "tenant", "created_at", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(96), primary_key=True),
    Column("campaign_id", String(80), ForeignKey("campaigns.id"), nullable=False),
    # The place in the queue of its campaign.
    Column("position", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("bucket", String(200), nullable=False),
    Column("state", String(10), nullable=False),
    Column("brief", Text, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("sku", String(64), nullable=False),
    Column("audience_id", String(64), nullable=False),
    Column("variant", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    # Of which styles one is chosen when it is claimed first, with commas; empty: it has its style.
    Column("open_styles", String(64), nullable=False, server_default=""),
    # How many other jobs it may be made of; `inputs` lists them.
    Column("inputs", Integer, nullable=False, server_default="0"),
    # The job whose rejected asset this one makes anew.
    Column("replaces_job_id", String(96)),
    Column("not_before", Float, nullable=False),
    # How often it was claimed, ended in an error, lost its worker, and lost it while it ran alone.
    Column("attempts", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("losses_alone", Integer, nullable=False),
    Column("worker", String(200)),
    Column("lease_token", String(32)),
    Column("lease_until", Float),
    Column("error_code", String(40)),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("device_seconds", Float, nullable=False),
    # Holds all that jobs are counted by, so that nobody who counts a million of them looks at one.
    Index("ix_jobs_state", "campaign_id", "state", "kind", "error_code"),
    # Of very many jobs that wait for their inputs, a claim must not look at a single one.
    Index("ix_jobs_claim", "campaign_id", "bucket", "position", sqlite_where=IS_READY, postgresql_where=IS_READY),
    Index("ix_jobs_pick", "campaign_id", "kind", "position", sqlite_where=IS_READY, postgresql_where=IS_READY),
    Index("ix_jobs_unready", "id", sqlite_where=IS_UNREADY, postgresql_where=IS_UNREADY),
    Index("ix_jobs_leased", "lease_until", sqlite_where=IS_LEASED, postgresql_where=IS_LEASED),
    # Two people who ask for the same at once get one replacement.
    Index(
        "ix_jobs_replaces_job_id",
        "replaces_job_id",
        unique=True,
        sqlite_where=IS_REPLACEMENT,
        postgresql_where=IS_REPLACEMENT,
    ),
)

# What jobs are made of: the asset of `input_job_id` plays this role in `job_id`. Of several for one role the one
# of the least rank that is not lost does.
inputs = Table(
    "inputs",
    metadata,
    Column("job_id", String(96), ForeignKey("jobs.id"), primary_key=True),
    Column("role", String(40), primary_key=True),
    Column("rank", Integer, primary_key=True, autoincrement=False, server_default="0"),
    # Without a foreign key: a job may be recorded before those that it is made of.
    Column("input_job_id", String(96), nullable=False),
    Index("ix_inputs_input_job_id", "input_job_id"),
)

assets = Table(
    "assets",
    metadata,
    # The job's id is the key, so a job can never have two assets.
    Column("job_id", String(96), ForeignKey("jobs.id"), primary_key=True),
    Column("campaign_id", String(80), ForeignKey("campaigns.id"), nullable=False),
    Column("sku", String(64), nullable=False),
    Column("key", String(400), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("length_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("manifest_key", String(400), nullable=False),
    Column("manifest_offset_bytes", BigInteger, nullable=False),
    Column("manifest_length_bytes", BigInteger, nullable=False),
    Column("manifest_sha256", String(64), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("preview", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    # Perceptual hash of a picture or sound in hex: near-duplicates have nearly the same. Empty for copy.
    Column("likeness", String(16), nullable=False, server_default=""),
    Column("model", String(200), nullable=False),
    Column("device_seconds", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("campaign_id", "fingerprint"),
    # Near-duplicates are looked for among the assets of one product.
    Index("ix_assets_product", "campaign_id", "sku"),
    # A canary is judged by what was made since it began.
    Index("ix_assets_created_at", "created_at"),
)

failures = Table(
    "failures",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("job_id", String(96), ForeignKey("jobs.id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", String(200), nullable=False),
    Column("code", String(40), nullable=False),
    Column("message", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_failures_job_id", "job_id"),
)

# What a device was found to hold: after running out of memory, the batch that fitted.
batch_limits = Table(
    "batch_limits",
    metadata,
    Column("device", String(100), primary_key=True),
    Column("bucket", String(200), primary_key=True),
    Column("jobs", Integer, nullable=False),
    Column("at", Float, nullable=False),
)

# What people did to campaigns and jobs, and when.
actions = Table(
    "actions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("target", String(96), nullable=False),
    Column("detail", Text, nullable=False),
)
