"""The ports and secrets of the embedded servers: chosen once, kept in `factory.env`, read back by every command."""

import os
import secrets
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from core.errors import SettingsError
from core.settings import Settings, environment_names, variable
from deploy.ports import LOOPBACK, free_port
from schemas.frozen import Frozen

RECORD = "FACTORY_EMBEDDED"
HEAD = (
    "# Written by `factory up`, which keeps the lines it wrote up to date. Lines you add or change are yours and stay."
)
# Master, volume server, filer and S3 gateway of the store: one HTTP and one gRPC port each, but S3's own is a setting.
INNER_STORE_PORTS = 7
FIRST_INNER_PORT = 18390
# What people and programs look at: each has a setting for its port.
PAGES = ("flower_port", "api_port")


class Broker(Frozen):
    """The embedded Valkey."""

    port: int
    password: str

    @property
    def url(self) -> str:
        """Return its address with the password, as Celery wants it."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"


class Store(Frozen):
    """The embedded SeaweedFS."""

    port: int
    access_key: str
    secret_key: str
    inner_ports: tuple[int, ...]

    @property
    def endpoint(self) -> str:
        """Return the address of its S3 gateway."""
        return f"http://{LOOPBACK}:{self.port}"


class Embedded(Frozen):
    """What is embedded. A broker or a store that the settings name elsewhere is not."""

    broker: Broker | None
    store: Store | None
    flower_port: int
    # Homes of before there was an API have none written down.
    api_port: int = 5580

    @classmethod
    def choose(cls, settings: Settings, former: Self | None, taken: Collection[int] = ()) -> Self:
        """Return free ports, and secrets that are new only if there were none. Former ports stay when they are free."""
        broker, store = (former.broker, former.store) if former else (None, None)
        flower_port = _page_port("flower_port", settings, former, taken)
        api_port = _page_port("api_port", settings, former, {*taken, flower_port})
        taken = {*taken, flower_port, api_port}
        if _is_default(settings, "broker_url"):
            port = free_port(broker.port if broker else _port_of(_default("broker_url")), taken)
            taken.add(port)
            broker = Broker(port=port, password=broker.password if broker else _password())
        else:
            broker = None
        store = _choose_store(store, taken) if _is_default(settings, "s3_endpoint") else None
        return cls(broker=broker, store=store, flower_port=flower_port, api_port=api_port)

    def with_new_secrets(self) -> Self:
        """Return the same servers at the same ports, with another password and other keys."""
        broker = self.broker and Broker(port=self.broker.port, password=_password())
        store = self.store and self.store.model_copy(update=_new_keys())
        return self.model_copy(update={"broker": broker, "store": store})

    @property
    def all_ports(self) -> tuple[int, ...]:
        """Return every port that is listened on."""
        return (*self.ports.values(), *(self.store.inner_ports if self.store else ()))

    @property
    def ports(self) -> dict[str, int]:
        """Return the port that each server is reached at."""
        ports = {"flower": self.flower_port, "api": self.api_port}
        if self.broker:
            ports["valkey"] = self.broker.port
        if self.store:
            ports["seaweedfs"] = self.store.port
        return ports

    def values(self) -> dict[str, str]:
        """Return the variables that lead every process to the embedded servers."""
        values = {"FACTORY_FLOWER_PORT": str(self.flower_port), "FACTORY_API_PORT": str(self.api_port)}
        if self.broker:
            values["FACTORY_BROKER_URL"] = self.broker.url
        if self.store:
            values["FACTORY_S3_ENDPOINT"] = self.store.endpoint
            values["FACTORY_S3_ACCESS_KEY"] = self.store.access_key
            values["FACTORY_S3_SECRET_KEY"] = self.store.secret_key
        return values

    def fill(self, settings: Settings) -> Settings:
        """Return the settings with the embedded servers in place of every default, and ports where none is set."""
        changes: dict[str, object] = {}
        if self.broker and _is_default(settings, "broker_url"):
            changes["broker_url"] = SecretStr(self.broker.url)
        if self.store and _is_default(settings, "s3_endpoint"):
            changes["s3_endpoint"] = self.store.endpoint
            changes["s3_access_key"] = self.store.access_key
            changes["s3_secret_key"] = SecretStr(self.store.secret_key)
        changes |= {name: getattr(self, name) for name in PAGES if name not in settings.model_fields_set}
        return settings.model_copy(update=changes)

    def ports_in_use(self, settings: Settings) -> dict[str, int]:
        """Return these ports without those of servers that the settings, filled with this, name elsewhere."""
        ports = self.ports
        if self.broker and settings.broker_url.get_secret_value() != self.broker.url:
            del ports["valkey"]
        if self.store and settings.s3_endpoint != self.store.endpoint:
            del ports["seaweedfs"]
        return ports

    def forget(self, settings: Settings, own: Collection[str]) -> Settings:
        """Return the settings without everything that came from here, but for own ports: what `fill` undone gives."""
        changes: dict[str, object] = {}
        if self.broker and settings.broker_url.get_secret_value() == self.broker.url:
            changes["broker_url"] = _default("broker_url")
        if self.store and settings.s3_endpoint == self.store.endpoint:
            changes |= {name: _default(name) for name in ("s3_endpoint", "s3_access_key", "s3_secret_key")}
        ports = {name: _default(name) for name in PAGES if name not in own}
        bare = settings.model_copy(update=changes | ports)
        # The set of the copy itself: what is forgotten counts as never set.
        bare.model_fields_set.difference_update(ports)
        return bare


def default_ports(settings: Settings) -> dict[str, int]:
    """Return the port that each server of a first start has when nobody else holds it."""
    ports: dict[str, int] = {name.removesuffix("_port"): Settings.model_fields[name].default for name in PAGES}
    if _is_default(settings, "broker_url"):
        ports["valkey"] = _port_of(_default("broker_url"))
    if _is_default(settings, "s3_endpoint"):
        ports["seaweedfs"] = _port_of(_default("s3_endpoint"))
    return ports


def read(env_file: Path) -> Embedded | None:
    """Return what the last start chose; None before the first one."""
    for line in _lines(env_file):
        key, _, value = line.partition("=")
        if key.strip() == RECORD:
            try:
                return Embedded.model_validate_json(value.strip().strip("'"))
            except ValidationError as error:
                raise SettingsError(
                    f"{env_file}: the line {RECORD} is damaged: delete it and what `factory up` wrote below it"
                ) from error
    return None


def names_in(env_file: Path) -> set[str]:
    """Return the variables that the file sets, in capitals, as they are read."""
    return {name.upper() for name in _keys(_lines(env_file))}


def own_ports(env_file: Path, settings: Settings) -> frozenset[str]:
    """Return the ports of pages that somebody set, be it to their default; not those that `up` chose and wrote down."""
    former = read(env_file)
    named = environment_names() | _keys(_theirs(env_file, former))
    return frozenset(
        name
        for name in settings.model_fields_set.intersection(PAGES)
        if former is None or variable(name) in named or getattr(settings, name) != getattr(former, name)
    )


def write(env_file: Path, embedded: Embedded) -> None:
    """Keep the choice in the file; lines that a person added or changed stay and win. All of it or nothing."""
    theirs = _theirs(env_file, read(env_file))
    their_keys = _keys(theirs)
    lines = [line for line in _assignments(embedded) if line.partition("=")[0] not in their_keys]
    _replace(env_file, "\n".join([*theirs, HEAD, *lines]) + "\n")


def _theirs(env_file: Path, former: Embedded | None) -> list[str]:
    """Return the lines of a person: all above ours, and below those that we did not write, or not twice."""
    lines = _lines(env_file)
    begin = lines.index(HEAD) if HEAD in lines else 0
    ours, theirs = [HEAD, *(_assignments(former) if former else ())], lines[:begin]
    for line in lines[begin:]:
        if line in ours:
            ours.remove(line)
        elif not line.startswith(f"{RECORD}="):
            theirs.append(line)
    return theirs


def _keys(lines: Iterable[str]) -> set[str]:
    return {line.partition("=")[0].strip().removeprefix("export ") for line in lines}


def _assignments(embedded: Embedded) -> list[str]:
    plain = [f"{key}={value}" for key, value in embedded.values().items()]
    return [f"{RECORD}='{embedded.model_dump_json()}'", *plain]


def _lines(env_file: Path) -> list[str]:
    try:
        return env_file.read_text(encoding="utf-8").splitlines() if env_file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {env_file}: {error}") from error


def _replace(path: Path, text: str) -> None:
    # mkstemp makes the file readable for this user alone.
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(path)


def _choose_store(former: Store | None, taken: set[int]) -> Store:
    port = free_port(former.port if former else _port_of(_default("s3_endpoint")), taken)
    taken = {*taken, port}
    inner: list[int] = []
    for number in range(INNER_STORE_PORTS):
        wanted = former.inner_ports[number] if former else FIRST_INNER_PORT
        inner.append(free_port(wanted, {*taken, *inner}))
    keys = former.model_dump(include={"access_key", "secret_key"}) if former else _new_keys()
    return Store(port=port, inner_ports=tuple(inner), **keys)


def _password() -> str:
    return secrets.token_urlsafe(32)


def _new_keys() -> dict[str, str]:
    return {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}


def _page_port(name: str, settings: Settings, former: Embedded | None, taken: Collection[int]) -> int:
    """Return the port of Flower or of the API: one that a person set is taken as it is, or not at all."""
    wanted: int = getattr(settings, name)
    if name not in settings.model_fields_set:
        return free_port(getattr(former, name) if former else wanted, taken)
    if free_port(wanted, taken) != wanted:
        raise SettingsError(f"{variable(name)}: {wanted} is taken: set another one")
    return wanted


def _default(name: str) -> object:
    return Settings.model_fields[name].default


def _is_default(settings: Settings, name: str) -> bool:
    return bool(getattr(settings, name) == _default(name))


def _port_of(url: object) -> int:
    port = urlsplit(url.get_secret_value() if isinstance(url, SecretStr) else str(url)).port
    assert port is not None
    return port
