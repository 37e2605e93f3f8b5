"""What a backup says of itself: first what it is, and at its end what is in it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.frozen import Frozen

# Of the form of the archive; another number is read by another code.
ARCHIVE_VERSION = 1


class ArchiveHeader(Frozen):
    """The first thing in an archive: what is needed to understand the rest."""

    version: Annotated[int, Field(ge=1)] = ARCHIVE_VERSION
    # That of the tables.
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")]
    # Of the code that wrote it.
    code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+!-]{1,40}$")]
    created_at: Annotated[str, StringConstraints(pattern=r"^[0-9T:+-]{1,40}$")]
    has_assets: bool


class ArchiveEnd(Frozen):
    """The last thing in an archive: without it the archive is cut off."""

    # Of all that stands before it: hashes, names and their order.
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    rows: dict[str, int]
    objects: int
    object_bytes: int
    # What the ledger names and the store did not have.
    missing: int
