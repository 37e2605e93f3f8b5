"""Where versions are kept, and which one serves: what a training needs to know of it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.storage import Storage
from schemas.campaigns import Kind
from schemas.versions import SHIPPED, NewVersion, VersionFile

CONTENT_TYPES = {".json": "application/json", ".safetensors": "application/octet-stream"}


class Registry(Protocol):
    """Knows the versions of models."""

    def champion(self, kind: Kind, model: str) -> str:
        """Return the version that serves a model, SHIPPED where nothing trained does."""
        ...

    def folder(self, version_id: str) -> Path | None:
        """Return a folder with the files of a version; None for the shipped one."""
        ...

    def add(self, version: NewVersion, folder: Path) -> NewVersion:
        """Keep the files of a version and what is known of it; the same version twice is no error."""
        ...


class StoredVersions:
    """Keeps versions in the store; the shipped one serves every model."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def champion(self, _kind: Kind, _model: str) -> str:
        """Return SHIPPED."""
        return SHIPPED

    def folder(self, _version_id: str) -> Path | None:
        """Return None: the shipped version comes with its model."""
        return None

    def add(self, version: NewVersion, folder: Path) -> NewVersion:
        """Put the files below `versions/`, and return the version with them."""
        prefix = f"versions/{version.kind}/{version.id}/"
        return version.model_copy(update={"prefix": prefix, "files": tuple(self._stored(prefix, folder))})

    def _stored(self, prefix: str, folder: Path) -> Iterator[VersionFile]:
        for path in sorted(folder.iterdir()):
            if path.suffix in CONTENT_TYPES:
                data = path.read_bytes()
                self._storage.put(prefix + path.name, data, CONTENT_TYPES[path.suffix])
                yield VersionFile(name=path.name, sha256=hashlib.sha256(data).hexdigest(), length_bytes=len(data))
