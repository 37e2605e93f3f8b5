"""The tables of the ledger, from the first revision on: with their rows, and back."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from core import migrations
from core.database import Database
from core.ledger import Ledger
from core.settings import Settings
from core.tables import metadata
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.inputs import AD, BRIEF, HEADLINE, an_ad, claim, state, submit


def test_a_ledger_without_inputs_is_migrated_with_its_rows(bare_url: str, tmp_path: Path):
    old = Database(bare_url)
    revise(old, "0001")
    with old.write() as connection:
        for statement in OLD_ROWS:
            connection.exec_driver_sql(statement)
    old.migrate()
    old.close()
    ledger = Ledger(Settings(home=tmp_path / "home", ledger_url=bare_url))
    submit(ledger, an_ad())

    with ledger.database.read() as connection:
        assert migrations.current(connection) == migrations.HEAD
    (delivered,) = ledger.assets.of_campaign("old")
    lease = claim(ledger, Kind.COPY)
    assert (delivered.asset.preview, delivered.asset.likeness) == ("Coffee before eight", "")
    assert [(job.id, job.inputs) for job in lease.jobs] == [(HEADLINE, ()), ("old-2", ())]
    ledger.close()


def test_the_migrations_make_the_tables_of_the_code_and_can_go_back(ledger: Ledger):
    with ledger.database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    revise(ledger.database, "-1")
    ledger.database.migrate()

    assert differences == []
    submit(ledger, an_ad())
    assert state(ledger, AD) == JobState.WAITING


def revise(database: Database, target: str):
    """Bring the tables to another revision than the newest."""
    config = Config()
    config.set_main_option("script_location", str(migrations.__path__[0]))
    with database.write() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if target.startswith("-") else command.upgrade)(config, target)


def old_job(job_id: str, job_state: str) -> str:
    brief = BRIEF.model_dump_json().replace("'", "''")
    return (
        "INSERT INTO jobs (id, campaign_id, position, kind, bucket, state, brief, channel, sku, audience_id, variant,"
        " seed, not_before, attempts, errors, losses, losses_alone, created_at, device_seconds) VALUES"
        f" ('{job_id}', 'old', 0, 'copy', 'copy/starter/short', '{job_state}', '{brief}', 'google_search.headline',"
        " 'NB-1', 'commuters', 0, 1, 0, 0, 0, 0, 0, 1, 0)"
    )


OLD_CAMPAIGN = """
INSERT INTO campaigns (id, name, state, state_reason, priority, definition, submitted_jobs, spent_device_seconds,
served_at, created_at) VALUES ('old', 'old', 'active', '', 1, '{}', 2, 0, 0, 1)
"""
OLD_ASSET = """
INSERT INTO assets (job_id, campaign_id, sku, key, offset_bytes, length_bytes, sha256, manifest_key,
manifest_offset_bytes, manifest_length_bytes, manifest_sha256, content_type, preview, fingerprint, model,
device_seconds, created_at) VALUES ('old-1', 'old', 'NB-1', 'k', 0, 1, '', 'm', 0, 1, '', 'text/plain',
'Coffee before eight', 'f', 'starter', 0.5, 1)
"""
OLD_ROWS = (OLD_CAMPAIGN, old_job("old-1", "done"), old_job("old-2", "waiting"), OLD_ASSET)
