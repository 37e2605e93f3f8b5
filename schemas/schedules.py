"""Words about schedules: what is done about runs that were missed, and what became of one."""

from enum import StrEnum


class CatchUp(StrEnum):
    """What is run of what was due while no scheduler was there."""

    SKIP = "skip"
    ONE = "one"
    ALL = "all"


class RunState(StrEnum):
    """What became of a moment that a schedule was due at."""

    DUE = "due"
    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    FAILED = "failed"
