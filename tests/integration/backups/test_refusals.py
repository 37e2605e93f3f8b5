"""What is no backup of ours, or is not as it was, brings back nothing."""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core import migrations
from core.database import Database
from core.errors import ArchiveError, StateError
from core.ledger.copies import Copies
from core.settings import Settings
from core.storage import Storage
from producer.backups.archive import Writer
from producer.backups.restore import check

from support.backups import PASSPHRASE, Ledgers, Scene
from support.kept import (
    rows_of,
)


def test_a_ledger_that_holds_something_is_left_as_it_is(scene: Scene, settings: Settings):
    scene.back_up()
    rows = rows_of(scene.ledger)

    with pytest.raises(StateError, match="the ledger is not empty"):
        replace(scene, elsewhere=settings).bring_back()

    assert rows_of(scene.ledger) == rows


def damaged(data: bytes, change: str) -> bytes:
    middle = len(data) // 2
    return {
        "cut off": data[:middle],
        "cut off at its end": data[:-1],
        "changed": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "longer": data + b"x",
        "empty": b"",
    }[change]


# A tar ends in nothing but zeros, and one less is no loss; a sealed one is noticed.
@pytest.mark.parametrize(
    ("change", "passphrase"),
    [
        ("cut off at its end", PASSPHRASE),
        *((change, one) for change in ("cut off", "changed", "longer", "empty") for one in (PASSPHRASE, None)),
    ],
)
def test_a_damaged_file_brings_back_nothing(change: str, passphrase: str | None, scene: Scene):
    scene.back_up(passphrase=passphrase)
    scene.file.write_bytes(damaged(scene.file.read_bytes(), change))

    with pytest.raises(ArchiveError):
        check(scene.file, passphrase)
    with pytest.raises(ArchiveError):
        scene.bring_back(passphrase)

    assert scene.has_nothing_elsewhere()


@pytest.mark.parametrize(
    ("sealed_with", "opened_with", "told"),
    [
        (PASSPHRASE, "another passphrase", "the passphrase is not the one"),
        (PASSPHRASE, None, "the archive is sealed"),
        (None, PASSPHRASE, "the archive is not sealed"),
    ],
)
def test_another_passphrase_brings_back_nothing(
    sealed_with: str | None, opened_with: str | None, told: str, scene: Scene
):
    scene.back_up(passphrase=sealed_with)

    with pytest.raises(ArchiveError, match=told):
        scene.bring_back(opened_with)

    assert scene.has_nothing_elsewhere()


def repacked(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """Pack an archive that is not sealed anew, each member changed or left out, under hashes that are right."""
    out = io.BytesIO()
    writer = Writer(out)
    with tarfile.open(file) as tar:
        for entry in tar:
            read = tar.extractfile(entry)
            assert read
            data = change(entry.name, read.read())
            if data is not None:
                writer.add(entry.name, [data], entry.pax_headers["FACTORY.type"])
    writer.finish()
    changed = file.with_name("changed")
    changed.write_bytes(out.getvalue())
    return changed


@pytest.mark.parametrize(
    ("text", "instead", "told"),
    [
        (f'"revision":"{migrations.HEAD}"', '"revision":"9999"', "this code knows"),
        ('"version":1', '"version":2', "is of version '2'"),
        ('"has_assets":true', '"has_assets":7', "no backup"),
    ],
)
def test_an_archive_of_another_time_is_refused(text: str, instead: str, told: str, scene: Scene):
    scene.back_up(passphrase=None)

    def change(name: str, data: bytes) -> bytes:
        return data.replace(text.encode(), instead.encode()) if name == "factory.json" else data

    with pytest.raises(ArchiveError, match=told):
        scene.bring_back(None, repacked(scene.file, change))

    assert scene.has_nothing_elsewhere()


@pytest.mark.parametrize("left_out", ["ledger/tenants/", "objects/snapshots/"])
def test_a_member_that_somebody_took_out_is_missed(left_out: str, scene: Scene):
    scene.back_up(passphrase=None)
    file = repacked(scene.file, lambda name, data: None if name.startswith(left_out) else data)

    with pytest.raises(ArchiveError, match="damaged"):
        scene.bring_back(None, file)

    assert scene.has_nothing_elsewhere()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_rows_that_do_not_fit_leave_the_ledger_empty(target: str, new_ledger: Ledgers):
    database = Database(new_ledger(target))
    orphan = {"id": 1, "job_id": "nobody", "attempt": 1, "worker": "w", "code": "c", "message": "m", "at": 1}

    nested = orphan | {"code": ["a list"]}
    for rows in ([{"unknown": 1}], [orphan], [nested]):
        with pytest.raises(ArchiveError, match="failures"):
            Copies(database).put_back(migrations.HEAD, [("tenants", [{"name": "ann"}]), ("failures", rows)])
        Copies(database).require_empty()
    database.close()


def test_rows_that_are_none_bring_back_nothing(scene: Scene):
    scene.back_up(passphrase=None)

    def change(name: str, data: bytes) -> bytes:
        return gzip.compress(b"[1]\n") if name.startswith("ledger/tenants") else data

    for changed in (change, lambda name, data: b"no gzip" if name.startswith("ledger/tenants") else data):
        with pytest.raises(ArchiveError, match="holds no rows"):
            scene.bring_back(None, repacked(scene.file, changed))
        assert scene.has_nothing_elsewhere()


def test_an_object_that_no_ledger_names_is_not_stored(scene: Scene):
    scene.back_up(passphrase=None)
    out = io.BytesIO()
    writer = Writer(out)
    with tarfile.open(scene.file) as tar:
        header = tar.extractfile("factory.json")
        assert header
        writer.add("factory.json", [header.read()])
    writer.add("objects/elsewhere/x", [b"x"])
    writer.finish()
    scene.file.write_bytes(out.getvalue())

    with pytest.raises(ArchiveError, match="no ledger names: 'elsewhere/x'"):
        scene.bring_back(None)

    assert list(Storage(scene.elsewhere).list("")) == []
