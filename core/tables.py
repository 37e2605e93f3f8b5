"""The tables of the ledger. Times are seconds since 1970 (UTC); rows are the truth, the broker only rings."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# The `not_before` of a job that waits for its inputs: 30 000 years from now.
WAITS_FOR_INPUTS = 1e12
# Conditions of indexes. A statement that shall use one of these indexes repeats its condition word by word.
IS_READY = text("state = 'waiting' AND not_before < 1e12")
IS_UNREADY = text("state = 'waiting' AND not_before = 1e12")
IS_LEASED = text("state = 'leased'")
IS_REPLACEMENT = text("replaces_job_id IS NOT NULL")
IS_CURRENT = text("is_current")
IS_CURRENT_REASON = text("is_current AND reason IS NOT NULL")

# What is counted of each asset, and which moments are kept of each measure: see core/estimates.py.
TALLIED = (
    *("ratings", "stars_count", "stars_sum", "stars_squares", "approvals", "rejections"),
    *("wins", "losses", "ties", "impressions", "clicks", "conversions"),
)
MOMENTS = ("units", "sizes", "squared_sizes", "totals", "squared_totals", "squares", "means", "inverses")
MEASURES = ("stars", "approval", "click_rate")
# The squares of stars are one of the moments, too.
STRATUM_SUMS = dict.fromkeys(
    (
        *("assets", "approved", "rejected", *TALLIED),
        *(f"{measure}_{moment}" for measure in MEASURES for moment in MOMENTS),
    )
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(64), nullable=False),
    # submitting, active, paused, cancelled, finished. Only an active campaign's jobs are claimed.
    Column("state", String(12), nullable=False),
    Column("state_reason", String(200), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("definition", Text, nullable=False),
    Column("submitted_jobs", Integer, nullable=False),
    Column("budget_device_seconds", Float),
    Column("spent_device_seconds", Float, nullable=False),
    # When a job of it was last claimed: of equals, the one that waited longest is served next.
    Column("served_at", Float, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("finished_at", Float),
    Index("ix_campaigns_state", "state"),
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
    # How many other jobs it is made of; `inputs` lists them.
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
    Index("ix_jobs_state", "campaign_id", "state"),
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

# What jobs are made of: the asset of `input_job_id` plays this role in `job_id`.
inputs = Table(
    "inputs",
    metadata,
    Column("job_id", String(96), ForeignKey("jobs.id"), primary_key=True),
    Column("role", String(40), primary_key=True),
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


def _arrival() -> "tuple[Column[int], Column[str], Column[float]]":
    """Return what every message is kept with: its place in the order of arrival, its id, and when it arrived."""
    return (
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("message_id", String(64), nullable=False, unique=True),
        Column("recorded_at", Float, nullable=False),
    )


# What people think of assets: all of it ever, with the one that counts of each person and asset marked.
ratings = Table(
    "ratings",
    metadata,
    *_arrival(),
    Column("tenant", String(63), nullable=False),
    Column("rater", String(100), nullable=False),
    Column("job_id", String(96), ForeignKey("jobs.id"), nullable=False),
    Column("campaign_id", String(80), nullable=False),
    Column("stars", Integer),
    Column("approves", Boolean),
    Column("reason", String(63)),
    # Of the list that the reason is from.
    Column("reasons_version", Integer),
    Column("comment", Text, nullable=False),
    Column("rated_at", Float, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Index(
        "ix_ratings_current",
        *("job_id", "tenant", "rater"),
        unique=True,
        sqlite_where=IS_CURRENT,
        postgresql_where=IS_CURRENT,
    ),
    # Holds all that a tally is read from, since the ratings of one asset lie scattered over the table.
    Index("ix_ratings_tally", "job_id", "is_current", "stars", "approves", "rated_at", "message_id"),
    Index("ix_ratings_rater", "tenant", "rater"),
    Index("ix_ratings_campaign_id", "campaign_id", "id"),
    # Rejections are few, and what they are for is asked for often.
    Index(
        "ix_ratings_reason",
        *("campaign_id", "reason"),
        sqlite_where=IS_CURRENT_REASON,
        postgresql_where=IS_CURRENT_REASON,
    ),
)

# Which of two assets a person finds better. The smaller id is `job_id`, so a pair is one pair whoever is named first.
comparisons = Table(
    "comparisons",
    metadata,
    *_arrival(),
    Column("tenant", String(63), nullable=False),
    Column("rater", String(100), nullable=False),
    Column("job_id", String(96), ForeignKey("jobs.id"), nullable=False),
    Column("other_job_id", String(96), ForeignKey("jobs.id"), nullable=False),
    # Nothing for a tie.
    Column("better_job_id", String(96)),
    Column("comment", Text, nullable=False),
    Column("rated_at", Float, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Index(
        "ix_comparisons_current",
        *("job_id", "other_job_id", "tenant", "rater"),
        unique=True,
        sqlite_where=IS_CURRENT,
        postgresql_where=IS_CURRENT,
    ),
    Index("ix_comparisons_other", "other_job_id", sqlite_where=IS_CURRENT, postgresql_where=IS_CURRENT),
    Index("ix_comparisons_rater", "tenant", "rater"),
)

# What became of assets where they were published. An empty day stands for all days until now.
results = Table(
    "results",
    metadata,
    *_arrival(),
    Column("tenant", String(63), nullable=False),
    Column("rater", String(100), nullable=False),
    Column("job_id", String(96), ForeignKey("jobs.id"), nullable=False),
    Column("source", String(63), nullable=False),
    Column("day", String(10), nullable=False),
    Column("impressions", BigInteger, nullable=False),
    Column("clicks", BigInteger, nullable=False),
    Column("conversions", Float, nullable=False),
    Column("rated_at", Float, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Index(
        "ix_results_current",
        *("job_id", "tenant", "source", "day"),
        unique=True,
        sqlite_where=IS_CURRENT,
        postgresql_where=IS_CURRENT,
    ),
    Index("ix_results_rater", "tenant", "rater"),
)

# What all current feedback of an asset adds up to. It follows from the three tables above and is written with them.
tallies = Table(
    "tallies",
    metadata,
    Column("job_id", String(96), ForeignKey("jobs.id"), primary_key=True),
    Column("campaign_id", String(80), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("audience_id", String(64), nullable=False),
    # Of a line of copy; empty for anything else.
    Column("style", String(16), nullable=False),
    Column("ratings", Integer, nullable=False),
    Column("stars_count", Integer, nullable=False),
    Column("stars_sum", Integer, nullable=False),
    Column("stars_squares", Integer, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("rejections", Integer, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("ties", Integer, nullable=False),
    Column("impressions", BigInteger, nullable=False),
    Column("clicks", BigInteger, nullable=False),
    Column("conversions", Float, nullable=False),
    # open, approved or rejected: what the person said last who said yes or no last.
    Column("standing", String(10), nullable=False),
    Index("ix_tallies_campaign_id", "campaign_id", "kind"),
)

# What tallies of assets with the same campaign, kind, channel, audience and style add up to, so that a question about
# a campaign reads a few rows however many assets it has. Written with the tallies.
strata = Table(
    "strata",
    metadata,
    Column("campaign_id", String(80), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("audience_id", String(64), primary_key=True),
    Column("style", String(16), primary_key=True),
    *(Column(name, Float, nullable=False) for name in STRATUM_SUMS),
)

# Feedback that cannot be recorded, once each, with the reason.
refusals = Table(
    "refusals",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    # Of the message as it came: one that comes again is the same refusal.
    Column("sha256", String(64), nullable=False, unique=True),
    Column("tenant", String(63), nullable=False),
    Column("rater", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_refusals_rater", "tenant", "rater"),
)

# Feedback that was sent and is not recorded yet: whatever becomes of the broker, it is not lost.
inbox = Table(
    "inbox",
    metadata,
    Column("message_id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("rater", String(100), nullable=False),
    Column("message", Text, nullable=False),
    Column("sent_at", Float, nullable=False),
    Index("ix_inbox_sent_at", "sent_at"),
    Index("ix_inbox_rater", "tenant", "rater"),
)

# Messages of people who wanted their ratings deleted: should one come again, it is not recorded again.
forgotten = Table("forgotten", metadata, Column("message_id", String(64), primary_key=True))
