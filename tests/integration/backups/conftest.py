"""What tests of backups share: a factory at work, and an empty one elsewhere."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.backups import Ledgers, Scene
from support.kept import (
    fill,
    keep_snapshot,
)


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


@pytest.fixture
def scene(own_ledger: Ledger, storage: Storage, elsewhere: Settings, tmp_path: Path) -> Scene:
    """A factory on SQLite that knows next to nothing."""
    keep_snapshot(own_ledger, storage)
    return Scene(own_ledger, storage, elsewhere, tmp_path / "factory.backup")


@pytest.fixture
def campaign(scene: Scene, settings: Settings, tmp_path: Path) -> str:
    """The campaign of that factory, now in the middle of its work."""
    return fill(settings, scene.ledger, scene.storage, tmp_path / "files")


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
