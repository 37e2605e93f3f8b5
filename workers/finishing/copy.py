"""Finishing of copy: lines are repaired, then judged by the rules of their brief."""

import hashlib
from collections.abc import Collection

from schemas.assets import Check
from schemas.jobs import Job
from workers.checks import copy as rules
from workers.finishing.protocol import Finished
from workers.models.protocol import Sample


class CopyFinisher:
    """Finishes lines of copy."""

    is_small = True

    def finish(self, job: Job, sample: Sample, version: str) -> Finished:  # noqa: ARG002 - a line carries no metadata
        """Return the line, repaired."""
        return finished_line(rules.repair(sample.data.decode(), job.brief))

    def check(self, job: Job, finished: Finished) -> tuple[Check, ...]:
        """Judge the line."""
        return rules.check(finished.preview, job.brief)

    def is_near_duplicate(self, finished: Finished, taken: Collection[Finished]) -> bool:
        """Tell whether a reader would find that this was said before."""
        return rules.is_near_duplicate(finished.preview, [one.preview for one in taken])


def finished_line(text: str) -> Finished:
    """Return a line as it is delivered; lines that read the same have the same fingerprint."""
    fingerprint = hashlib.sha256(rules.fingerprint(text).encode()).hexdigest()
    return Finished(text.encode(), "text/plain; charset=utf-8", text, fingerprint)
