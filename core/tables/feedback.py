"""What people think of assets, all of it ever, and what it adds up to."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, or_, text

from core.tables.metadata import metadata

# Conditions of indexes. A statement that shall use one of these indexes repeats its condition word by word.
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


def _arrival() -> "tuple[Column[int], Column[str], Column[float]]":
    """Return what every message is kept with: its place in the order of arrival, its id, and when it arrived."""
    return (
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
        Column("message_id", String(64), nullable=False, unique=True),
        Column("recorded_at", Float, nullable=False),
    )


# What people think of assets: all of it ever, with the one that counts of each person and asset marked.
# A row with neither stars nor a yes or no takes back what its rater said before.
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

# Not withdrawn.
SAYS_SOMETHING = or_(ratings.c.stars.is_not(None), ratings.c.approves.is_not(None))

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
