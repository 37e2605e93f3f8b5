"""Which style was chosen for a job, once and for all, and what was known then."""

from sqlalchemy import Column, Float, ForeignKey, String, Table, Text

from core.tables.metadata import metadata

# What was known of the styles of a cell when some were chosen, under the hash of its text: jobs share a row as long as
# nothing new is known.
posteriors = Table(
    "posteriors",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("known", Text, nullable=False),
)

choices = Table(
    "choices",
    metadata,
    # The job's id is the key, so a job can never be chosen for twice.
    Column("job_id", String(96), ForeignKey("jobs.id"), primary_key=True),
    Column("style", String(16), nullable=False),
    Column("posterior_id", String(32), ForeignKey("posteriors.id"), nullable=False),
    Column("chosen_at", Float, nullable=False),
)
