"""The files of versions in the store: written once, whole or not at all, and verified when they are fetched.

Files come first, then the manifest, then (by the caller) the row in the ledger. So whoever is killed in between leaves
objects that nothing points to; `remove_orphans` clears them away.
"""

import hashlib
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Container
from pathlib import Path

from core import locks
from core.errors import CorruptAssetError, StateError, StorageError
from core.storage import Storage
from schemas.assets import Location
from schemas.versions import FILE_NAME, PREFIX, NewVersion, VersionFile

MANIFEST = "manifest.json"
JSON = "application/json"
WEIGHTS = "application/octet-stream"
# An upload that takes longer than this is dead.
ORPHAN_SECONDS = 86_400.0


def store(storage: Storage, folder: Path, described: NewVersion) -> NewVersion:
    """Store the files of a folder and return the version with its prefix and files, ready to be registered.

    What stands in `prefix` and `files` before does not matter. The same folder twice is no error; StateError tells of
    a folder that is no version, and of other files under an id that is stored whole.
    """
    paths = _files_of(folder)
    prefix = f"{PREFIX}{described.kind}/{described.id}/"
    files = tuple(VersionFile(name=path.name, sha256=_sha256(path), length_bytes=path.stat().st_size) for path in paths)
    version = described.model_copy(update={"prefix": prefix, "files": files})
    manifest = version.model_dump_json().encode()
    if (stored := _manifest(storage, prefix)) is not None:
        if stored != manifest:
            raise StateError(f"version {version.id} is stored with other files or facts: give it another id")
        return version
    for path, file in zip(paths, files, strict=True):
        location = storage.put(prefix + file.name, path.read_bytes(), JSON if path.suffix == ".json" else WEIGHTS)
        if location.sha256 != file.sha256:
            raise StateError(f"{path} changed while it was stored: store the version again when its training has ended")
    storage.put(prefix + MANIFEST, manifest, JSON)
    return version


def fetch(storage: Storage, version: NewVersion, cache: Path) -> Path:
    """Return a folder below the cache with the verified files of a version; it is there whole or not at all.

    Raises CorruptAssetError when the store has lost or changed a file, StorageError when it or the disk cannot be used.
    """
    folder = cache / PREFIX / version.kind / version.id
    if _is_intact(folder, version):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{version.id}-", dir=folder.parent))
        try:
            for file in version.files:
                (draft / file.name).write_bytes(_read(storage, version, file))
            _put_in_place(draft, folder, version)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise StorageError(f"cannot keep version {version.id} in {folder}: {error.strerror or error}") from error
    return folder


def check(storage: Storage, version: NewVersion) -> None:
    """Raise CorruptAssetError unless the store has every byte of the version."""
    for file in version.files:
        _read(storage, version, file)


def remove_orphans(
    storage: Storage, registered: Container[str], older_than_seconds: float = ORPHAN_SECONDS
) -> list[str]:
    """Delete the objects of versions that nobody registered; return their ids.

    An upload may be under way, so only what was stored longer ago than that goes.
    """
    newest: defaultdict[str, float] = defaultdict(float)
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key, stored_at in storage.stored_at(PREFIX):
        _, _, name = key.removeprefix(PREFIX).partition("/")
        version_id = name.partition("/")[0]
        newest[version_id] = max(newest[version_id], stored_at)
        keys[version_id].append(key)
    before = time.time() - older_than_seconds
    orphans = sorted(one for one in keys if one not in registered and newest[one] <= before)
    for one in orphans:
        for key in keys[one]:
            storage.delete(key)
    return orphans


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that is a version."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if not any(path.suffix == ".safetensors" for path in paths):
        raise StateError(f"{folder} is no version: it holds no *.safetensors")
    for path in paths:
        if not path.is_file() or not FILE_NAME.fullmatch(path.name) or path.name == MANIFEST or not path.stat().st_size:
            raise StateError(
                f"{path} is no file of a version: only *.safetensors and *.json that are not empty are kept, "
                f"and {MANIFEST} is written here; take it out of the folder"
            )
    return paths


def _manifest(storage: Storage, prefix: str) -> bytes | None:
    try:
        return storage.get_whole(prefix + MANIFEST)
    except CorruptAssetError:
        return None


def _read(storage: Storage, version: NewVersion, file: VersionFile) -> bytes:
    place = Location(key=version.prefix + file.name, offset_bytes=0, length_bytes=file.length_bytes, sha256=file.sha256)
    return storage.get(place)


def _is_intact(folder: Path, version: NewVersion) -> bool:
    return all((folder / file.name).is_file() and _sha256(folder / file.name) == file.sha256 for file in version.files)


def _put_in_place(draft: Path, folder: Path, version: NewVersion) -> None:
    """Give a folder that is whole its name. What is there and damaged goes; another process may be faster."""
    # A temporary folder is private; a model may be read by every account that runs a worker.
    draft.chmod(0o755)
    # Else of two that find the same damage, the second would delete what the first has put there.
    with locks.alone_with(folder):
        if folder.exists() and not _is_intact(folder, version):
            shutil.rmtree(folder, ignore_errors=True)
        try:
            draft.rename(folder)
        except OSError:
            if not _is_intact(folder, version):
                raise


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
