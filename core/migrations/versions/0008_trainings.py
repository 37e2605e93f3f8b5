"""Trainings: what was learnt from ratings."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    op.create_table(
        "trainings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Text(), nullable=False),
        sa.Column("last_rating_id", sa.BigInteger(), nullable=False),
        sa.Column("last_comparison_id", sa.BigInteger(), nullable=False),
        sa.Column("snapshot_key", sa.String(length=200), nullable=True),
        sa.Column("snapshot_sha256", sa.String(length=64), nullable=True),
        sa.Column("snapshot_bytes", sa.BigInteger(), nullable=True),
        sa.Column("parent", sa.String(length=40), nullable=False),
        sa.Column("approval", sa.Float(), nullable=True),
        sa.Column("version_id", sa.String(length=40), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=200), nullable=True),
        sa.Column("lease_token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trainings")),
    )
    op.create_index(
        "ix_trainings_open",
        "trainings",
        ["kind", "model"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index("ix_trainings_model", "trainings", ["kind", "model", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("trainings")
