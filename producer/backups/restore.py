"""Bring a backup back, or only read it whole: first all of it is read and its objects are stored, then come the rows.

Objects harm nobody without their rows, and all rows come in one transaction. So a restore that fails or is killed
leaves a ledger as empty as it was, and can be done again.
"""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from core import migrations
from core.database import Database
from core.errors import ArchiveError, StateError
from core.ledger.copies import Copies
from core.storage import Storage
from producer.backups.archive import DAMAGED, END, HEADER, Chain, Member, Source, members
from producer.backups.names import PREFIXES
from producer.backups.sealing import MAGIC, Unsealed, is_sealed
from schemas.archives import ARCHIVE_VERSION, ArchiveEnd, ArchiveHeader

LEDGER, OBJECTS = "ledger/", "objects/"
# What a page of rows can unpack to; more is no page of ours.
MOST_PAGE_BYTES = 128 * 1024 * 1024
MOST_SMALL_BYTES = 1024 * 1024
REPORT_EVERY = 1000


@dataclass(frozen=True)
class Opened:
    """A file that holds a backup, and what opens it. Without a passphrase it is read only if it is not sealed."""

    file: BinaryIO
    passphrase: str | None

    def members(self) -> Generator[Member]:
        """Yield what is in it, from the start."""
        self.file.seek(0)
        start = self.file.read(len(MAGIC) + 1)
        self.file.seek(0)
        return members(self._source(start))

    def _source(self, start: bytes) -> Source:
        if not is_sealed(start):
            if self.passphrase is None:
                return self.file
            raise ArchiveError(
                "the archive is not sealed, so anybody may have changed it: --unencrypted reads it all the same"
            )
        if self.passphrase is None:
            raise ArchiveError(
                "the archive is sealed: give its passphrase by --passphrase-file or FACTORY_BACKUP_PASSPHRASE"
            )
        return Unsealed(self.file, self.passphrase)


@dataclass(frozen=True)
class Checked:
    """An archive that was read whole and found right."""

    header: ArchiveHeader
    end: ArchiveEnd


@dataclass(frozen=True)
class Restored:
    """What was brought back; `leases_ended` jobs were in hand when the backup was taken, and wait again."""

    header: ArchiveHeader
    end: ArchiveEnd
    leases_ended: int


def check(path: Path, passphrase: str | None) -> Checked:
    """Read an archive whole and write nothing; raises ArchiveError for what is not as it was."""
    with _opened(path, passphrase) as file:
        return _walk(Opened(file, passphrase), lambda _: None)


def restore(
    path: Path, passphrase: str | None, database: Database, storage: Storage, report: Callable[[str], None]
) -> Restored:
    """Bring a backup into an empty ledger and its bucket; raises StateError when the ledger holds anything."""
    copies = Copies(database)
    copies.require_empty()
    with _opened(path, passphrase) as file:
        opened = Opened(file, passphrase)
        # Before anything is touched; most of what is wrong shows here.
        with closing(opened.members()) as found:
            _header(next(found, None))
        storage.ensure_bucket()
        checked = _walk(opened, _Keeper(storage, report).keep)
        report(f"store     {checked.end.objects} objects are there, now the rows")
        ended = copies.put_back(checked.header.revision, _pages(opened, checked.end))
    return Restored(checked.header, checked.end, ended)


def _opened(path: Path, passphrase: str | None) -> BinaryIO:
    if passphrase is not None and not passphrase:
        raise ArchiveError("the passphrase is empty")
    try:
        return path.open("rb")
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error


class _Keeper:
    """Puts objects into the store."""

    def __init__(self, storage: Storage, report: Callable[[str], None]) -> None:
        self._storage, self._report, self._objects = storage, report, 0

    def keep(self, member: Member) -> None:
        """Store an object under the key that it had."""
        key = member.name.removeprefix(OBJECTS)
        if not key.startswith(PREFIXES):
            raise ArchiveError(f"the archive holds an object that no ledger names: {key[:200]!r}")
        self._storage.put_file(key, member.file, member.sha256, member.content_type or "application/octet-stream")
        self._objects += 1
        if self._objects % REPORT_EVERY == 0:
            self._report(f"store     {self._objects} objects")


def _walk(opened: Opened, keep: Callable[[Member], None]) -> Checked:
    """Read all of an archive and hand on its objects; raises ArchiveError when it is not whole."""
    found = opened.members()
    first = next(found, None)
    header, chain = _header(first), Chain()
    assert first, "else it has no header"
    chain.add(first)
    rows: Counter[str] = Counter()
    objects = 0
    for member in found:
        if member.name == END:
            end = _end(member)
            if (end.sha256, end.rows, end.objects) != (chain.sha256, dict(rows), objects):
                raise ArchiveError(DAMAGED)
            # To the last byte: whatever is behind the end was put there by somebody else.
            if next(found, None) is not None:
                raise ArchiveError(DAMAGED)
            return Checked(header, end)
        chain.add(member)
        if member.name.startswith(LEDGER):
            rows[_table_of(member)] += len(_rows(member))
        elif member.name.startswith(OBJECTS):
            keep(member)
            objects += 1
    raise ArchiveError("the archive is cut off: take another one")


def _pages(opened: Opened, end: ArchiveEnd) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of an archive that was found right before."""
    rows: Counter[str] = Counter()
    for member in opened.members():
        if member.name.startswith(LEDGER):
            page = _rows(member)
            rows[_table_of(member)] += len(page)
            yield _table_of(member), page
        elif member.name != HEADER:
            break
    if dict(rows) != end.rows:
        raise ArchiveError("the archive was changed while it was read: do it again")


def _table_of(member: Member) -> str:
    return member.name.split("/")[1]


def _rows(member: Member) -> list[dict[str, Any]]:
    try:
        with gzip.GzipFile(fileobj=member.file, mode="rb") as file:
            text = file.read(MOST_PAGE_BYTES)
        rows = [json.loads(line) for line in BytesIO(text)]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ArchiveError(f"{member.name[:200]!r} holds no rows: {DAMAGED}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise ArchiveError(f"{member.name[:200]!r} holds no rows: {DAMAGED}")
    return rows


def _header(member: Member | None) -> ArchiveHeader:
    """Return what an archive says of itself; raises ArchiveError when this code cannot read it."""
    if member is None or member.name != HEADER:
        raise ArchiveError("the file is no backup of a factory")
    text = member.file.read(MOST_SMALL_BYTES)
    try:
        number = json.loads(text)["version"]
        if number != ARCHIVE_VERSION:
            raise ArchiveError(
                f"the archive is of version {str(number)[:20]!r}, this code reads {ARCHIVE_VERSION}: use a newer one"
            )
        header = ArchiveHeader.model_validate_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError("the file is no backup of a factory") from error
    if header.revision > migrations.HEAD:
        raise ArchiveError(
            f"the archive has revision {header.revision}, and this code knows {migrations.HEAD}: use the code of "
            f"the archive ({header.code}) or a newer one"
        )
    return header


def _end(member: Member) -> ArchiveEnd:
    try:
        return ArchiveEnd.model_validate_json(member.file.read(MOST_SMALL_BYTES))
    except ValidationError as error:
        raise ArchiveError(DAMAGED) from error
