"""A factory is backed up at work, wiped, and brought back into a new ledger and bucket, on either database."""

import fcntl
import gzip
import io
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core import migrations
from core.database import Database
from core.errors import ArchiveError, StateError, StorageError
from core.ledger import Ledger
from core.ledger.copies import Copies, cut
from core.settings import Settings
from core.storage import Storage
from core.versions import check as check_version
from producer.backups.archive import Writer
from producer.backups.restore import Restored, check, restore
from producer.backups.take import PART, Taken, Wish, take
from producer.verify import verify
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.kept import (
    CHAMPION,
    DONE,
    FAILED,
    FORGOTTEN,
    LEASED,
    RATERS,
    SNAPSHOT,
    fill,
    keep_snapshot,
    leased,
    ratings_of,
    rows_of,
)
from support.versions import MODEL, version_id
from support.writer import JOBS, write_all

PASSPHRASE = "four words of no meaning"
Ledgers = Callable[[str], str]


@pytest.fixture
def new_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledgers:
    """Return what makes the URL of an empty ledger."""

    def make(database: str) -> str:
        if database == "postgresql":
            return str(request.getfixturevalue("postgres").new_database())
        return f"sqlite:///{tmp_path / uuid.uuid4().hex}.db"

    return make


@pytest.fixture
def elsewhere(settings: Settings) -> Settings:
    """Settings with another home and a bucket that is not there yet."""
    changes = {"s3_bucket": f"test-{uuid.uuid4().hex[:12]}", "home": settings.home.with_name("elsewhere")}
    return settings.model_copy(update=changes)


@dataclass(frozen=True)
class Scene:
    """A factory, what it is brought back into, and the file between them."""

    ledger: Ledger
    storage: Storage
    elsewhere: Settings
    file: Path

    def back_up(self, **wish: object) -> Taken:
        wanted = {"passphrase": PASSPHRASE, "with_assets": True} | wish
        return take(self.ledger, self.storage, Wish(self.file, **wanted), silent)

    def bring_back(self, passphrase: str | None = PASSPHRASE, file: Path | None = None) -> Restored:
        database = Database(self.elsewhere.resolved_ledger_url)
        try:
            return restore(file or self.file, passphrase, database, Storage(self.elsewhere), silent)
        finally:
            database.close()

    def has_nothing_elsewhere(self) -> bool:
        database = Database(self.elsewhere.resolved_ledger_url)
        Copies(database).require_empty()
        database.close()
        return True


def silent(_: str) -> None:
    """Tell nobody."""


@pytest.fixture
def scene(own_ledger: Ledger, storage: Storage, elsewhere: Settings, tmp_path: Path) -> Scene:
    """A factory on SQLite that knows next to nothing."""
    keep_snapshot(own_ledger, storage)
    return Scene(own_ledger, storage, elsewhere, tmp_path / "factory.backup")


@pytest.fixture
def campaign(scene: Scene, settings: Settings, tmp_path: Path) -> str:
    """The campaign of that factory, now in the middle of its work."""
    return fill(settings, scene.ledger, scene.storage, tmp_path / "files")


def wipe(storage: Storage) -> None:
    for key, _ in list(storage.list("")):
        storage.delete(key)


@pytest.fixture
def opened(elsewhere: Settings) -> Iterator[Callable[[str], Ledger]]:
    """Return what opens a ledger elsewhere."""
    ledgers: list[Ledger] = []

    def open_one(url: str) -> Ledger:
        ledgers.append(Ledger(elsewhere.model_copy(update={"ledger_url": url})))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


@pytest.fixture
def reopened(elsewhere: Settings, opened: Callable[[str], Ledger]) -> Callable[[], Ledger]:
    """Return what opens the ledger that was brought back."""
    return lambda: opened(elsewhere.resolved_ledger_url)


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_all_that_a_factory_knew_is_there_again_and_its_work_goes_on(
    source: str,
    target: str,
    new_ledger: Ledgers,
    opened: Callable[[str], Ledger],
    settings: Settings,
    scene: Scene,
):
    url = new_ledger(target)
    scene = replace(
        scene,
        ledger=opened(new_ledger(source)),
        elsewhere=scene.elsewhere.model_copy(update={"ledger_url": url}),
    )
    campaign = fill(settings, scene.ledger, scene.storage, scene.file.with_name("files"))
    rows, taken = rows_of(scene.ledger), scene.back_up()
    wipe(scene.storage)

    restored = scene.bring_back()

    after, bucket = opened(url), Storage(scene.elsewhere)
    assert taken.end.missing == 0
    assert restored.end == taken.end
    assert restored.leases_ended == LEASED
    assert rows_of(after) == rows
    assert verify(after, bucket, campaign).violations == []
    serving = after.promotions.serving(Kind.COPY, MODEL)
    assert (serving.champion, serving.challenger, serving.share) == (CHAMPION, version_id(2), 0.3)
    check_version(bucket, after.versions.get(CHAMPION).described)
    assert bucket.get_whole("snapshots/copy/1.jsonl") == SNAPSHOT
    write_all(after, bucket)
    verdict = verify(after, bucket, campaign)
    assert verdict.violations == []
    assert verdict.states == {"waiting": 0, "leased": 0, "done": JOBS - FAILED, "failed": FAILED, "cancelled": 0}
    # Numbers go on behind those that came back.
    receipts = after.intake.record(ratings_of(after, "eve"))
    assert {one.is_new for one in receipts} == {True}
    assert after.trainings.claim(Kind.COPY, MODEL, "trainer@test#2")


def test_a_job_that_was_in_hand_waits_again_and_that_counts_against_it_in_nothing(
    campaign: str, scene: Scene, reopened: Callable[[], Ledger]
):
    held = leased(scene.ledger)
    scene.back_up()

    scene.bring_back()

    after = reopened()
    found = [after.jobs.status(one) for one in held]
    assert len(held) == LEASED
    assert {one.job.campaign_id for one in found} == {campaign}
    assert {(one.state, one.attempts, one.losses) for one in found} == {(JobState.WAITING, 0, 0)}


def test_without_the_assets_everything_else_is_there(campaign: str, scene: Scene, reopened: Callable[[], Ledger]):
    scene.back_up(with_assets=False)

    scene.bring_back()

    after = reopened()
    assert {key.partition("/")[0] for key, _ in Storage(scene.elsewhere).list("")} == {
        "versions",
        "snapshots",
        "schedules",
    }
    assert rows_of(after) == rows_of(scene.ledger)
    assert len(list(after.assets.of_campaign(campaign))) == DONE


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


def test_an_object_that_the_store_lost_is_named_and_the_rest_is_kept(campaign: str, scene: Scene):
    lost = next(scene.ledger.assets.of_campaign(campaign)).asset.location.key
    scene.storage.delete(lost)

    taken = scene.back_up()

    assert taken.missing == (lost,)
    assert taken.end.missing == 1
    assert check(scene.file, PASSPHRASE).end == taken.end


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
@pytest.mark.parametrize("newest", [None, "0005", migrations.HEAD])
def test_an_archive_of_an_older_migration_is_brought_back_and_migrated(
    target: str, newest: str | None, new_ledger: Ledgers, opened: Callable[[str], Ledger]
):
    url = new_ledger(target)
    database = Database(url)
    if newest:
        with database.write() as connection:
            migrations.run(connection, newest)
    campaign = {"id": "old", "name": "old", "state": "active", "state_reason": "", "priority": 1, "definition": "{}"}
    numbers = {"submitted_jobs": 0, "spent_device_seconds": 0, "served_at": 0, "created_at": 1}

    Copies(database).put_back("0001", [("campaigns", [campaign | numbers])])

    with database.read() as connection:
        assert migrations.current(connection) == migrations.HEAD
    assert opened(url).campaigns.status("old").window == ""
    database.close()


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


def test_who_was_forgotten_before_a_backup_is_not_in_it(campaign: str, scene: Scene, tmp_path: Path):
    scene.back_up(passphrase=None)

    with tarfile.open(scene.file) as tar:
        tar.extractall(tmp_path / "read", filter="data")
    text = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.glob("read/ledger/*/*.gz"))

    assert campaign.encode() in text
    assert f'"rater": "{RATERS[0]}"'.encode() in text
    assert f'"{FORGOTTEN}"'.encode() not in text


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


def test_a_page_ends_before_it_is_more_than_memory_holds():
    rows = [{"key": f"a{number}", "value": "x" * 3_000_000} for number in range(5)]
    pages = list(cut(iter(rows)))

    assert [len(page) for page in pages] == [3, 2]
    assert [row for page in pages for row in page] == rows
