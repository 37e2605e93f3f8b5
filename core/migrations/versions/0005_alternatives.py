"""A job may name several jobs for one role: inputs are ranked. An older worker takes every one of them as needed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

RANKED = ["job_id", "role", "rank"]
UNRANKED = ["job_id", "role"]


def upgrade() -> None:
    rank = sa.Column("rank", sa.Integer(), server_default="0", nullable=False)
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(RANKED, rank)
        return
    op.add_column("inputs", rank)
    op.drop_constraint("pk_inputs", "inputs", type_="primary")
    op.create_primary_key("pk_inputs", "inputs", RANKED)


def downgrade() -> None:
    op.execute("DELETE FROM inputs WHERE rank > 0")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(UNRANKED)
        return
    op.drop_constraint("pk_inputs", "inputs", type_="primary")
    op.drop_column("inputs", "rank")
    op.create_primary_key("pk_inputs", "inputs", UNRANKED)


def _rebuild(key: list[str], *more: sa.Column[int]) -> None:
    """Copy the table: SQLite cannot change a primary key."""
    op.create_table(
        "inputs_rebuilt",
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        *more,
        sa.Column("input_job_id", sa.String(length=96), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_inputs_job_id"),
        sa.PrimaryKeyConstraint(*key, name="pk_inputs"),
    )
    op.execute("INSERT INTO inputs_rebuilt (job_id, role, input_job_id) SELECT job_id, role, input_job_id FROM inputs")
    op.drop_table("inputs")
    op.rename_table("inputs_rebuilt", "inputs")
    op.create_index("ix_inputs_input_job_id", "inputs", ["input_job_id"], unique=False)
