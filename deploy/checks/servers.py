"""What the doctor asks the servers: broker, ledger, S3 and its clock. A probe object is written, read and removed."""

import http.client
import importlib.util
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from core import migrations
from core.broker import check_queues, make_app, server_of, waiting_tickets
from core.database import Database
from core.errors import CorruptAssetError, FactoryError, SettingsError
from core.settings import Settings
from core.storage import Storage
from deploy.findings import Finding, Level, fail, ok, warn
from deploy.ports import answers
from schemas.assets import Location
from schemas.campaigns import Kind

UP = "run `factory up`, or point FACTORY_{} to a server that runs"
REACH_SECONDS = 2.0
HTTP_SECONDS = 5.0
# S3 refuses requests whose clock is off by 15 minutes; long before that, leases and links are wrong.
MOST_SKEW_SECONDS = 300.0
NOTICED_SKEW_SECONDS = 5.0
# SQLite's write-ahead log needs memory shared between processes, and locks that hold.
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs", "lustre"}
PORTS = {"redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671, "http": 80, "https": 443}
PROBE = b"0123456789" * 10


def broker(settings: Settings) -> list[Finding]:
    """Ask the broker whether it lives, and how many tickets lie in it."""
    url = settings.broker_url.get_secret_value()
    place = place_of(url)
    if not answers(*place, REACH_SECONDS):
        return [fail("broker", f"nobody listens at {place[0]}:{place[1]}", UP.format("BROKER_URL"))]
    app = make_app(settings)
    try:
        check_queues(app)
        waiting = {kind: waiting_tickets(app, kind) for kind in Kind}
    except SettingsError as error:
        return [fail("broker", str(error), "")]
    except FactoryError as error:
        return [fail("broker", str(error), "compare the password in FACTORY_BROKER_URL with the server's")]
    found = ", ".join(f"{count} for {kind}" for kind, count in waiting.items())
    return [
        ok("broker", f"{server_of(app) or 'it'} answers at {place[0]}:{place[1]}"),
        ok("tickets waiting", found),
    ]


def ledger(settings: Settings) -> list[Finding]:
    """Open the ledger, without making or migrating one, and look at its tables and its place."""
    url = settings.resolved_ledger_url
    if not url.startswith("sqlite"):
        return [_revision(settings)]
    file = Path(url.removeprefix("sqlite:///"))
    if not file.is_file():
        return [warn("ledger", f"{file} is not there yet", "nothing: `factory up` makes it")]
    is_visible = importlib.util.find_spec("psutil") is not None
    return [_revision(settings), *([_filesystem(file)] if is_visible else [])]


def _revision(settings: Settings) -> Finding:
    database = Database(settings.resolved_ledger_url, pool_size=1)
    try:
        with database.read() as connection:
            revision = migrations.current(connection)
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar() if database.is_sqlite else None
    finally:
        database.close()
    found = f"{database.url!r} at revision {revision}" + (f", journal mode {journal}" if journal else "")
    if revision is None:
        return warn(
            "ledger", f"{database.url!r} is empty", "nothing: `factory up`, or whoever opens it, makes its tables"
        )
    if revision not in migrations.revisions():
        mend = "install the version that migrated it, or go back with that one (`factory migrate --to`)"
        return fail("ledger", f"{found}; this version knows none after {migrations.HEAD}", mend)
    if revision != migrations.HEAD:
        mend = "run `factory migrate` or `factory up`, or go on with the version that it belongs to"
        return fail("ledger", f"{found}; this version needs {migrations.HEAD}", mend)
    if journal not in {None, "wal"}:
        return fail("ledger", found, "SQLite cannot write ahead here: set FACTORY_HOME to a local disk")
    return ok("ledger", found)


def _filesystem(file: Path) -> Finding:
    import psutil  # noqa: PLC0415 - a producer does not have it

    mounts = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    kind = next((mounts[folder] for folder in file.resolve().parents if folder in mounts), "unknown")
    if kind in NETWORK_FILESYSTEMS:
        return fail("ledger's disk", f"{file} is on {kind}", "SQLite loses data there: use a local disk or PostgreSQL")
    return ok("ledger's disk", f"{kind}, a local filesystem")


def storage(settings: Settings) -> list[Finding]:
    """Write a probe object and take it every way the factory takes objects; then remove it."""
    unreachable = _unreachable(settings)
    if unreachable:
        return [fail("storage", unreachable, UP.format("S3_ENDPOINT"))]
    store, key = Storage(settings), f".probe/doctor-{uuid.uuid4().hex}"
    try:
        location = store.put(key, PROBE, "text/plain")
    except SettingsError as error:
        return [fail("storage: put", str(error), "a new bucket is made by `factory up`; keys are FACTORY_S3_*")]
    calls: dict[str, Callable[[], bool]] = {
        "get": lambda: store.get_whole(key) == PROBE,
        "ranged get": lambda: _reads_range(store, location),
        "list": lambda: list(store.list(key)) == [(key, len(PROBE))],
        "link": lambda: _fetch(store.link(key, 60))[2] == PROBE,
        "wrong key refused": lambda: _refuses_wrong_key(settings, key),
        "delete": lambda: _deletes(store, key),
    }
    return [ok("storage: put", "works"), *(_call(name, does) for name, does in calls.items())]


def _call(name: str, does: Callable[[], bool]) -> Finding:
    title, mend = f"storage: {name}", "this store is not S3 enough: use another one, or report it to its makers"
    try:
        return ok(title, "works") if does() else fail(title, "answers, but not with what was stored", mend)
    except (FactoryError, OSError) as error:
        return fail(title, str(error), mend)


def _reads_range(store: Storage, location: Location) -> bool:
    whole = store.get(location)
    # A piece has another sha256 than the whole: that it is compared is part of what is tried.
    piece = location.model_copy(update={"offset_bytes": 5, "length_bytes": 10})
    try:
        store.get(piece)
    except CorruptAssetError:
        return whole == PROBE
    return False


def _refuses_wrong_key(settings: Settings, key: str) -> bool:
    wrong = {"s3_access_key": settings.s3_access_key or "wrong", "s3_secret_key": SecretStr("wrong")}
    try:
        Storage(settings.model_copy(update=wrong)).get_whole(key)
    except SettingsError:
        return True
    return False


def _deletes(store: Storage, key: str) -> bool:
    store.delete(key)
    return not list(store.list(key))


def clock(settings: Settings) -> Finding:
    """Compare this machine's clock with the store's."""
    unreachable = _unreachable(settings)
    if unreachable:
        return warn("clock", f"cannot be compared: {unreachable}", "")
    _, date, _ = _fetch(_endpoint(settings), method="HEAD")
    if date is None:
        return warn("clock", "the store does not tell its time", "")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    level = Level.FAIL if skew > MOST_SKEW_SECONDS else Level.WARN if skew > NOTICED_SKEW_SECONDS else Level.OK
    mend = "" if level == Level.OK else "set the clock by NTP: leases, links and signatures need it"
    return Finding("clock", level, f"{skew:.0f} s from the store's", mend)


def _endpoint(settings: Settings) -> str:
    return settings.s3_endpoint or f"https://s3.{settings.s3_region}.amazonaws.com"


def _unreachable(settings: Settings) -> str | None:
    host, port = place_of(_endpoint(settings))
    return None if answers(host, port, REACH_SECONDS) else f"nobody listens at {host}:{port}"


def place_of(url: str) -> tuple[str, int]:
    """Return host and port of an address."""
    parts = urlsplit(url)
    try:
        return parts.hostname or "localhost", parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError) as error:
        raise SettingsError(f"{parts.scheme}://{parts.hostname} names no port that is known") from error


def _fetch(url: str, method: str = "GET") -> tuple[int, str | None, bytes]:
    """Return status, Date header and body, without any credentials."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(*place_of(url), timeout=HTTP_SECONDS)
    try:
        connection.request(method, f"{parts.path or '/'}?{parts.query}".rstrip("?"))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Date"), answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{parts.netloc} does not speak HTTP ({type(error).__name__})") from error
    finally:
        connection.close()
