"""Music channels: what music is made for, and how long it may be there. Data with a version, a source and a date."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field
from ruamel.yaml import YAML

from schemas.frozen import Frozen

LEAST_SECONDS, MOST_SECONDS = 5.0, 60.0
# Pixels of the picture that shows what a piece sounds like.
PICTURE_WIDTH, PICTURE_HEIGHT = 960, 380

Seconds = Annotated[float, Field(ge=LEAST_SECONDS, le=MOST_SECONDS)]


class MusicChannel(Frozen):
    """The lengths that one use of music takes; `seconds` where a deliverable says none."""

    id: str
    title: str
    seconds: Seconds
    least_seconds: Seconds
    most_seconds: Seconds
    # Nothing where no platform sets the limits.
    source: str | None
    checked_on: str


class MusicChannelTable(Frozen):
    """All music channels, as one versioned document."""

    version: int
    channels: tuple[MusicChannel, ...]


@cache
def music_channels() -> dict[str, MusicChannel]:
    """Return every music channel by its id, in the order of the file."""
    text = files("schemas").joinpath("data/music.yaml").read_text(encoding="utf-8")
    table = MusicChannelTable.model_validate(YAML(typ="safe", pure=True).load(text))
    return {channel.id: channel for channel in table.channels}
