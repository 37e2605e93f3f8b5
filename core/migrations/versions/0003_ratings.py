"""Feedback: ratings, comparisons, results, their tallies and refusals; and jobs that replace rejected assets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

CURRENT = sa.text("is_current")
CURRENT_REASON = sa.text("is_current AND reason IS NOT NULL")
REPLACEMENT = sa.text("replaces_job_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "forgotten",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_forgotten")),
    )
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("rater", sa.String(length=100), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_rater", "inbox", ["tenant", "rater"], unique=False)
    op.create_index("ix_inbox_sent_at", "inbox", ["sent_at"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("rater", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusals")),
        sa.UniqueConstraint("sha256", name=op.f("uq_refusals_sha256")),
    )
    op.create_index("ix_refusals_rater", "refusals", ["tenant", "rater"], unique=False)
    op.create_table(
        "strata",
        sa.Column("campaign_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("audience_id", sa.String(length=64), nullable=False),
        sa.Column("style", sa.String(length=16), nullable=False),
        sa.Column("assets", sa.Float(), nullable=False),
        sa.Column("approved", sa.Float(), nullable=False),
        sa.Column("rejected", sa.Float(), nullable=False),
        sa.Column("ratings", sa.Float(), nullable=False),
        sa.Column("stars_count", sa.Float(), nullable=False),
        sa.Column("stars_sum", sa.Float(), nullable=False),
        sa.Column("stars_squares", sa.Float(), nullable=False),
        sa.Column("approvals", sa.Float(), nullable=False),
        sa.Column("rejections", sa.Float(), nullable=False),
        sa.Column("wins", sa.Float(), nullable=False),
        sa.Column("losses", sa.Float(), nullable=False),
        sa.Column("ties", sa.Float(), nullable=False),
        sa.Column("impressions", sa.Float(), nullable=False),
        sa.Column("clicks", sa.Float(), nullable=False),
        sa.Column("conversions", sa.Float(), nullable=False),
        sa.Column("stars_units", sa.Float(), nullable=False),
        sa.Column("stars_sizes", sa.Float(), nullable=False),
        sa.Column("stars_squared_sizes", sa.Float(), nullable=False),
        sa.Column("stars_totals", sa.Float(), nullable=False),
        sa.Column("stars_squared_totals", sa.Float(), nullable=False),
        sa.Column("stars_means", sa.Float(), nullable=False),
        sa.Column("stars_inverses", sa.Float(), nullable=False),
        sa.Column("approval_units", sa.Float(), nullable=False),
        sa.Column("approval_sizes", sa.Float(), nullable=False),
        sa.Column("approval_squared_sizes", sa.Float(), nullable=False),
        sa.Column("approval_totals", sa.Float(), nullable=False),
        sa.Column("approval_squared_totals", sa.Float(), nullable=False),
        sa.Column("approval_squares", sa.Float(), nullable=False),
        sa.Column("approval_means", sa.Float(), nullable=False),
        sa.Column("approval_inverses", sa.Float(), nullable=False),
        sa.Column("click_rate_units", sa.Float(), nullable=False),
        sa.Column("click_rate_sizes", sa.Float(), nullable=False),
        sa.Column("click_rate_squared_sizes", sa.Float(), nullable=False),
        sa.Column("click_rate_totals", sa.Float(), nullable=False),
        sa.Column("click_rate_squared_totals", sa.Float(), nullable=False),
        sa.Column("click_rate_squares", sa.Float(), nullable=False),
        sa.Column("click_rate_means", sa.Float(), nullable=False),
        sa.Column("click_rate_inverses", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "kind", "channel", "audience_id", "style", name=op.f("pk_strata")),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("rater", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("other_job_id", sa.String(length=96), nullable=False),
        sa.Column("better_job_id", sa.String(length=96), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("rated_at", sa.Float(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_comparisons_job_id")),
        sa.ForeignKeyConstraint(["other_job_id"], ["jobs.id"], name=op.f("fk_comparisons_other_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
        sa.UniqueConstraint("message_id", name=op.f("uq_comparisons_message_id")),
    )
    op.create_index(
        "ix_comparisons_current",
        "comparisons",
        ["job_id", "other_job_id", "tenant", "rater"],
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )
    op.create_index(
        "ix_comparisons_other",
        "comparisons",
        ["other_job_id"],
        unique=False,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )
    op.create_index("ix_comparisons_rater", "comparisons", ["tenant", "rater"], unique=False)
    op.create_table(
        "ratings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("rater", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("campaign_id", sa.String(length=80), nullable=False),
        sa.Column("stars", sa.Integer(), nullable=True),
        sa.Column("approves", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.String(length=63), nullable=True),
        sa.Column("reasons_version", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("rated_at", sa.Float(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_ratings_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ratings")),
        sa.UniqueConstraint("message_id", name=op.f("uq_ratings_message_id")),
    )
    op.create_index("ix_ratings_campaign_id", "ratings", ["campaign_id", "id"], unique=False)
    op.create_index(
        "ix_ratings_current",
        "ratings",
        ["job_id", "tenant", "rater"],
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )
    op.create_index(
        "ix_ratings_tally",
        "ratings",
        ["job_id", "is_current", "stars", "approves", "rated_at", "message_id"],
        unique=False,
    )
    op.create_index("ix_ratings_rater", "ratings", ["tenant", "rater"], unique=False)
    op.create_index(
        "ix_ratings_reason",
        "ratings",
        ["campaign_id", "reason"],
        unique=False,
        sqlite_where=CURRENT_REASON,
        postgresql_where=CURRENT_REASON,
    )
    op.create_table(
        "results",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("recorded_at", sa.Float(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("rater", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("source", sa.String(length=63), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("conversions", sa.Float(), nullable=False),
        sa.Column("rated_at", sa.Float(), nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_results_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
        sa.UniqueConstraint("message_id", name=op.f("uq_results_message_id")),
    )
    op.create_index(
        "ix_results_current",
        "results",
        ["job_id", "tenant", "source", "day"],
        unique=True,
        sqlite_where=CURRENT,
        postgresql_where=CURRENT,
    )
    op.create_index("ix_results_rater", "results", ["tenant", "rater"], unique=False)
    op.create_table(
        "tallies",
        sa.Column("job_id", sa.String(length=96), nullable=False),
        sa.Column("campaign_id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("audience_id", sa.String(length=64), nullable=False),
        sa.Column("style", sa.String(length=16), nullable=False),
        sa.Column("ratings", sa.Integer(), nullable=False),
        sa.Column("stars_count", sa.Integer(), nullable=False),
        sa.Column("stars_sum", sa.Integer(), nullable=False),
        sa.Column("stars_squares", sa.Integer(), nullable=False),
        sa.Column("approvals", sa.Integer(), nullable=False),
        sa.Column("rejections", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("ties", sa.Integer(), nullable=False),
        sa.Column("impressions", sa.BigInteger(), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=False),
        sa.Column("conversions", sa.Float(), nullable=False),
        sa.Column("standing", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_tallies_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_tallies")),
    )
    op.create_index("ix_tallies_campaign_id", "tallies", ["campaign_id", "kind"], unique=False)
    op.add_column("jobs", sa.Column("replaces_job_id", sa.String(length=96), nullable=True))
    op.create_index(
        "ix_jobs_replaces_job_id",
        "jobs",
        ["replaces_job_id"],
        unique=True,
        sqlite_where=REPLACEMENT,
        postgresql_where=REPLACEMENT,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_replaces_job_id", table_name="jobs", sqlite_where=REPLACEMENT, postgresql_where=REPLACEMENT)
    op.drop_column("jobs", "replaces_job_id")
    for table in ("strata", "tallies", "results", "ratings", "comparisons", "refusals", "forgotten", "inbox"):
        op.drop_table(table)
