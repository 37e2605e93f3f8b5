"""A backup is taken at work, and its file is whole or not there."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import StateError, StorageError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.backups.restore import check
from producer.backups.take import PART, Wish, take
from producer.verify import verify

from support.backups import PASSPHRASE, Ledgers, Scene, silent
from support.kept import (
    DONE,
    fill,
    rows_of,
)
from support.writer import write_all


def test_the_file_is_for_you_alone_and_what_broke_off_before_is_written_over(scene: Scene):
    part = scene.file.with_name(scene.file.name + PART)
    part.write_bytes(b"x" * 10_000_000)
    part.chmod(0o644)

    taken = scene.back_up()

    assert scene.file.stat().st_mode & 0o777 == 0o600
    assert taken.size_bytes < 1_000_000
    assert not part.exists()
    assert check(scene.file, PASSPHRASE).header == taken.header


def test_a_file_that_is_there_is_replaced_only_when_that_is_said(scene: Scene):
    scene.file.write_bytes(b"precious")

    with pytest.raises(StateError, match="--force"):
        scene.back_up()

    assert scene.file.read_bytes() == b"precious"
    assert scene.back_up(may_replace=True).end.objects == 1


def test_two_backups_into_one_file_at_once_are_one_and_a_refusal(scene: Scene):
    part = scene.file.with_name(scene.file.name + PART)
    with part.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(StateError, match="another backup"):
            scene.back_up()

    assert not scene.file.exists()


def test_what_could_not_be_written_to_its_end_leaves_nothing(scene: Scene):
    nowhere = scene.ledger, Storage(scene.elsewhere.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))

    with pytest.raises(StorageError):
        take(*nowhere, Wish(scene.file, PASSPHRASE), silent)

    assert list(scene.file.parent.glob("factory.backup*")) == []


def test_an_object_that_the_store_lost_is_named_and_the_rest_is_kept(campaign: str, scene: Scene):
    lost = next(scene.ledger.assets.of_campaign(campaign)).asset.location.key
    scene.storage.delete(lost)

    taken = scene.back_up()

    assert taken.missing == (lost,)
    assert taken.end.missing == 1
    assert check(scene.file, PASSPHRASE).end == taken.end


def test_a_backup_that_is_taken_at_work_is_sound(campaign: str, scene: Scene, reopened: Callable[[], Ledger]):
    taken = take(
        scene.ledger,
        scene.storage,
        Wish(scene.file, PASSPHRASE, with_assets=True),
        # When the ledger is read and the store is not.
        lambda _: write_all(scene.ledger, scene.storage),
    )

    scene.bring_back()

    verdict = verify(reopened(), Storage(scene.elsewhere), campaign)
    assert scene.ledger.campaigns.status(campaign).done > DONE
    assert taken.end.missing == 0
    assert (verdict.violations, verdict.states["done"]) == ([], DONE)


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
def test_the_rows_are_those_of_one_moment_whatever_is_made_meanwhile(
    source: str,
    new_ledger: Ledgers,
    opened: Callable[[str], Ledger],
    settings: Settings,
    storage: Storage,
    tmp_path: Path,
):
    ledger = opened(new_ledger(source))
    fill(settings, ledger, storage, tmp_path / "files")
    rows = rows_of(ledger)

    with ledger.copies.taken() as copy:
        pages = copy.pages()
        read = [next(pages)]
        write_all(ledger, storage)
        read += pages

    assert rows_of(ledger) != rows
    states = [row["state"] for table, page in read if table == "jobs" for row in page]
    assert states.count("done") == DONE
    assert sum(len(page) for _, page in read) == sum(map(len, rows.values()))
