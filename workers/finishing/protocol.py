"""What the finishing of every kind offers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from schemas.assets import Check
from schemas.jobs import Job
from workers.models.protocol import File, Sample


@dataclass(frozen=True)
class Finished:
    """A result as it would be delivered."""

    data: bytes
    content_type: str
    # What lists show of it: the line itself, or in words what a picture shows.
    preview: str
    # Equal fingerprints are the same asset to a person; unique within a campaign.
    fingerprint: str
    # What near-duplicates are found by; empty for copy, whose lines are compared themselves.
    likeness: str = ""
    # The same in other formats, and what signs them.
    companions: tuple[File, ...] = ()
    # How it was made, where checks ask for that.
    recipe: Mapping[str, JsonValue] = field(default_factory=dict)


class Finisher(Protocol):
    """Finishes and judges the results of one kind."""

    # Whether the results of a batch share one object in the store: a put costs more than a line of text.
    is_small: bool

    def finish(self, job: Job, sample: Sample, version: str) -> Finished:
        """Return the sample as it would be delivered; `version` is the model's, for the file's own provenance."""
        ...

    def check(self, job: Job, finished: Finished) -> tuple[Check, ...]:
        """Judge a finished result by every rule of its kind."""
        ...

    def is_near_duplicate(self, finished: Finished, taken: Collection[Finished]) -> bool:
        """Tell whether a person would find that the product has this already."""
        ...
