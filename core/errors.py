"""Every error that is raised on purpose, under one base; two branches decide what the queue does.

FactoryError
├── TransientError           tried again with backoff
│   ├── StorageError           S3 cannot be reached, or answers with a server error
│   ├── LedgerError            the database cannot be reached or is locked
│   ├── BrokerError            the broker cannot be reached
│   └── QuotaError             a tenant has asked for as much as it may
└── PermanentError           trying again does not mend it
    ├── CampaignFileError      a campaign file or product feed breaks the rules
    ├── ImpossibleWorkError    nothing here can make what was asked for
    ├── UnknownIdError         no such campaign, job, model, key or webhook
    ├── StateError             the thing is not in a state that allows this
    │   └── ReusedKeyError       an idempotency key was used for another call before
    ├── SettingsError          a setting is missing or wrong
    ├── OutdatedError          the ledger is of a newer or older version than this process
    ├── ModelLoadError         a model cannot be loaded from its reference
    ├── BrokenVersionError     a version of a model is damaged or does not fit it
    ├── CorruptAssetError      stored bytes do not match their sha256
    ├── CompositionError       an advertisement cannot be composed of its parts
    ├── FeedbackError          a rating or result cannot be recorded
    ├── ScheduleError          a schedule breaks the rules
    ├── ProvenanceError        a file whose provenance cannot be read or written
    ├── ArchiveError           a backup cannot be written or read
    └── RejectedError          no candidate of a job passed its checks
"""

from dataclasses import dataclass
from typing import Self


class FactoryError(Exception):
    """The base of all errors raised on purpose. Its text is shown to people as it stands."""


class TransientError(FactoryError):
    """Trying again later may mend it."""


class StorageError(TransientError):
    """S3 cannot be reached, or answers with a server error."""


class LedgerError(TransientError):
    """The database cannot be reached or is locked."""


class BrokerError(TransientError):
    """The broker cannot be reached."""


class QuotaError(TransientError):
    """A tenant has asked for as much as it may; says after how many seconds it may ask again."""

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(FactoryError):
    """Trying again does not mend it."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where it stands, what is wrong, and the way out. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    field: str
    message: str

    def __str__(self) -> str:
        """Return `file:line:column: field: message`, as compilers write it."""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.field}: {self.message}" if self.field else f"{place}: {self.message}"


class CampaignFileError(PermanentError):
    """A campaign file or product feed breaks the rules; holds every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class ImpossibleWorkError(PermanentError):
    """Nothing here can make what was asked for: no model for that kind, locale or size."""

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems

    @classmethod
    def of(cls, *problems: Problem) -> Self:
        """Return the error that tells these problems, a line each."""
        return cls("\n".join(map(str, problems)), problems)


class UnknownIdError(PermanentError):
    """No such campaign, job, model, key or webhook."""


class StateError(PermanentError):
    """The thing is not in a state that allows this."""


class ReusedKeyError(StateError):
    """An idempotency key was used for another call before."""


class SettingsError(PermanentError):
    """A setting is missing or wrong."""


class OutdatedError(PermanentError):
    """The ledger is of another version than this process: a newer process must take its place, or somebody migrates."""


class ModelLoadError(PermanentError):
    """A model cannot be loaded from its reference."""


class BrokenVersionError(PermanentError):
    """A version of a model is damaged in the store or does not fit its model, on every machine alike."""

    def __init__(self, version: str, message: str) -> None:
        super().__init__(message)
        self.version = version


class CorruptAssetError(PermanentError):
    """Stored bytes do not match the sha256 in their row."""


class CompositionError(PermanentError):
    """An advertisement cannot be composed of its parts: text too long, a character no font has, a broken picture."""


class FeedbackError(PermanentError):
    """A rating, comparison or result cannot be recorded; the text names the field and the way out."""


class ScheduleError(PermanentError):
    """A schedule breaks the rules; the text names the field and the way out."""


class ProvenanceError(PermanentError):
    """The provenance of a file cannot be read or written: its format is not known, or the signer refuses."""


class ArchiveError(PermanentError):
    """A backup cannot be written or read: another passphrase, damaged, cut off, or newer than this code."""


class RejectedError(PermanentError):
    """No candidate of a job passed its checks; the text says which check failed how often."""
