"""Why an asset may be rejected, by kind. Data with a version; a rating keeps the version it was made under."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field
from ruamel.yaml import YAML

from schemas.campaigns import Kind, Name
from schemas.frozen import Frozen


class RejectReason(Frozen):
    """One reason: what people read, and what models are told."""

    id: Name
    title: str
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    # Ends the sentence 'It was rejected because it ...'.
    told: str
    # What a picture model is led away from, if words can do that.
    avoid: str


class ReasonTable(Frozen):
    """All reasons, as one versioned document."""

    version: int
    reasons: tuple[RejectReason, ...]


def reasons() -> dict[str, RejectReason]:
    """Return every reason by its id, in the order of the file."""
    return {reason.id: reason for reason in reason_table().reasons}


def reasons_for(kind: Kind) -> dict[str, RejectReason]:
    """Return the reasons that an asset of this kind may be rejected for."""
    return {name: reason for name, reason in reasons().items() if kind in reason.kinds}


@cache
def reason_table() -> ReasonTable:
    """Return the document."""
    text = files("schemas").joinpath("data/reasons.yaml").read_text(encoding="utf-8")
    return ReasonTable.model_validate(YAML(typ="safe", pure=True).load(text))
