"""Who may call the HTTP API, what tenants may have, and what was called."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from core.tables.metadata import metadata

# What a tenant may do; a tenant without a row has the limits of the settings. Its row is locked while it submits.
tenants = Table(
    "tenants",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("jobs_a_day", BigInteger),
    Column("open_jobs", BigInteger),
)

# Who may call the HTTP API. Of a key itself only its hash is kept.
keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("role", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("revoked_at", Float),
)

# Who has signed in to the pages with a key. Of what the browser keeps only the hash is here.
sessions = Table(
    "sessions",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("key_id", String(16), ForeignKey("keys.id"), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("ends_at", Float, nullable=False),
    Index("ix_sessions_ends_at", "ends_at"),
)

# Every call of the HTTP API that may change something. Without a status the process ended in the middle of it.
calls = Table(
    "calls",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("path", String(300), nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("status", Integer),
    Index("ix_calls_tenant", "tenant", "id"),
)

# What an Idempotency-Key was first used for.
idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Index("ix_idempotency_keys_created_at", "created_at"),
)
