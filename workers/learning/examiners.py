"""What is looked at in a new candidate, by kind: whether it passes its checks, is unsafe, and how various several are.

Candidates are looked at as models make them: nothing is signed or stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Protocol

from schemas.campaigns import Kind
from schemas.jobs import Job
from workers.checks.copy import check
from workers.checks.words import words_of
from workers.models.protocol import Sample

# Rules whose breach is a danger, not a flaw.
UNSAFE_RULES = frozenset({"banned_words", "unsafe"})
LIKENESS_BITS = 64


@dataclass(frozen=True)
class Findings:
    """What was found of one candidate."""

    is_passed: bool
    is_unsafe: bool
    # What several are compared by: the line itself, or a likeness.
    shown: str
    # What else is worth something, each from 0 to 1, more being better.
    shares: Mapping[str, float] = field(default_factory=dict)


class Examiner(Protocol):
    """Looks at candidates of one kind."""

    kind: Kind
    # What it calls the figure of how various candidates are, and that of how likely a version finds neutral things.
    variety: str
    neutral: str

    def look(self, job: Job, sample: Sample) -> Findings:
        """Judge one candidate."""
        ...

    def various(self, shown: Sequence[str]) -> float:
        """Return how various candidates are, from 0 to 1."""
        ...


class CopyExaminer:
    """Looks at lines."""

    kind, variety, neutral = Kind.COPY, "distinct_pairs", "neutral_log_p"

    def look(self, job: Job, sample: Sample) -> Findings:
        """Judge a line by every rule of its channel."""
        text = sample.data.decode()
        broken = {one.name for one in check(text, job.brief) if not one.passed}
        return Findings(not broken, bool(broken & UNSAFE_RULES), text)

    def various(self, shown: Sequence[str]) -> float:
        """Return the share of different word pairs."""
        return distinct_pairs(shown)


def distinct_pairs(texts: Sequence[str]) -> float:
    """Return the share of different ones among all pairs of neighbouring words; 1 where there are none."""
    pairs = [pair for text in texts for pair in pairwise(words_of(text.lower()))]
    return len(set(pairs)) / len(pairs) if pairs else 1.0


def mean_distance(likenesses: Sequence[str]) -> float:
    """Return the mean share of bits by which two likenesses differ; 1 where there are no two."""
    numbers = [int(one, 16) for one in likenesses]
    bits = [(one ^ other).bit_count() for one, other in combinations(numbers, 2)]
    return sum(bits) / len(bits) / LIKENESS_BITS if bits else 1.0
