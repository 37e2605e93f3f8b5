"""What every model family offers, and what it hands back: candidates for each job, best first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from schemas.jobs import Job

# What jobs are made of: the bytes of each of a job's inputs, by job id and role. Most kinds are made of nothing.
Parts = Mapping[str, Mapping[str, bytes]]
NO_PARTS: Parts = {}


@dataclass(frozen=True)
class File:
    """Bytes of a format: what stands behind their name, and their media type."""

    ending: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class Sample:
    """One candidate for a job: encoded bytes, how good the model thinks it is, and how it was made."""

    data: bytes
    content_type: str
    score: float
    recipe: dict[str, JsonValue]
    # Why the model itself advises against it; empty when nothing does.
    refused: str = ""
    # What only the model can make beside it, such as the notes of a recording.
    companions: tuple[File, ...] = ()


class Model(Protocol):
    """One loaded set of weights on one device. Knows nothing of queues, buckets or tables."""

    version: str
    device: str

    def generate(self, jobs: Sequence[Job], attempt: int, parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return the candidates of each job, best first, in the order of the jobs.

        The same job and attempt give the same candidates in any batch. A higher attempt (from 1) gives other ones.
        Raises what torch raises; running out of memory leaves the model usable.
        """
        ...
