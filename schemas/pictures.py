"""Picture channels: sizes and rules of places that take pictures. Data with a version, a source and a date."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field
from ruamel.yaml import YAML

from schemas.frozen import Frozen

Part = Annotated[float, Field(ge=0, le=0.4)]


class Margins(Frozen):
    """Parts of width or height that the place covers with its own buttons: nothing that matters stands there."""

    top: Part = 0.0
    right: Part = 0.0
    bottom: Part = 0.0
    left: Part = 0.0


class PictureChannel(Frozen):
    """The rules of one place. Pixels are those of the delivered file."""

    id: str
    title: str
    width: Annotated[int, Field(ge=16, le=8192)]
    height: Annotated[int, Field(ge=16, le=8192)]
    # The formats that the place takes, the best for a finished advertisement first.
    formats: Annotated[tuple[Literal["jpeg", "png", "webp"], ...], Field(min_length=1)]
    max_bytes: Annotated[int, Field(gt=0)]
    margins: Margins = Margins()
    source: str
    checked_on: str


class PictureChannelTable(Frozen):
    """All picture channels, as one versioned document."""

    version: int
    channels: tuple[PictureChannel, ...]


@cache
def picture_channels() -> dict[str, PictureChannel]:
    """Return every picture channel by its id, in the order of the file."""
    text = files("schemas").joinpath("data/pictures.yaml").read_text(encoding="utf-8")
    table = PictureChannelTable.model_validate(YAML(typ="safe", pure=True).load(text))
    return {channel.id: channel for channel in table.channels}
