"""Styles are chosen for a job when it is claimed first, and what was known then is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("open_styles", sa.String(length=64), nullable=False, server_default=""))
    op.create_table(
        "posteriors",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("known", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posteriors")),
    )
    op.create_table(
        "choices",
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("style", sa.String(length=16), nullable=False),
        sa.Column("posterior_id", sa.String(length=32), nullable=False),
        sa.Column("chosen_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_choices_job_id")),
        sa.ForeignKeyConstraint(["posterior_id"], ["posteriors.id"], name=op.f("fk_choices_posterior_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_choices")),
    )


def downgrade() -> None:
    op.drop_table("choices")
    op.drop_table("posteriors")
    op.drop_column("jobs", "open_styles")
