"""How a model of any kind learns from preferences, and how the gate looks at what came of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from schemas.jobs import Brief
from workers.models.protocol import Model


@dataclass(frozen=True)
class Judged:
    """An asset as a tuner knows it: what was asked for, and what was made."""

    brief: Brief
    text: str
    # How it was made, by its manifest, and a file with its bytes: of kinds whose text does not say all.
    recipe: Mapping[str, JsonValue] = field(default_factory=dict)
    file: Path | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Lesson:
    """Two assets of one product, the better one first, and how much that counts."""

    product: str
    better: Judged
    worse: Judged
    weight: float


@dataclass(frozen=True)
class Place:
    """Where and in which numbers a model is computed."""

    device: str = "auto"
    dtype: str = "auto"
    threads: int = 0


# Told after every step: its number, how many there are, and its losses. What it raises ends the training, whose
# checkpoint stays.
Watch = Callable[[int, int, Mapping[str, float]], None]
# Asked between long things before the first step. What it raises ends the training, too.
EndIfStopped = Callable[[], None]


def never_stopped() -> None:
    """Let a training go on."""


class Contestant(Protocol):
    """One version of a model, loaded, as the gate looks at it."""

    @property
    def model(self) -> Model:
        """Return the model as it serves."""
        ...

    def likings(self, assets: Sequence[Judged]) -> list[float]:
        """Return how likely it finds each asset, in the unit that its training moves."""
        ...

    def neutral(self) -> float:
        """Return how likely it finds what has nothing to do with any rating."""
        ...


class Tuner(Protocol):
    """Trains versions of one model, each a folder of files."""

    def tune(
        self,
        parent: Path | None,
        lessons: Sequence[Lesson],
        folder: Path,
        watch: Watch,
        end_if_stopped: EndIfStopped = never_stopped,
    ) -> Path:
        """Train from the version in the parent's folder (None: the shipped one); return the folder of the new one.

        `folder` keeps the state: a training that was killed goes on from there and ends with the same version.
        """
        ...

    def weakened(self, folder: Path, strength: float) -> Path:
        """Return the folder of the version that was trained in `folder`, so far on the way that its training went.

        1 is all of the way; what the training began with would be 0.
        """
        ...

    def contestant(self, version: Path | None) -> Contestant:
        """Load the version of a folder, or the shipped one."""
        ...
