"""The trail of a person who rates: what was said last, so that it can be taken back step by step."""

import re
from dataclasses import dataclass

# An address holds it, and addresses have an end.
MOST_STEPS = 10
_STEP = re.compile(r"([a-z0-9-]{1,96})~([0-9a-f]{32})")


@dataclass(frozen=True)
class Step:
    """A rating that was sent: of which job, in which message."""

    job_id: str
    message_id: str


@dataclass(frozen=True)
class Trail:
    """The last steps, oldest first."""

    steps: tuple[Step, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Trail":
        """Read a trail; what is none in it is left out."""
        found = (_STEP.fullmatch(step) for step in text.split("."))
        return cls(tuple(Step(one[1], one[2]) for one in found if one))

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return ".".join(f"{step.job_id}~{step.message_id}" for step in self.steps)

    @property
    def last(self) -> Step | None:
        """Return the step that can be taken back."""
        return self.steps[-1] if self.steps else None

    @property
    def without_last(self) -> "Trail":
        """Return the trail before the last step."""
        return Trail(self.steps[:-1])

    def and_then(self, job_id: str, message_id: str) -> "Trail":
        """Return the trail with one more step; the oldest ones are forgotten."""
        return Trail((*self.steps, Step(job_id, message_id))[-MOST_STEPS:])
