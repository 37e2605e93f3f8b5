"""SIGKILL of a backup and of a restore at any moment: a file is whole or not there, a ledger is full or empty."""

import random
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database import Database
from core.errors import StateError
from core.ledger import Ledger
from core.ledger.copies import Copies
from core.settings import Settings
from core.storage import Storage
from core.versions import store
from producer.backups.restore import check
from producer.backups.take import PART, Wish, take
from producer.verify import verify

from support.kept import fill, rows_of
from support.versions import a_version

PASSPHRASE = "four words of no meaning"
KILLS = 4
# A version of many files, so that a kill meets a copy at work and not at its start.
FILES, FILE_BYTES = 60, 500_000
VERSION = 7
SILENT = subprocess.DEVNULL


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"backup_passphrase": PASSPHRASE})


@pytest.fixture
def campaign(settings: Settings, own_ledger: Ledger, storage: Storage, tmp_path: Path) -> str:
    """A factory at work, with a large version."""
    large, dice = tmp_path / "large", random.Random(7)
    large.mkdir()
    for number in range(FILES):
        (large / f"weights-{number:02d}.safetensors").write_bytes(dice.randbytes(FILE_BYTES))
    own_ledger.versions.register(store(storage, large, a_version(VERSION, files=(), prefix="")))
    return fill(settings, own_ledger, storage, tmp_path / "files")


def start(settings: Settings, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "producer", *arguments]
    return subprocess.Popen(command, env=settings.environment(), stdout=SILENT, stderr=SILENT)


def kill_when(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    """Kill a process at the moment at which the condition holds, which is before its end."""
    try:
        # Without a pause: all that it does takes hardly a second.
        while not condition():
            assert process.poll() is None, "the kill came too late"
    finally:
        process.kill()
        process.wait(10)


def test_a_backup_that_is_killed_leaves_no_file_under_its_name_and_the_next_one_is_whole(
    campaign: str, settings: Settings, tmp_path: Path
):
    file, dice = tmp_path / "factory.backup", random.Random(7)
    part = file.with_name(file.name + PART)
    for _ in range(KILLS):
        least = dice.randrange(1, FILES * FILE_BYTES // 2)
        part.unlink(missing_ok=True)
        process = start(settings, "backup", str(file), "--assets")
        kill_when(process, lambda least=least: part.exists() and part.stat().st_size >= least)
        assert not file.exists()

    code = start(settings, "backup", str(file), "--assets").wait(120)

    assert campaign
    assert code == 0
    assert check(file, PASSPHRASE).end.missing == 0
    assert not part.exists()


def test_a_restore_that_is_killed_leaves_a_ledger_that_is_empty_or_full_and_can_be_repeated(
    campaign: str, settings: Settings, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    file, dice = tmp_path / "factory.backup", random.Random(7)
    taken = take(own_ledger, storage, Wish(file, PASSPHRASE, with_assets=True), lambda _: None)
    changes = {"s3_bucket": f"test-{uuid.uuid4().hex[:12]}", "home": settings.home.with_name("elsewhere")}
    elsewhere = settings.model_copy(update=changes)
    bucket = Storage(elsewhere)
    bucket.ensure_bucket()
    for _ in range(KILLS):
        least = dice.randrange(1, taken.end.objects // 2)
        # Those of former lives say nothing of how far this one is.
        for key, _ in list(bucket.list("")):
            bucket.delete(key)
        process = start(elsewhere, "restore", str(file))
        kill_when(process, lambda least=least: len(list(bucket.list(""))) >= least)
        assert is_empty(elsewhere)

    code = start(elsewhere, "restore", str(file)).wait(120)

    after = Ledger(elsewhere)
    assert code == 0
    assert rows_of(after) == rows_of(own_ledger)
    assert verify(after, bucket, campaign).violations == []
    after.close()


def test_a_restore_that_is_killed_among_its_rows_leaves_none(
    campaign: str, settings: Settings, own_ledger: Ledger, tmp_path: Path
):
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    script = (
        "import os, signal\n"
        "from core.database import Database\n"
        "from core.ledger.copies import Copies\n"
        "from core.settings import Settings\n"
        "there, here = (Copies(Database(url)) for url in (os.sys.argv[1], Settings.load().resolved_ledger_url))\n"
        "def pages(copy):\n"
        "    for table, rows in copy.pages():\n"
        "        yield table, rows\n"
        "        if table == 'ratings':\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "with there.taken() as copy:\n"
        "    here.put_back(copy.revision, pages(copy))\n"
    )

    command = [sys.executable, "-c", script, settings.resolved_ledger_url]
    code = subprocess.run(command, env=elsewhere.environment(), check=False).returncode

    assert campaign
    assert code == -9
    assert rows_of(own_ledger)["ratings"]
    assert is_empty(elsewhere)


def is_empty(settings: Settings) -> bool:
    database = Database(settings.resolved_ledger_url)
    try:
        Copies(database).require_empty()
    except StateError:
        return False
    finally:
        database.close()
    return True
