"""The archive: a tar that every tar reads, whose members carry their own hashes and whose end says what was before it.

`factory.json` is the first member. Then come the rows of the ledger, `ledger/TABLE/NUMBER.jsonl.gz`, then what lies in
the store, `objects/KEY`, and `end.json` last. A member is handed on when its hash was found right, never before.
"""

import hashlib
import tarfile
import tempfile
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

from core.errors import ArchiveError

HEADER, END = "factory.json", "end.json"
# Bigger members wait on the disk, so that memory stays as it is.
MOST_IN_MEMORY_BYTES = 8 * 1024 * 1024
PART_BYTES = 256 * 1024
_SHA256, _TYPE = "FACTORY.sha256", "FACTORY.type"
DAMAGED = "the archive is damaged or cut off: take another one"


class Target(Protocol):
    """Where an archive is written to."""

    def write(self, data: bytes, /) -> int:
        """Write the bytes."""


class Source(Protocol):
    """Where an archive is read from."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only at the end."""


@dataclass(frozen=True)
class Member:
    """One thing in an archive: its bytes stand at their beginning, and their hash is right."""

    name: str
    file: BinaryIO
    size_bytes: int
    sha256: str
    content_type: str


class Writer:
    """Writes an archive to a stream."""

    def __init__(self, target: Target) -> None:
        # tarfile knows of streams, and its types only of files.
        self._tar = tarfile.open(fileobj=cast("BinaryIO", target), mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `finish` closes it
        self._chain = Chain()

    @property
    def sha256(self) -> str:
        """Return the hash of all that was added, in its order."""
        return self._chain.sha256

    def add(self, name: str, chunks: Iterable[bytes], content_type: str = "") -> Member:
        """Add a member; return what was added, without its bytes."""
        with spooled(name, chunks, content_type) as member:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = member.size_bytes, 0o600
            entry.pax_headers = {_SHA256: member.sha256, _TYPE: content_type}
            self._tar.addfile(entry, member.file)
        _forget(self._tar)
        self._chain.add(member)
        return member

    def finish(self) -> None:
        """Write the end of the tar."""
        self._tar.close()


class Chain:
    """The hash of members in their order, by which nobody takes one out, puts one in or changes places unnoticed."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, member: Member) -> None:
        """Go on with another member."""
        self._digest.update(f"{member.sha256} {member.size_bytes} {member.content_type} {member.name}\n".encode())

    @property
    def sha256(self) -> str:
        """Return the hash so far."""
        return self._digest.hexdigest()


class spooled:  # noqa: N801 - used like a function
    """Hold what comes in chunks as a member: in memory while it is small, else in a nameless file on the disk."""

    def __init__(self, name: str, chunks: Iterable[bytes], content_type: str = "") -> None:
        self._name, self._chunks, self._content_type = name, chunks, content_type
        self._file = tempfile.SpooledTemporaryFile(max_size=MOST_IN_MEMORY_BYTES)  # noqa: SIM115 - __exit__ closes it

    def __enter__(self) -> Member:
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in self._chunks:
                digest.update(chunk)
                size += self._write(chunk)
        except BaseException:
            self._file.close()
            raise
        self._file.seek(0)
        return Member(self._name, cast("BinaryIO", self._file), size, digest.hexdigest(), self._content_type)

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _write(self, chunk: bytes) -> int:
        try:
            return self._file.write(chunk)
        except OSError as error:
            told = f"{self._name[:200]!r} does not fit into {tempfile.gettempdir()} ({error.strerror})"
            raise ArchiveError(f"{told}: make room there, or set TMPDIR to another folder") from error


def members(source: Source) -> Generator[Member]:
    """Yield what is in an archive, each when it was found whole; raises ArchiveError for what is not."""
    try:
        with tarfile.open(fileobj=cast("BinaryIO", source), mode="r|") as tar:
            while (entry := tar.next()) is not None:
                _forget(tar)
                yield from _member(tar, entry)
        # The mark of the end is in what is left, and nothing else may be there.
        while rest := source.read(PART_BYTES):
            if rest.strip(b"\0"):
                raise ArchiveError(DAMAGED)
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise ArchiveError(DAMAGED) from error


def _member(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Iterator[Member]:
    # A sparse file has as many bytes as it says, out of none.
    stored = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    if stored is None:
        raise ArchiveError(f"{entry.name[:200]!r} is no file: {DAMAGED}")
    chunks = iter(lambda: stored.read(PART_BYTES), b"")
    with spooled(entry.name, chunks, entry.pax_headers.get(_TYPE, "")) as member:
        if member.sha256 != entry.pax_headers.get(_SHA256) or member.size_bytes != entry.size:
            raise ArchiveError(f"{entry.name[:200]!r} is not what it was: {DAMAGED}")
        yield member


def _forget(tar: Any) -> None:
    """Let go of the entries that tarfile remembers: there may be a million."""
    tar.members.clear()
