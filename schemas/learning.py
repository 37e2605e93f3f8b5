"""Learning from ratings: what a training reads, what it is told to do, and when it begins.

A snapshot is a file of JSON lines: a header, then what people think of each asset, then which of two they find better.
It names no person.
"""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator
from ruamel.yaml import YAML

from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.jobs import Brief
from schemas.versions import Sha256

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Strength = Annotated[float, Field(gt=0, le=1)]


class TrainingState(StrEnum):
    """How far a training is. Open ones are done by whoever holds their lease; the others are final."""

    OPEN = "open"
    # The gate let the challenger through, or kept it from serving; it is stored either way.
    PASSED = "passed"
    REFUSED = "refused"
    # There was not enough to learn from, or nothing new.
    SKIPPED = "skipped"
    FAILED = "failed"


class SnapshotHeader(Frozen):
    """The first line of a snapshot."""

    type: Literal["snapshot"] = "snapshot"
    version: Literal[1] = 1
    kind: Kind
    model: str
    ratings: Count
    comparisons: Count
    # People, and how many of them weigh anything.
    raters: Count
    trusted_raters: Count
    # How many referees weigh anything and said something of held-out products; nothing where there are none, and
    # everybody judges. Then it is not written: the same ratings give the bytes of times before there were referees.
    referees: Annotated[Count | None, Field(exclude_if=lambda count: count is None)] = None


class Opinion(Frozen):
    """What people think of one asset: how much better or worse than others they find it, and how much that counts."""

    type: Literal["opinion"] = "opinion"
    # The asset by its job, as long as its campaign is kept; alike ones are one opinion under the first of them.
    job_id: str
    product: Sha256
    is_held_out: bool
    brief: Brief
    text: str
    sha256: Sha256
    # From -1 to 1; without weight nobody that counts said anything of it by itself, and it is known by preferences.
    liking: Annotated[float, Field(ge=-1, le=1)]
    weight: Annotated[float, Field(ge=0)]


class Preference(Frozen):
    """One asset that people find better than another one."""

    type: Literal["preference"] = "preference"
    better: str
    worse: str
    product: Sha256
    is_held_out: bool
    weight: Positive


class RaterRules(Frozen):
    """How much a person counts, by how well they agree with the others."""

    # What is supposed of somebody of whom nothing is known, and how many shared assets that is worth.
    supposed_agreement: Share
    supposed_count: Positive
    # Of answers that tell things apart well enough; whoever always says the same has a spread of 0.
    full_spread: Positive
    rounds: Annotated[int, Field(ge=1, le=20)]
    # Below this a person counts nothing.
    least_weight: Share


class SnapshotRules(Frozen):
    """What is kept of the ratings."""

    held_out_share: Annotated[float, Field(gt=0, lt=1)]
    # How much of what people say of an asset must not cancel out; what they contradict each other on says nothing.
    least_agreement: Share
    # Two assets of a brief that are this far apart are a pair.
    least_gap: Share
    # Pairs that one asset is in: one that all others are compared with must not be all that is learnt.
    most_pairs_of_one: Annotated[int, Field(ge=1)]
    most_pairs: Annotated[int, Field(ge=1)]


class Needs(Frozen):
    """What there must be to learn from; with less a training learns noise."""

    opinions: Count
    pairs: Count
    held_out_pairs: Count
    held_out_products: Annotated[int, Field(ge=2)]


class Recipe(Frozen):
    """How a training goes."""

    epochs: Annotated[int, Field(ge=1, le=100)]
    pairs_a_step: Annotated[int, Field(ge=1)]
    learning_rate: Positive
    warm_up_steps: Count
    # How sharply two assets are told apart, and how much between them is enough: fluency of lines and pieces, of
    # pictures how much less noise is left than by the shipped weights.
    sharpness: Positive
    margin: Annotated[float, Field(ge=0)]
    # How much the better ones are learnt by heart beside it, which keeps the model a writer, or a painter.
    imitation: Annotated[float, Field(ge=0)]
    seed: int


class GateRules(Frozen):
    """What a challenger must show."""

    # How far of the way that its training went a challenger is taken, one after the other until it loses nothing.
    # A file that is older than this takes it whole.
    strengths: Annotated[tuple[Strength, ...], Field(min_length=1)] = (1.0,)
    # The chance that one that is no better passes, at whatever strength.
    error: Annotated[float, Field(gt=0, lt=0.5)]
    resamples: Annotated[int, Field(ge=100)]
    # Briefs of held-out products that both write anew.
    most_briefs: Annotated[int, Field(ge=1)]
    # What may be lost of the share of candidates that pass their checks, and of how various they are: distinct word
    # pairs of lines; of pictures and pieces how far apart they are, of pieces also what is new and in the scale.
    pass_rate_loss: Share
    distinct_loss: Share
    # By how much what nobody rates may become less likely than the shipped model finds it: nats a token of neutral
    # lines and tunes, of neutral pictures the part by which more noise is left.
    neutral_loss: Positive
    # How much longer one may take.
    slowdown: Annotated[float, Field(ge=1)]

    @field_validator("strengths")
    @classmethod
    def _fall_from_the_whole(cls, strengths: tuple[float, ...]) -> tuple[float, ...]:
        if strengths[0] != 1 or any(less >= more for more, less in pairwise(strengths)):
            raise ValueError("begin with 1 and give each strength once, the greater ones first")
        return strengths


class Triggers(Frozen):
    """When a training begins by itself."""

    check_seconds: Positive
    # So many ratings since the last snapshot.
    ratings: Annotated[int, Field(ge=1)]
    # Or so many days, if there were that many ratings.
    days: Positive
    ratings_of_the_clock: Annotated[int, Field(ge=1)]
    # Or the share of approval among the newest ratings has moved so far from the one before.
    drift: Positive
    ratings_of_drift: Annotated[int, Field(ge=2)]
    # Between two trainings, whatever happens.
    least_hours_between: Annotated[float, Field(ge=0)]


class Curriculum(Frozen):
    """All that decides what is learnt and when, as one versioned document."""

    version: int
    raters: RaterRules
    snapshot: SnapshotRules
    needs: Needs
    recipes: dict[Kind, Recipe]
    gate: GateRules
    # Of kinds that have rules of their own.
    gates: Annotated[dict[Kind, GateRules], Field(default_factory=dict)]
    triggers: Triggers

    def gate_of(self, kind: Kind) -> GateRules:
        """Return what a challenger of a kind must show."""
        return self.gates.get(kind, self.gate)


@cache
def curriculum() -> Curriculum:
    """Return the document that the factory comes with."""
    return parsed(files("schemas").joinpath("data/learning.yaml").read_text(encoding="utf-8"))


def parsed(text: str) -> Curriculum:
    """Return a document of one's own; raises ValidationError, or YAMLError for what is no YAML."""
    return Curriculum.model_validate(YAML(typ="safe", pure=True).load(text))
