"""Styles: how a line of copy approaches its reader, and what was known of styles when one was chosen for a job."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.frozen import Frozen

Share = Annotated[float, Field(ge=0, le=1)]


class Style(StrEnum):
    """How a line of copy approaches its reader; variants of one brief walk through the styles."""

    BENEFIT = "benefit"
    QUESTION = "question"
    MOMENT = "moment"
    DETAIL = "detail"
    ACTION = "action"


class Arm(Frozen):
    """A style that may be chosen: how its lines were received, and its part of the next choices."""

    style: Style
    # Answers about its lines for this channel and audience, as so many independent ones of today.
    answers: Annotated[float, Field(ge=0)]
    # The beta distribution of the share of yes, with what the channel and all lines say in it.
    yes: Annotated[float, Field(gt=0)]
    no: Annotated[float, Field(gt=0)]
    share: Share


class Posterior(Frozen):
    """What was known of the styles of one model for a channel and an audience: a choice follows from it and its job."""

    model: str
    channel: str
    audience_id: str
    # The part of the choices that each style has at least.
    least_share: Share
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
