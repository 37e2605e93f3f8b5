"""Take a backup: the ledger as it was at one moment, then what it names in the store. Workers may go on meanwhile.

The store is read after the ledger, and bytes are stored before the row that names them: so nothing is missing that was
there. The file has its name only when it is whole.
"""

import fcntl
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from core.errors import ArchiveError, CorruptAssetError, StateError
from core.ledger import Ledger
from core.ledger.copies import Rows
from core.storage import Storage
from producer.backups.archive import END, HEADER, Writer
from producer.backups.names import PREFIXES, Names, companions_in, may_name_companions, named_by
from producer.backups.sealing import Sealed
from schemas.archives import ArchiveEnd, ArchiveHeader

PART = ".part"
# Further is told only how many more there are.
MOST_MISSING_TOLD = 20
REPORT_EVERY = 1000


@dataclass(frozen=True)
class Taken:
    """A backup that is whole, and the first of what the ledger names and the store does not have."""

    path: Path
    size_bytes: int
    header: ArchiveHeader
    end: ArchiveEnd
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Wish:
    """What a backup shall be. Without a passphrase whoever reads the file reads all of it."""

    path: Path
    passphrase: str | None
    with_assets: bool = False
    may_replace: bool = False


def take(ledger: Ledger, storage: Storage, wish: Wish, report: Callable[[str], None]) -> Taken:
    """Write a backup; raises StateError when the file is there and may not be replaced."""
    if wish.path.exists() and not wish.may_replace:
        raise StateError(f"{wish.path} is there already: choose another name, or say --force")
    with _named_when_whole(wish.path) as file:
        sealed = Sealed(file, wish.passphrase) if wish.passphrase is not None else None
        writer = Writer(sealed or file)
        packer = _Packer(writer, storage, report, with_assets=wish.with_assets)
        with Names() as names:
            header = packer.add_ledger(ledger, names)
            for key in names:
                packer.add_object(key)
        end = packer.add_end()
        writer.finish()
        if sealed is not None:
            sealed.finish()
    return Taken(wish.path, wish.path.stat().st_size, header, end, tuple(packer.missing[:MOST_MISSING_TOLD]))


class _Packer:
    """Puts one thing after the other into an archive, and counts them."""

    def __init__(self, writer: Writer, storage: Storage, report: Callable[[str], None], *, with_assets: bool) -> None:
        self._writer, self._storage, self._report, self._with_assets = writer, storage, report, with_assets
        self._rows: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._objects, self._object_bytes, self._missing = 0, 0, 0
        self._deleted_at: dict[str, float] = {}
        self.missing: list[str] = []

    def add_ledger(self, ledger: Ledger, names: Names) -> ArchiveHeader:
        """Add all rows of one moment; collect the names of the objects that they need."""
        with ledger.copies.taken() as copy:
            header = ArchiveHeader(
                revision=copy.revision,
                code=version("content-factory"),
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                has_assets=self._with_assets,
            )
            self._writer.add(HEADER, [header.model_dump_json().encode()])
            for table, rows in copy.pages():
                self._add_page(table, rows)
                for row in rows:
                    for key in named_by(table, row, with_assets=self._has_bytes(table, row)):
                        names.add(key)
        self._report(f"ledger    {sum(self._rows.values())} rows of {len(self._rows)} tables")
        return header

    def _has_bytes(self, table: str, row: Mapping[str, Any]) -> bool:
        """Tell whether assets are wanted, and of a row of theirs whether more than the row is left."""
        if table == "campaigns" and row["assets_deleted_at"] is not None:
            self._deleted_at[row["id"]] = row["assets_deleted_at"]
        is_deleted = table == "assets" and self._deleted_at.get(row["campaign_id"], 0.0) >= row["created_at"]
        return self._with_assets and not is_deleted

    def _add_page(self, table: str, rows: Rows) -> None:
        self._rows[table] += len(rows)
        self._pages[table] += 1
        lines = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        name = f"ledger/{table}/{self._pages[table]:06d}.jsonl.gz"
        self._writer.add(name, [gzip.compress(lines, 6, mtime=0)])

    def add_object(self, key: str) -> None:
        """Add an object of the store and the further files that it names; one that is lost is counted and told."""
        if not key.startswith(PREFIXES):
            self._lose(key)
            return
        try:
            content_type, chunks = self._storage.stream(key)
        except CorruptAssetError:
            self._lose(key)
            return
        manifests = bytearray()
        if key.startswith("campaigns/") and "json" in content_type:
            chunks = _kept(chunks, manifests)
        added = self._writer.add(f"objects/{key}", chunks, content_type)
        self._objects += 1
        self._object_bytes += added.size_bytes
        if self._objects % REPORT_EVERY == 0:
            self._report(f"store     {self._objects} objects")
        if may_name_companions(manifests):
            self._add_companions(key, manifests)

    def _add_companions(self, key: str, manifests: bytearray) -> None:
        try:
            named = list(companions_in(manifests))
        except ValidationError:
            # What else they named is not known: the rest of the backup is worth having all the same.
            self._lose(f"{key} (it is there, and no manifest any more)")
            return
        for companion in named:
            self.add_object(companion)

    def _lose(self, key: str) -> None:
        self._missing += 1
        if len(self.missing) < MOST_MISSING_TOLD:
            self.missing.append(key)

    def add_end(self) -> ArchiveEnd:
        """Add what says that nothing is cut off."""
        end = ArchiveEnd(
            sha256=self._writer.sha256,
            rows=dict(self._rows),
            objects=self._objects,
            object_bytes=self._object_bytes,
            missing=self._missing,
        )
        self._writer.add(END, [end.model_dump_json().encode()])
        return end


def _kept(chunks: Iterator[bytes], manifests: bytearray) -> Iterator[bytes]:
    """Hand chunks on, and keep them: a manifest is some kilobytes, and an object holds those of one batch."""
    for chunk in chunks:
        manifests += chunk
        yield chunk


@contextmanager
def _named_when_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file for you alone that gets its name when all is written; what broke off is written over."""
    part = path.with_name(path.name + PART)
    try:
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b") as file:
            _hold(file, part)
            # It may be an older one, made by somebody who let others read it.
            os.fchmod(file.fileno(), 0o600)
            file.truncate()
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                part.rename(path)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
            _sync(path.parent)
    except BlockingIOError as error:
        raise StateError(f"{part} is being written by another backup: wait for it") from error
    except OSError as error:
        raise ArchiveError(f"cannot write {path}: {error.strerror or error}") from error


def _hold(file: BinaryIO, part: Path) -> None:
    """Keep others from writing the file; raises BlockingIOError when somebody does."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # Between the opening and the lock another backup may have ended, and then this one is the file under its name.
    if not part.exists() or not os.path.samestat(part.stat(), os.fstat(file.fileno())):
        raise BlockingIOError


def _sync(folder: Path) -> None:
    """Have the disk keep the names of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
