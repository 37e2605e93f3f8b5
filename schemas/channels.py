"""Channel specs: what a place of publication accepts. Data with a version, a source and a date; limits change."""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field
from ruamel.yaml import YAML

from schemas.campaigns import Kind
from schemas.frozen import Frozen


class Shape(StrEnum):
    """How long results of a channel are: jobs of one shape waste little of a shared batch."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


class Severity(StrEnum):
    """What breaking a limit means: the platform rejects the line, or shows only a part of it."""

    REJECTED = "rejected"
    CUT = "cut"


class ChannelSpec(Frozen):
    """The rules of one channel. Characters are counted as the platform counts them (code points)."""

    id: str
    kind: Kind
    title: str
    max_characters: Annotated[int, Field(gt=0)]
    severity: Severity
    # Below this a line is too thin to publish there: our own rule, not the platform's.
    min_characters: Annotated[int, Field(ge=0)]
    shape: Shape
    # Headlines are written in title case and end without a full stop; everything else is full sentences.
    headline: bool
    # What the model is asked to write: 'Google Search headline'.
    asks_for: str
    source: str
    checked_on: str


class ChannelTable(Frozen):
    """All channels, as one versioned document."""

    version: int
    channels: tuple[ChannelSpec, ...]


@cache
def channels() -> dict[str, ChannelSpec]:
    """Return every channel by its id, in the order of the file."""
    text = files("schemas").joinpath("data/channels.yaml").read_text(encoding="utf-8")
    table = ChannelTable.model_validate(YAML(typ="safe", pure=True).load(text))
    return {spec.id: spec for spec in table.channels}
