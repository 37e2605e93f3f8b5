"""What tests share: real servers, each started once a session, and an empty ledger, broker and bucket for each test."""

import logging
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.brokers import BROKERS, Broker
from support.networks import why_no_network
from support.servers import S3_KEY, S3_SECRET, Postgres, SeaweedFS
from support.workers import Workers


def pytest_addoption(parser: pytest.Parser):
    """Let `make test-servers` name other servers than those of wheels, which are there everywhere."""
    parser.addoption("--broker", choices=sorted(BROKERS), default="valkey", help="the broker that tests run on")
    parser.addoption(
        "--postgres", choices=["wheel", "debian"], default="wheel", help="the PostgreSQL that tests run on"
    )


def _left_out(config: pytest.Config) -> dict[str, str]:
    """Return what is left out below tests/, and why: it needs servers or rights that few machines have."""
    broker, here = config.getoption("--broker"), Path(__file__).parent
    if broker == "valkey" and config.getoption("--postgres") == "wheel":
        return {str(here / "servers"): "make test-servers runs it"}
    reasons = {
        str(here / "servers" / "test_rabbitmq.py"): "" if broker == "rabbitmq" else f"the broker is {broker}",
        str(here / "servers" / "test_partitions.py"): why_no_network(),
    }
    return {path: reason for path, reason in reasons.items() if reason}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what cannot run here."""
    return True if str(collection_path) in _left_out(config) else None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out, and why."""
    return [f"left out: {Path(path).name}: {reason}" for path, reason in _left_out(config).items()]


def _lightness(item: pytest.Item) -> int:
    rooms = item.path.relative_to(Path(__file__).parent).parts
    return 0 if rooms[0] != "unit" else 1 if rooms[1] == "workers" else 2


def pytest_collection_modifyitems(items: list[pytest.Item]):
    """Mark the tests that meet another broker or PostgreSQL when they are told to."""
    # Processes take one file after the other and shall end together: models are the heaviest of the units.
    items.sort(key=_lightness)
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        call = getattr(item, "callspec", None)
        if "broker" in names:
            item.add_marker("broker")
        if "postgres" in names or (call and "postgresql" in call.params.values()):
            item.add_marker("postgres")


# On a machine that others share, how long an example takes says nothing.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _no_log_that_a_test_opened() -> Iterator[None]:
    """Close the log that a command has opened in this process: it would write to an output that is gone."""
    root = logging.getLogger()
    level = root.level
    yield
    root.handlers[:] = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]
    root.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def _one_process() -> Iterator[None]:
    """Stacks of tests generate with one process: a core less, and the same on every machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_GENERATE_PROCESSES", "1")
        yield


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker that all tests of this session share."""
    server = BROKERS[pytestconfig.getoption("--broker")](tmp_path_factory.mktemp("broker"))
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A SeaweedFS server with the S3 API."""
    server = SeaweedFS(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server."""
    is_debian = pytestconfig.getoption("--postgres") == "debian"
    server = Postgres(tmp_path_factory.mktemp("postgres"), is_debian=is_debian)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def broker_url(broker: Broker) -> str:
    """The broker, emptied."""
    broker.empty()
    return broker.url


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty ledger in a file, to be copied: migrations take a tenth of a second, and a thousand tests want one."""
    home = tmp_path_factory.mktemp("empty")
    Ledger(Settings(home=home)).close()
    return home / "ledger.db"


@pytest.fixture
def settings(tmp_path: Path, broker_url: str, seaweedfs: SeaweedFS, empty_ledger: Path) -> Settings:
    """Settings on running servers, with an empty SQLite ledger, an empty broker and a bucket of their own."""
    (tmp_path / "home").mkdir()
    shutil.copy(empty_ledger, tmp_path / "home")
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
def workers(settings: Settings, tmp_path: Path) -> Iterator[Workers]:
    """What starts workers with `settings`, and ends them with the test."""
    started = Workers(settings, tmp_path)
    yield started
    started.end()


@pytest.fixture
def own_ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger of `settings`, which workers share."""
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path, empty_ledger: Path) -> str:
    """The URL of an empty ledger, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_ledger()
    return f"sqlite:///{shutil.copy(empty_ledger, tmp_path / 'ledger.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without any table, likewise."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_database()
    return f"sqlite:///{tmp_path / 'bare.db'}"


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
