"""Versions of a model: what a training made, what the gate found, and what they are known by ever after.

A version is a set of weights that takes the place of those a model ships with, such as an adapter of its base.
"""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.campaigns import Kind
from schemas.frozen import Frozen

# Known by this for ever: the kind, the day of the training and a few characters of what it was trained on.
VersionId = Annotated[str, StringConstraints(pattern=r"^(copy|image|music)-[0-9]{8}-[0-9a-f]{8}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# The version that a model ships with; a pointer to it means that nothing trained serves.
SHIPPED = ""
# Files of versions lie below this, in a folder for each kind and version.
PREFIX = "versions/"
# What names the weights that made an asset, behind the last @ of its model; a hash where the weights were shipped.
_TRAINED = re.compile(r"@((?:copy|image|music)-[0-9]{8}-[0-9a-f]{8})$")
# Weights and their settings, nothing that could run.
FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(safetensors|json)$")


def name_of_version(model: str, version: str) -> str:
    """Return what assets say of the trained version that made them: `starter+house@copy-20261126-0a1b2c3d`."""
    return f"{model}@{version}"


def version_of(made_by: str) -> str:
    """Return the trained version that an asset says made it, SHIPPED where the model's own weights did."""
    found = _TRAINED.search(made_by)
    return found[1] if found else SHIPPED


class VersionFile(Frozen):
    """One file of a version, as it lies in the store below the version's prefix."""

    name: Annotated[str, StringConstraints(pattern=FILE_NAME.pattern)]
    sha256: Sha256
    length_bytes: Annotated[int, Field(ge=1)]


class Guardrail(Frozen):
    """Something a challenger may not lose, whatever people prefer: how often lines fit their channel, say."""

    name: str
    champion: float
    challenger: float
    # The challenger's figure must lie within these, whatever the champion's is.
    least: float | None = None
    most: float | None = None

    @property
    def is_kept(self) -> bool:
        """Return whether the challenger's figure lies within the bounds."""
        above = self.least is None or self.challenger >= self.least
        return above and (self.most is None or self.challenger <= self.most)


class Verdict(Frozen):
    """What the gate found when it held a challenger against the champion, on products that neither learnt from."""

    # Pairs of held-out preferences, and how many of them the challenger orders as people do; the champion likewise.
    preferences: Annotated[int, Field(ge=0)]
    challenger_agrees: Annotated[float, Field(ge=0, le=1)]
    champion_agrees: Annotated[float, Field(ge=0, le=1)]
    # Lower end of the bootstrap confidence interval of the difference, resampled by product.
    bound: Annotated[float, Field(ge=-1, le=1)]
    guardrails: tuple[Guardrail, ...] = ()
    # How far the challenger was taken of the way that its training went, 1 being all of it; and what was found of it at
    # the other strengths that were tried. Neither is written where it was taken whole and nothing else was tried.
    strength: Annotated[float, Field(gt=0, le=1, exclude_if=lambda strength: strength == 1)] = 1.0
    others: Annotated[tuple["Verdict", ...], Field(exclude_if=lambda others: not others)] = ()

    @property
    def is_passed(self) -> bool:
        """Return whether the challenger may serve."""
        return self.is_better and all(one.is_kept for one in self.guardrails)

    @property
    def is_better(self) -> bool:
        """Return whether it orders more pairs as people do, beyond doubt."""
        return self.bound > 0

    @property
    def tried(self) -> tuple["Verdict", ...]:
        """Return what was found at each strength that was tried, the greatest first."""
        return tuple(sorted((self, *self.others), key=lambda one: -one.strength))


class NewVersion(Frozen):
    """A version that a training made, with all that led to it."""

    id: VersionId
    kind: Kind
    # The name of the model it is a version of, as buckets have it: `starter+house`.
    model: str
    # The version it was trained on from, or SHIPPED.
    parent: str
    # Below this prefix of the factory's bucket lie the files.
    prefix: str
    files: tuple[VersionFile, ...]
    snapshot_key: str
    snapshot_sha256: Sha256
    # The version of this project that trained it.
    code: str
    metrics: dict[str, float]
    verdict: Verdict
    created_at: float
