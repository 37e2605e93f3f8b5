"""Migrations of the ledger: whoever opens an empty one makes its tables; others change when somebody asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, inspect, text

from core.errors import OutdatedError, StateError

# The newest ledger revision, in versions/; a process that finds it in the database need not load alembic (0.3 s).
HEAD = "0012"
# Any number, the same in every process: PostgreSQL's advisory lock for migrations.
LOCK = 4_207_715
# A change of a table waits for who uses it, and all others wait behind it: no longer than this, then it is tried anew.
LOCK_SECONDS = 10
FOLDER = Path(__file__).parent


def current(connection: Connection) -> str | None:
    """Return the revision of the database, None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def revisions() -> list[str]:
    """Return every revision that this version knows, oldest first: the beginnings of the names of the files."""
    return sorted(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*_*.py"))


def check_known(revision: str | None) -> None:
    """Raise OutdatedError when this is the revision of a newer version than this one."""
    # HEAD first: every command asks, and looks into no folder for it.
    if revision not in {HEAD, None} and revision not in revisions():
        raise OutdatedError(
            f"the ledger is at revision {revision} and this process knows none after {HEAD}: install the version that "
            "migrated it, or go back with that one (`factory migrate --to`)"
        )


def check_current(revision: str) -> None:
    """Raise OutdatedError when tables of this revision are older or newer than this version's."""
    check_known(revision)
    if revision != HEAD:
        raise OutdatedError(
            f"the ledger is at revision {revision} and this version needs {HEAD}: `factory migrate` brings "
            "it there (`factory up` does, too); or go on with the version that it belongs to"
        )


def upgrade(engine: Engine) -> None:
    """Bring the database to HEAD. Runs under a lock, so that two processes never migrate at once."""
    with engine.connect() as connection:
        revision = current(connection)
    if revision == HEAD:
        return
    check_known(revision)
    with _locked(engine) as connection:
        # Somebody else may have migrated meanwhile.
        revision = current(connection)
        check_known(revision)
        if revision != HEAD:
            run(connection, HEAD)


def downgrade(engine: Engine, revision: str) -> None:
    """Bring the database back to a revision; what only later ones have is deleted."""
    if revision not in revisions():
        raise StateError(f"there is no revision '{revision}': one of {', '.join(revisions())}")
    with _locked(engine) as connection:
        before = current(connection)
        check_known(before)
        if (before or "") > revision:
            _run_alembic(connection, "downgrade", revision)


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    with engine.execution_options(is_writer=True).begin() as connection:
        hold(connection)
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        yield connection


def hold(connection: Connection) -> None:
    """Let nobody else migrate until the end of the transaction; on SQLite nobody can anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def run(connection: Connection, revision: str) -> None:
    """Bring the database to a revision that is not behind the one it has, within the transaction of the caller."""
    _run_alembic(connection, "upgrade", revision)


def _run_alembic(connection: Connection, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    from alembic import command  # noqa: PLC0415 - only the process that migrates pays for it
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    (command.upgrade if direction == "upgrade" else command.downgrade)(config, revision)
