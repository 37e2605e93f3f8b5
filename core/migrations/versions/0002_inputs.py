"""Inputs: jobs that are made of other jobs' assets, and wait for them; and the likeness of an asset.

The indexes of pick and claim hold only the jobs that may be claimed now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

READY = sa.text("state = 'waiting' AND not_before < 1e12")
UNREADY = sa.text("state = 'waiting' AND not_before = 1e12")


def upgrade() -> None:
    op.create_table(
        "inputs",
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("input_job_id", sa.String(length=96), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_inputs_job_id")),
        sa.PrimaryKeyConstraint("job_id", "role", name=op.f("pk_inputs")),
    )
    op.create_index("ix_inputs_input_job_id", "inputs", ["input_job_id"], unique=False)
    op.add_column("jobs", sa.Column("inputs", sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_jobs_state", "jobs", ["campaign_id", "state"], unique=False)
    op.create_index("ix_jobs_unready", "jobs", ["id"], unique=False, sqlite_where=UNREADY, postgresql_where=UNREADY)
    for name, column in {"ix_jobs_claim": "bucket", "ix_jobs_pick": "kind"}.items():
        columns = ["campaign_id", column, "position"]
        op.drop_index(name, table_name="jobs")
        op.create_index(name, "jobs", columns, unique=False, sqlite_where=READY, postgresql_where=READY)
    op.add_column("assets", sa.Column("likeness", sa.String(length=16), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("assets", "likeness")
    for name, column in {"ix_jobs_claim": "bucket", "ix_jobs_pick": "kind"}.items():
        op.drop_index(name, table_name="jobs")
        op.create_index(name, "jobs", ["campaign_id", "state", column, "position"], unique=False)
    op.drop_index("ix_jobs_unready", table_name="jobs", sqlite_where=UNREADY, postgresql_where=UNREADY)
    op.drop_index("ix_jobs_state", table_name="jobs")
    op.drop_column("jobs", "inputs")
    op.drop_index("ix_inputs_input_job_id", table_name="inputs")
    op.drop_table("inputs")
