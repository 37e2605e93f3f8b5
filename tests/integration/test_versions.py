"""The files of versions in a real store: whole or not at all, verified, cleared away where nobody needs them."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import CorruptAssetError, SettingsError, StateError, StorageError
from core.locks import alone_with
from core.settings import Settings
from core.storage import Storage
from core.versions import MANIFEST, check, fetch, remove_orphans, store
from schemas.versions import NewVersion

from support.versions import a_version
from support.waiting import wait_until

DEADLINE_SECONDS = 60
FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights" * 1000}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that a training made."""
    return write(tmp_path / "trained", FILES)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def keys(storage: Storage) -> list[str]:
    return [key for key, _ in storage.list("")]


def test_a_version_comes_back_as_it_was_stored(storage: Storage, folder: Path, tmp_path: Path):
    stored = store(storage, folder, a_version(files=(), prefix=""))

    fetched = fetch(storage, stored, tmp_path / "cache")

    assert read(fetched) == FILES
    assert stored.prefix == f"versions/copy/{stored.id}/"
    assert [file.name for file in stored.files] == sorted(FILES)
    assert keys(storage) == [stored.prefix + name for name in [*sorted(FILES), MANIFEST]]
    assert NewVersion.model_validate_json(storage.get_whole(stored.prefix + MANIFEST)) == stored


def test_the_same_version_twice_is_one_and_another_under_its_id_is_refused(
    storage: Storage, folder: Path, tmp_path: Path
):
    other = write(tmp_path / "other", FILES | {"adapter_model.safetensors": b"others"})
    stored = store(storage, folder, a_version())

    assert store(storage, folder, a_version()) == stored
    with pytest.raises(StateError, match="is stored with other files or facts"):
        store(storage, other, a_version())

    check(storage, stored)


def test_an_upload_that_broke_off_is_completed_even_by_other_weights(storage: Storage, folder: Path, tmp_path: Path):
    storage.put("versions/copy/copy-20261126-00000001/adapter_model.safetensors", b"half", "application/octet-stream")

    stored = store(storage, folder, a_version())

    assert read(fetch(storage, stored, tmp_path / "cache")) == FILES


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"adapter_config.json": b"{}"}, "holds no \\*.safetensors"),
        (FILES | {"README.md": b"#"}, "README.md is no file of a version"),
        (FILES | {"weights.bin": b"pickle"}, "weights.bin is no file of a version"),
        (FILES | {"empty.json": b""}, "empty.json is no file of a version"),
        (FILES | {MANIFEST: b"{}"}, "is written here"),
    ],
)
def test_a_folder_that_is_no_version_is_refused_and_nothing_is_stored(
    storage: Storage, tmp_path: Path, files: dict[str, bytes], words: str
):
    with pytest.raises(StateError, match=words):
        store(storage, write(tmp_path / "wrong", files), a_version())

    assert keys(storage) == []


def test_a_link_out_of_the_folder_or_no_folder_is_refused(storage: Storage, folder: Path, tmp_path: Path):
    (folder / "inner").mkdir()

    for wrong, words in ((folder, "inner is no file"), (tmp_path / "nowhere", "holds no")):
        with pytest.raises(StateError, match=words):
            store(storage, wrong, a_version())


def test_a_version_is_fetched_once_and_again_when_its_copy_is_damaged(storage: Storage, folder: Path, tmp_path: Path):
    stored = store(storage, folder, a_version())
    fetched = fetch(storage, stored, tmp_path / "cache")
    (fetched / "adapter_config.json").write_bytes(b"[]")

    again = fetch(storage, stored, tmp_path / "cache")
    for name in FILES:
        storage.delete(stored.prefix + name)

    assert read(again) == FILES
    # Whole: nobody asks the store.
    assert fetch(storage, stored, tmp_path / "cache") == fetched
    assert {path.name for path in fetched.parent.iterdir()} == {stored.id, f".{stored.id}.lock"}


def test_what_another_process_puts_in_the_place_of_a_damaged_copy_stays(storage: Storage, folder: Path, tmp_path: Path):
    stored = store(storage, folder, a_version())
    fetched = fetch(storage, stored, tmp_path / "cache")
    (fetched / "adapter_config.json").write_bytes(b"[]")

    with ThreadPoolExecutor(1) as pool:
        with alone_with(fetched):
            second = pool.submit(fetch, storage, stored, tmp_path / "cache")
            # It has found the damage and fetched the files, and waits before it replaces anything.
            wait_until(lambda: any(_is_whole(draft) for draft in _drafts(fetched)), DEADLINE_SECONDS, what="a draft")
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
            shutil.rmtree(fetched)
            shutil.copytree(folder, fetched)
            first = fetched.stat().st_ino
        assert second.result(DEADLINE_SECONDS) == fetched

    assert read(fetched) == FILES
    assert fetched.stat().st_ino == first
    assert _drafts(fetched) == []


def _drafts(fetched: Path) -> list[Path]:
    return [path for path in fetched.parent.glob(f".{fetched.name}-*") if path.is_dir()]


def _is_whole(draft: Path) -> bool:
    return read(draft) == FILES


@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_a_version_that_the_store_damaged_is_never_fetched(storage: Storage, folder: Path, tmp_path: Path, damage: str):
    stored = store(storage, folder, a_version())
    key = stored.prefix + "adapter_model.safetensors"
    if damage == "changed":
        storage.put(key, b"w3ights" + b"weights" * 999, "application/octet-stream")
    else:
        storage.delete(key)

    for read_all in (lambda: fetch(storage, stored, tmp_path / "cache"), lambda: check(storage, stored)):
        with pytest.raises(CorruptAssetError, match=r"adapter_model\.safetensors"):
            read_all()

    assert list((tmp_path / "cache" / "versions" / "copy").iterdir()) == []


def test_a_store_or_disk_that_cannot_be_used_is_named_and_may_be_tried_again(
    storage: Storage, settings: Settings, folder: Path, tmp_path: Path
):
    stored = store(storage, folder, a_version())
    (tmp_path / "file").write_text("in the way")
    away = Storage(settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"}))

    with pytest.raises(StorageError, match=f"cannot keep version {stored.id}"):
        fetch(storage, stored, tmp_path / "file")
    with pytest.raises(StorageError, match="does not answer"):
        fetch(away, stored, tmp_path / "cache")


UPLOAD = """
import os, sys, threading
from pathlib import Path
from core.settings import Settings
from core.storage import Storage
from core.versions import store
from support.versions import a_version

class Slow(Storage):
    def put(self, key, data, content_type):
        place = super().put(key, data, content_type)
        print(key, flush=True)
        sys.stdin.readline()
        return place

store(Slow(Settings.load()), Path(sys.argv[1]), a_version())
"""


@pytest.mark.parametrize("stored_files", [1, 2])
def test_an_upload_that_is_killed_leaves_nothing_that_could_be_taken_for_a_version(
    storage: Storage, settings: Settings, folder: Path, tmp_path: Path, stored_files: int
):
    path = os.pathsep.join(str(Path(__file__).parents[level]) for level in (1, 2))
    upload = subprocess.Popen(
        [sys.executable, "-c", UPLOAD, str(folder)],
        env=settings.environment() | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert upload.stdin
    assert upload.stdout
    for number in range(stored_files):
        assert upload.stdout.readline()
        if number + 1 < stored_files:
            upload.stdin.write(b"\n")
            upload.stdin.flush()
    upload.kill()
    upload.communicate()

    left = keys(storage)
    removed_at_once = remove_orphans(storage, set())
    removed = remove_orphans(storage, set(), older_than_seconds=-60)

    assert len(left) == stored_files
    assert not any(key.endswith(MANIFEST) for key in left)
    assert (removed_at_once, removed) == ([], [a_version().id])
    assert keys(storage) == []
    assert read(fetch(storage, store(storage, folder, a_version()), tmp_path / "cache")) == FILES


def test_only_what_nobody_registered_is_cleared_away(storage: Storage, folder: Path):
    kept, orphan = (store(storage, folder, a_version(number)) for number in (1, 2))
    storage.put("campaigns/c/assets/x.jsonl", b"x", "application/jsonl")

    assert remove_orphans(storage, {kept.id}, older_than_seconds=-60) == [orphan.id]
    check(storage, kept)
    assert len(keys(storage)) == len(FILES) + 2


def test_a_bucket_that_refuses_is_a_matter_of_the_settings(settings: Settings, folder: Path):
    refused = Storage(settings.model_copy(update={"s3_access_key": "nobody"}))

    with pytest.raises(SettingsError):
        store(refused, folder, a_version())
    shutil.rmtree(folder)
