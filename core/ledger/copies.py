"""The whole ledger as rows, out of one database and into another: what a backup holds and a restore brings back."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text, update
from sqlalchemy.exc import OperationalError, StatementError

from core import migrations
from core.database import Database
from core.errors import ArchiveError, StateError
from core.tables import jobs, metadata, sessions, trainings
from core.tables.learning import IS_OPEN
from schemas.jobs import JobState

# A page ends with the row that makes it longer than either; a row may have megabytes.
MOST_PAGE_ROWS, MOST_PAGE_CHARACTERS = 2000, 8_000_000
FETCHED_ROWS = 50
# Who had signed in signs in again.
LEFT_OUT = {sessions.name}

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Copy:
    """The ledger as it was at one moment."""

    revision: str
    connection: Connection

    def pages(self) -> Iterator[tuple[str, Rows]]:
        """Yield the rows of every table, those before that others point to."""
        for table in metadata.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            query = select(table).order_by(*table.primary_key).execution_options(yield_per=FETCHED_ROWS)
            rows = (dict(row) for row in self.connection.execute(query).mappings())
            for page in cut(rows):
                yield table.name, page


class Copies:
    """Takes the ledger out whole and puts it back whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def taken(self) -> Iterator[Copy]:
        """Give the ledger of one moment; work may go on meanwhile."""
        with self._database.snapshot() as connection:
            yield Copy(migrations.current(connection) or migrations.HEAD, connection)

    def require_empty(self) -> None:
        """Raise StateError when the ledger holds anything."""
        with self._database.read() as connection:
            _require_empty(connection, _tables(connection))

    def put_back(self, revision: str, pages: Iterable[tuple[str, Rows]]) -> int:
        """Fill an empty ledger and bring it to the newest revision, all of it or nothing; return the leases ended.

        The rows are those of a revision: the tables are first made as they were then. What was in hand when the rows
        were taken waits again, and that counts against no job: nobody holds it any more.
        """
        with self._database.write() as connection:
            migrations.hold(connection)
            made = _tables(connection)
            _lock(connection, made)
            _require_empty(connection, made)
            if migrations.current(connection) != revision:
                _remove(connection, made)
                migrations.run(connection, revision)
            _insert(connection, pages)
            migrations.run(connection, migrations.HEAD)
            _count_on(connection)
            return _let_go(connection)


def cut(rows: Iterator[dict[str, Any]]) -> Iterator[Rows]:
    """Yield rows in pages that memory holds, whatever is in them."""
    page: list[dict[str, Any]] = []
    characters = 0
    for row in rows:
        page.append(row)
        characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(page) == MOST_PAGE_ROWS or characters >= MOST_PAGE_CHARACTERS:
            yield page
            page, characters = [], 0
    if page:
        yield page


def _tables(connection: Connection) -> list[Table]:
    """Return our tables as they are in the database, those before that others point to."""
    there = set(inspect(connection).get_table_names())
    found = MetaData()
    found.reflect(connection, only=sorted(there & set(metadata.tables)))
    return found.sorted_tables


def _lock(connection: Connection, tables: Sequence[Table]) -> None:
    """Keep others from writing until the end of the transaction; on SQLite nobody can anyway."""
    if tables and connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables)
        connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _require_empty(connection: Connection, tables: Sequence[Table]) -> None:
    for table in tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise StateError(
                f"the ledger is not empty (there is something in {table.name}): restore into a new one; "
                "FACTORY_LEDGER_URL or FACTORY_HOME says which"
            )


def _remove(connection: Connection, tables: Sequence[Table]) -> None:
    for table in reversed(tables):
        table.drop(connection)
    connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _insert(connection: Connection, pages: Iterable[tuple[str, Rows]]) -> None:
    tables = {table.name: table for table in _tables(connection)}
    for name, rows in pages:
        table = tables.get(name)
        if table is None or any(row.keys() - set(table.columns.keys()) for row in rows):
            raise ArchiveError(f"the archive has rows of {name[:63]!r} that do not fit its own revision")
        try:
            connection.execute(insert(table), rows)
        except OperationalError:
            raise
        except StatementError as error:
            raise ArchiveError(f"rows of {name} do not fit this database: {error.orig}") from error


def _count_on(connection: Connection) -> None:
    """Let numbers go on behind those that are there. SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            newest = select(func.max(column)).scalar_subquery()
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(select(func.setval(sequence, newest)).where(newest.is_not(None)))


def _let_go(connection: Connection) -> int:
    free = {"state": JobState.WAITING, "lease_token": None, "lease_until": None, "worker": None}
    held = update(jobs).where(jobs.c.state == JobState.LEASED).values(free | {"attempts": jobs.c.attempts - 1})
    ended = connection.execute(held.returning(jobs.c.id)).all()
    connection.execute(update(trainings).where(IS_OPEN).values(lease_token=None, lease_until=0.0))
    return len(ended)
