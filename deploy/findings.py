"""What the doctor says about one thing: how it is, what was found, and how to mend it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    mend: str = ""


def ok(name: str, found: str) -> Finding:
    """Return that this is well."""
    return Finding(name, Level.OK, found)


def warn(name: str, found: str, mend: str) -> Finding:
    """Return that this works, but not as well as it could, or not yet."""
    return Finding(name, Level.WARN, found, mend)


def fail(name: str, found: str, mend: str) -> Finding:
    """Return that this keeps the factory from working."""
    return Finding(name, Level.FAIL, found, mend)
