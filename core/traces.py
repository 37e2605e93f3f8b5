"""Where the time of a call, a ticket or a batch went: spans, sent to a collector of yours; nothing without the setting.

What is said of a step is ids, counts, and names of kinds, models and steps: no text that somebody typed, none of an
error, no secret. Of the names that people give only that of a campaign is in it, as a part of its id.
"""

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from core.errors import SettingsError
from core.settings import Settings

if TYPE_CHECKING:
    from core.otlp import Exporter

Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value]
NOTHING: Attributes = {}
# What W3C calls the header of a message that says which span sent it.
TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
# What all of it is installed by.
MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Role(StrEnum):
    """On which side of a call or a message a step stands."""

    INSIDE = "internal"
    SERVER = "server"
    SENDER = "producer"
    RECEIVER = "consumer"


class CalmError(Exception):
    """Leaves a step without being an error of it: its work is given back, since the process stops."""


@dataclass(frozen=True)
class Link:
    """A span of this or another trace."""

    trace_id: int
    span_id: int
    attributes: Attributes = field(default_factory=dict)


class Span:
    """What a step says of itself; says nothing itself, since traces are off where this is handed out."""

    def name(self, name: str) -> None:
        """Give it a better name, which was not known when it began."""

    def note(self, attributes: Attributes) -> None:
        """Say more of the step as a whole."""

    def tell(self, event: str, attributes: Attributes = NOTHING) -> None:
        """Say that something happened in it, now."""

    def link(self, link: Link) -> None:
        """Say that it goes back to another span as well."""

    def fail(self, kind: str) -> None:
        """Say that it failed, and by what kind of error."""


@dataclass(frozen=True)
class Origin:
    """How a span begins otherwise than as a part of the current one, now.

    `as_root` gives it ids of its own; `parent` makes it a part of that one. `since` is a time of `now()`.
    """

    is_root: bool = False
    as_root: Link | None = None
    parent: Link | None = None
    since: int | None = None


OFF = Span()
_OFF: AbstractContextManager[Span] = nullcontext(OFF)
PART = Origin()
# One for the process, as its measures and its logs are.
_exporter: "Exporter | None" = None


def are_installed() -> bool:
    """Tell whether the libraries of traces are here; imports none of them."""
    try:
        return all(find_spec(name) is not None for name in MODULES)
    except ModuleNotFoundError:
        return False


def require_installed(settings: Settings) -> None:
    """Raise SettingsError when traces are asked for and their libraries are not here."""
    if settings.traces_endpoint and not are_installed():
        raise SettingsError(
            "FACTORY_TRACES_ENDPOINT asks for traces, and their libraries are not installed: "
            "`pip install 'content-factory[traces]'`, or leave the setting empty"
        )


def begin(settings: Settings, process: str) -> None:
    """Send what this process does from now on, if the settings name a collector; twice is once.

    Raises SettingsError when the libraries are missing or a variable of theirs is wrong. Whether the collector answers
    is no matter: nothing waits for it.
    """
    global _exporter  # noqa: PLW0603 - one for the process
    require_installed(settings)
    if settings.traces_endpoint and _exporter is None:
        from core.otlp import Exporter  # noqa: PLC0415 - who asks for no traces shall load nothing

        _exporter = Exporter(settings.traces_endpoint, process)


def end() -> None:
    """Send what is left, for a few seconds at most, and go on without traces; twice is once."""
    global _exporter
    ended, _exporter = _exporter, None
    if ended:
        ended.end()


def are_on() -> bool:
    """Tell whether anybody is told what this process does."""
    return _exporter is not None


def span(
    name: str, attributes: Attributes = NOTHING, role: Role = Role.INSIDE, origin: Origin = PART
) -> AbstractContextManager[Span]:
    """Record a step until the end of the block, as a part of the current one unless its origin says otherwise.

    An error that leaves the block is recorded by its kind alone: its text may hold what somebody typed.
    """
    # Read once, here and below: another thread may end it meanwhile.
    return exporter.span(name, attributes, role, origin) if (exporter := _exporter) else _OFF


def passed(name: str, since: int, attributes: Attributes = NOTHING) -> None:
    """Record a step that began at a time of `now()` and has just ended."""
    with span(name, attributes, origin=Origin(since=since)):
        pass


def now() -> int:
    """Return the time as the beginning of a span."""
    return time.time_ns()


def current() -> Link | None:
    """Return the current span of this thread; None without one."""
    return exporter.current() if (exporter := _exporter) else None


def tell(event: str, attributes: Attributes = NOTHING) -> None:
    """Say of the current step that something happened, now."""
    if exporter := _exporter:
        exporter.tell(event, attributes)


def headers() -> dict[str, str]:
    """Return what a message says of the current span: nothing where there is none."""
    return exporter.headers() if (exporter := _exporter) else {}


def link_of(header: object) -> Link | None:
    """Return the span that a header of a message or call names; None where it names none, whatever it is."""
    found = _TRACEPARENT.fullmatch(header) if isinstance(header, str) else None
    link = Link(int(found[1], 16), int(found[2], 16)) if found else None
    return link if link and link.trace_id and link.span_id else None


def campaign_link(campaign_id: str, created_at: float) -> Link:
    """Return where the trace of a campaign begins.

    It follows from the campaign and the moment it was recorded: so neither ledger nor broker need to keep it, every
    process finds it, and the same campaign in another ledger has another one.
    """
    digest = hashlib.sha256(f"{campaign_id}\0{created_at!r}".encode()).digest()
    return Link(
        int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:24], "big"), {"factory.campaign.id": campaign_id}
    )
