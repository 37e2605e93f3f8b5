"""One connection pool to the ledger's database: SQLite in WAL mode on one machine, PostgreSQL in a cluster."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from core import migrations
from core.errors import LedgerError, OutdatedError, SettingsError

SQLITE_WAIT_SECONDS = 30
SQLITE_POLL_SECONDS = 0.002


class Database:
    """The door to SQL. `read` and `write` are transactions; a database that is away raises LedgerError."""

    def __init__(self, url: str, pool_size: int = 8) -> None:
        try:
            self.url = make_url(url)
            self.is_sqlite = self.url.get_backend_name() == "sqlite"
            self.engine = self._connect_sqlite() if self.is_sqlite else self._connect_server(pool_size)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise SettingsError(
                f"FACTORY_LEDGER_URL: {error}; write sqlite:////folder/ledger.db or postgresql+psycopg://user@host/name"
            ) from error
        self._writer = self.engine.execution_options(is_writer=True)
        self._turn = threading.Lock()

    def _connect_sqlite(self) -> Engine:
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self.url, connect_args={"timeout": SQLITE_WAIT_SECONDS})

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _record: object) -> None:
            # FULL: a commit survives a loss of power. The driver must not begin transactions by itself.
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            # A transaction that reads first and writes later could not get the lock any more: ask for it at once.
            if connection.get_execution_options().get("is_writer", False):
                _begin_to_write(connection)
            else:
                connection.exec_driver_sql("BEGIN")

        return engine

    def _connect_server(self, pool_size: int) -> Engine:
        return create_engine(self.url, pool_size=pool_size, pool_pre_ping=True, connect_args={"connect_timeout": 5})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _translated(self), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes: all of it or nothing."""
        with self._taking_turns(), _translated(self), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Open a transaction that only reads and sees one moment, however long it reads and whoever writes."""
        # SQLite reads so anyway.
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with _translated(self), self.engine.execution_options(**options).begin() as connection:
            yield connection

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        """Let one thread of this process write to SQLite at a time.

        Whoever waits for SQLite's own lock looks again after up to a tenth of a second, and who comes later may get it
        first: with fifty people at once the last one in a hundred waited for six seconds.
        """
        if not self.is_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=SQLITE_WAIT_SECONDS):
            raise LedgerError(f"the ledger at {self.url!r} does not answer: others write for too long")
        try:
            yield
        finally:
            self._turn.release()

    def insert_new(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """Return an insert that leaves rows alone that are there already."""
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        return insert.on_conflict_do_nothing()

    def upsert(self, table: Table, keys: Sequence[str], values: dict[str, object]) -> Insert:
        """Return an insert of one row that replaces the row with the same keys."""
        insert = (sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)).values(values)
        changed = {name: value for name, value in values.items() if name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=changed)

    def upsert_all(self, table: Table, keys: Sequence[str]) -> Insert:
        """Return an insert of whole rows, given when it is executed, that replaces rows with the same keys."""
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        changed = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=changed)

    def add_all(self, table: Table, keys: Sequence[str]) -> Insert:
        """Return an insert of whole rows, given when it is executed, that adds to rows with the same keys."""
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        sums = {column.name: column + insert.excluded[column.name] for column in table.c if column.name not in keys}
        return insert.on_conflict_do_update(index_elements=list(keys), set_=sums)

    def analyse(self, table: Table) -> None:
        """Tell PostgreSQL's planner what is in a table; by itself it looks a minute later. SQLite needs none of it."""
        if not self.is_sqlite:
            with self.read() as connection:
                # Whoever else does so right now does it for us.
                connection.execute(text(f"ANALYZE (SKIP_LOCKED) {table.name}"))

    def settle(self) -> None:
        """Make the tables of an empty database; raises OutdatedError where there are others than this version's."""
        with _translated(self), self.engine.connect() as connection:
            revision = migrations.current(connection)
        if revision is None:
            self.migrate()
        else:
            migrations.check_current(revision)

    def migrate(self) -> None:
        """Bring the tables to the newest revision; several processes may call it at once."""
        with _translated(self, is_migration=True):
            migrations.upgrade(self.engine)

    def migrate_back(self, revision: str) -> None:
        """Bring the tables back to an older revision; what only later ones have is deleted."""
        with _translated(self, is_migration=True):
            migrations.downgrade(self.engine, revision)

    def revision(self) -> str | None:
        """Return the revision of the tables, None where there are none."""
        with self.read() as connection:
            return migrations.current(connection)

    def ping(self) -> None:
        """Raise LedgerError unless the database answers."""
        with self.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _begin_to_write(connection: Connection) -> None:
    """Take SQLite's lock as soon as it is free.

    SQLite itself would look again after up to a tenth of a second, and all threads of this process wait meanwhile; only
    one of them is here, so it may look often.
    """
    pause, ends_at = threading.Event(), time.monotonic() + SQLITE_WAIT_SECONDS
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            except OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() > ends_at:
                    raise
                pause.wait(SQLITE_POLL_SECONDS)
            else:
                return
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={SQLITE_WAIT_SECONDS * 1000}")


@contextmanager
def _translated(database: Database, *, is_migration: bool = False) -> Iterator[None]:
    """Raise what a statement met as an error of ours; what a migration's own statements break says so itself."""
    try:
        yield
    except OperationalError as error:
        if _is_about_tables(error):
            if is_migration:
                raise
            _end_if_outdated(database, error)
        raise LedgerError(f"the ledger at {database.url!r} does not answer: {error.orig}") from error
    except DBAPIError as error:
        # A server that goes away in the middle of a statement shows as a plain error of the connection.
        if error.connection_invalidated:
            raise LedgerError(f"the ledger at {database.url!r} closed the connection: {error.orig}") from error
        if not is_migration:
            _end_if_outdated(database, error)
        if "is not a database" in str(error.orig):
            raise SettingsError(f"FACTORY_LEDGER_URL: {database.url.database} is no ledger: {error.orig}") from error
        raise


def _is_about_tables(error: OperationalError) -> bool:
    """Tell whether SQLite misses a table or column; it says so as it says that it is away."""
    return any(word in str(error.orig) for word in ("no such table", "no such column", "has no column"))


def _end_if_outdated(database: Database, error: DBAPIError) -> None:
    """Raise OutdatedError where a statement failed since somebody has migrated the tables, forward or back."""
    try:
        with database.engine.connect() as connection:
            revision = migrations.current(connection)
        if revision is not None:
            migrations.check_current(revision)
    except OutdatedError as outdated:
        raise outdated from error
    except DBAPIError:
        # The first error says more.
        return
