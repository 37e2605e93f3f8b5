"""Migrations of the ledger, applied by whoever opens it first."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

# The newest revision in versions/; a process that finds it in the database need not load alembic (0.3 s).
HEAD = "0012"
# Any number, the same in every process: PostgreSQL's advisory lock for migrations.
LOCK = 4_207_715


def current(connection: Connection) -> str | None:
    """Return the revision of the database, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Bring the database to HEAD. Runs under a lock, so that two processes never migrate at once."""
    with engine.connect() as connection:
        if current(connection) == HEAD:
            return
    with engine.execution_options(is_writer=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if current(connection) != HEAD:
            run(connection, HEAD)


def run(connection: Connection, revision: str) -> None:
    """Bring the database to a revision that is not behind the one it has, within the transaction of the caller."""
    from alembic import command  # noqa: PLC0415 - only the process that migrates pays for it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
