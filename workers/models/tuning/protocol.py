"""How a model of any kind learns from preferences, and how the gate looks at what came of it.

Copy has a tuner; pictures and music may get one each behind the same protocol.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.jobs import Brief
from workers.models.protocol import Model


@dataclass(frozen=True)
class Judged:
    """An asset as a tuner knows it: what was asked for, and what was made."""

    brief: Brief
    text: str


@dataclass(frozen=True)
class Lesson:
    """Two assets of one product, the better one first, and how much that counts."""

    product: str
    better: Judged
    worse: Judged
    weight: float


# Told after every step: its number, how many there are, and its losses. What it raises ends the training, whose
# checkpoint stays.
Watch = Callable[[int, int, Mapping[str, float]], None]


class Contestant(Protocol):
    """One version of a model, loaded, as the gate looks at it."""

    @property
    def model(self) -> Model:
        """Return the model as it serves."""
        ...

    def likings(self, assets: Sequence[Judged]) -> list[float]:
        """Return how likely it finds each asset, in the units by which it chooses among candidates."""
        ...

    def neutral(self) -> float:
        """Return how likely it finds a token of assets that have nothing to do with any rating."""
        ...


class Tuner(Protocol):
    """Trains versions of one model, each a folder of files."""

    def tune(self, parent: Path | None, lessons: Sequence[Lesson], folder: Path, watch: Watch) -> Path:
        """Train from the version in the parent's folder (None: the shipped one); return the folder of the new one.

        `folder` keeps the state: a training that was killed goes on from there and ends with the same version.
        """
        ...

    def contestant(self, version: Path | None) -> Contestant:
        """Load the version of a folder, or the shipped one."""
        ...
