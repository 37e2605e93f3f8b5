"""Schedules and their runs, and windows of campaigns."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SCHEDULED = sa.text("state = 'active'")
KEPT = sa.text("state <> 'removed'")
DUE = sa.text("state = 'due'")


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("time_window", sa.String(length=80), server_default="", nullable=False))
    op.add_column("campaigns", sa.Column("opens_at", sa.Float(), server_default="0", nullable=False))
    op.add_column("campaigns", sa.Column("closes_at", sa.Float(), nullable=True))
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("cron", sa.String(length=100), nullable=False),
        sa.Column("catch_up", sa.String(length=8), nullable=False),
        sa.Column("template_id", sa.String(length=32), nullable=False),
        sa.Column("is_limited", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index(
        "ix_schedules_due", "schedules", ["next_at"], unique=False, sqlite_where=SCHEDULED, postgresql_where=SCHEDULED
    )
    op.create_index(
        "ix_schedules_name", "schedules", ["tenant", "name"], unique=True, sqlite_where=KEPT, postgresql_where=KEPT
    )
    op.create_table(
        "templates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("schedule_id", sa.String(length=40), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("time_window", sa.String(length=11), nullable=False),
        sa.Column("priority", sa.String(length=12), nullable=False),
        sa.Column("file_name", sa.String(length=200), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_templates_schedule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
    )
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("template_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("cause", sa.String(length=100), nullable=False),
        sa.Column("campaign_id", sa.String(length=80), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Float(), nullable=False),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["schedule_id"], ["schedules.id"], name=op.f("fk_schedule_runs_schedule_id")),
        sa.ForeignKeyConstraint(["template_id"], ["templates.id"], name=op.f("fk_schedule_runs_template_id")),
        sa.PrimaryKeyConstraint("schedule_id", "due_at", name=op.f("pk_schedule_runs")),
    )
    op.create_index(
        "ix_schedule_runs_due", "schedule_runs", ["not_before"], unique=False, sqlite_where=DUE, postgresql_where=DUE
    )


def downgrade() -> None:
    op.drop_table("schedule_runs")
    op.drop_table("templates")
    op.drop_table("schedules")
    for column in ("closes_at", "opens_at", "time_window"):
        op.drop_column("campaigns", column)
