"""Feedback: what people think of assets, and what became of them in the world. One message for all of it.

An asset is known by the id of its job. Messages may come twice, late and in any order: the id says which are the same,
`at` which one is the latest.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Name
from schemas.frozen import Frozen

VERSION = 1
MOST_COMMENT_CHARACTERS = 2000
MOST_STARS = 5
# What a database counts with, and more than anybody shows an advertisement.
MOST_COUNTED = 10**12

# A message is known by this for ever; whoever sends one again uses it again.
MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
JobId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$")]
# Any name, on one line.
Rater = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Comment = Annotated[str, StringConstraints(max_length=MOST_COMMENT_CHARACTERS, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Stars = Annotated[int, Field(ge=1, le=MOST_STARS)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Count = Annotated[int, Field(ge=0, le=MOST_COUNTED)]


def what_is_wrong(error: ValidationError) -> str:
    """Return what is wrong with feedback, each problem with the field that it is about, as one line."""
    problems = (
        f"{'.'.join(map(str, one['loc'])) or 'message'}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return "; ".join(problems)


class Rating(Frozen):
    """What one person thinks of one asset: stars, a yes or no, or both; a no may have a reason from the list.

    A withdrawn one takes back what the person said before, and says nothing instead.
    """

    type: Literal["rating"] = "rating"
    job_id: JobId
    stars: Stars | None = None
    approves: bool | None = None
    reason: Name | None = None
    comment: Comment = ""
    is_withdrawn: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.is_withdrawn:
            if self.stars is not None or self.approves is not None or self.reason is not None or self.comment:
                raise ValueError("a rating that is withdrawn says nothing else")
            return self
        if self.stars is None and self.approves is None:
            raise ValueError("a rating has stars, or approves or rejects")
        if self.reason is not None and self.approves is not False:
            raise ValueError("a reason belongs to a rejection: set approves to false")
        return self


class Outcome(StrEnum):
    """How an asset compares with another one."""

    BETTER = "better"
    WORSE = "worse"
    TIE = "tie"


class Comparison(Frozen):
    """Which of two assets one person finds better."""

    type: Literal["comparison"] = "comparison"
    job_id: JobId
    other_job_id: JobId
    outcome: Outcome
    comment: Comment = ""

    @model_validator(mode="after")
    def _has_two(self) -> Self:
        if self.job_id == self.other_job_id:
            raise ValueError("an asset cannot be compared with itself")
        return self


class Results(Frozen):
    """What became of one asset where it was published: on one day, or until now. The same place and day replace."""

    type: Literal["results"] = "results"
    job_id: JobId
    # Where it was published: 'google-ads'.
    source: Name
    # Days add up; without one, these are the totals until now.
    day: Day | None = None
    impressions: Count = 0
    clicks: Count = 0
    # Platforms share a conversion among several advertisements.
    conversions: Annotated[float, Field(ge=0, le=MOST_COUNTED, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.clicks > self.impressions:
            raise ValueError("clicks cannot be more than impressions")
        return self


Content = Annotated[Rating | Comparison | Results, Field(discriminator="type")]


class Feedback(Frozen):
    """The message on the queue `feedback`."""

    version: Literal[1] = 1
    id: MessageId
    tenant: Name = DEFAULT_TENANT
    rater: Rater
    # Seconds since 1970 (UTC), by the sender's clock.
    at: Annotated[float, Field(ge=0, lt=1e11, allow_inf_nan=False)]
    content: Content


class Envelope(Frozen):
    """What a message of any version says of itself, so that one that cannot be read can be kept and sent again."""

    model_config = ConfigDict(extra="ignore")

    id: MessageId
    tenant: Name = DEFAULT_TENANT
    rater: Rater
