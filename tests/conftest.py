"""What tests share: real servers, each started once a session, and an empty ledger, broker and bucket for each test."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.servers import S3_KEY, S3_SECRET, Postgres, SeaweedFS, Valkey

# On a machine that others share, how long an example takes says nothing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey server."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A SeaweedFS server with the S3 API."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def broker_url(valkey: Valkey) -> str:
    """The broker, emptied."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
def settings(tmp_path: Path, broker_url: str, seaweedfs: SeaweedFS) -> Settings:
    """Settings on running servers, with an empty SQLite ledger, an empty broker and a bucket of their own."""
    return Settings(
        home=tmp_path / "home",
        broker_url=broker_url,
        s3_endpoint=seaweedfs.endpoint,
        s3_access_key=S3_KEY,
        s3_secret_key=S3_SECRET,
        s3_bucket=f"test-{uuid.uuid4().hex[:12]}",
    )


@pytest.fixture
def storage(settings: Settings) -> Storage:
    """The bucket of `settings`."""
    opened = Storage(settings)
    opened.ensure_bucket()
    return opened


@pytest.fixture
def own_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of `settings`, which workers share."""
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty ledger, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(ledger_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger, once on SQLite and once on PostgreSQL."""
    opened = Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def line_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny real model, see support/lines.py."""
    from support.lines import build_line_model  # noqa: PLC0415 - loads torch

    return build_line_model(tmp_path_factory.mktemp("line-model"))
