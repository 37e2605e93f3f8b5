"""Which objects the ledger names: sorted, each once, in memory that does not grow with their number."""

import heapq
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import groupby
from typing import IO, Any, Self

from pydantic import TypeAdapter

from core.versions import MANIFEST
from schemas.assets import Location, Manifest
from schemas.versions import NewVersion

# Names that wait to be sorted: some ten megabytes.
MOST_WAITING = 100_000
# How a brief names the logo of its brand; nothing else in it has this form.
_LOGO = re.compile(r'"logo":\s*"(logos/[0-9a-f]+\.[a-z]+)"')
_COMPANIONS = re.compile(rb'"companions":\s*\[\s*\{')
_FILES = TypeAdapter(dict[str, Location])
# Where objects lie that a ledger can name; nothing else is put into a store.
PREFIXES = ("campaigns/", "logos/", "schedules/", "snapshots/", "versions/")


def named_by(table: str, row: Mapping[str, Any], *, with_assets: bool) -> Iterator[str]:
    """Yield the keys of the objects that a row needs; what an asset consists of only with the assets."""
    if table == "versions":
        version = NewVersion.model_validate_json(row["record"])
        yield from (version.prefix + name for name in (*(file.name for file in version.files), MANIFEST))
    elif table == "trainings" and row["snapshot_key"]:
        yield row["snapshot_key"]
    elif table == "templates":
        yield from (location.key for location in _FILES.validate_json(row["files"]).values())
    elif table == "jobs":
        yield from _LOGO.findall(row["brief"])
    elif table == "assets" and with_assets:
        yield from (row["key"], row["manifest_key"])


def may_name_companions(manifests: bytes | bytearray) -> bool:
    """Tell at a glance whether manifests, one a line, name further files of their assets."""
    return _COMPANIONS.search(manifests) is not None


def companions_in(manifests: bytes | bytearray) -> Iterator[str]:
    """Yield the keys of the further files that manifests name, one manifest a line."""
    for line in manifests.splitlines():
        yield from (one.location.key for one in Manifest.model_validate_json(line).companions)


class Names:
    """Collects names and gives them back in order. What does not fit into memory lies on the disk meanwhile."""

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._files = ExitStack()
        self._sorted: list[IO[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def add(self, name: str) -> None:
        """Take a name; twice is once."""
        self._waiting.add(name)
        if len(self._waiting) >= MOST_WAITING:
            self._put_away()

    def __iter__(self) -> Iterator[str]:
        self._put_away()
        for file in self._sorted:
            file.seek(0)
        lines = heapq.merge(*self._sorted)
        return (line.removesuffix("\n") for line, _ in groupby(lines))

    def _put_away(self) -> None:
        # Open until the end, when all are read at once.
        file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - the stack closes it
        self._files.enter_context(file)
        file.writelines(f"{name}\n" for name in sorted(self._waiting))
        self._sorted.append(file)
        self._waiting.clear()
