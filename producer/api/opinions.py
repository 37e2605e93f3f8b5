"""What is said of assets over HTTP, and what it adds up to: bodies and answers."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from core.estimates import Estimate
from core.ledger.ratings import KeptRating
from core.ledger.scores import AssetScore, GroupScore, Score
from core.ledger.tallies import Standing
from producer.api.answers import JobId, Moment
from producer.api.problems import Fault
from producer.regenerate import Regenerated
from schemas.campaigns import Kind, Name
from schemas.frozen import Frozen
from schemas.jobs import JobState
from schemas.ratings import Comment, Outcome, Rater
from schemas.styles import Style

# As JSON has them: "5" is no number and 1 is no yes.
StrictStars = Annotated[int, Field(ge=1, le=5, strict=True, description="1 is bad, 5 is excellent.")]
StrictAnswer = Annotated[bool, Field(strict=True, description="Accept it, or do not.")]
Reason = Annotated[Name, Field(description="Why it is rejected, from the list: `factory ratings reasons`.")]
Named = Annotated[
    Rater | None, Field(description="Who says it: the name of the key, if not given; others need the role producer.")
]


class RatingOrder(Frozen):
    """What a person thinks of an asset: stars, a yes or no, or both; a no may have a reason."""

    stars: StrictStars | None = None
    approves: StrictAnswer | None = None
    reason: Reason | None = None
    comment: Comment = ""
    rater: Named = None


class RatingLine(RatingOrder):
    """One of many ratings."""

    job: JobId


class ComparisonOrder(Frozen):
    """How an asset compares with another one of its kind."""

    other_job: JobId
    outcome: Annotated[Outcome, Field(description="What the job in the address is, compared with the other one.")]
    comment: Comment = ""
    rater: Named = None


class RegenerateOrder(Frozen):
    """Why an asset is made anew; with a reason it is rejected for it first."""

    reason: Reason | None = None
    rater: Named = None


class SaidAnswer(Frozen):
    """Feedback that will not be lost: recorded already, on its way, or kept until the broker is back."""

    message: str
    job: str
    rater: str
    is_sent: bool
    is_recorded: bool


class RefusedLine(Frozen):
    """A rating that cannot be recorded: its place in the list, counted from 0, and what is wrong with it."""

    index: int
    problem: Fault


class ManySaidAnswer(Frozen):
    """What became of many ratings: those that were accepted will not be lost."""

    accepted: int
    refused: tuple[RefusedLine, ...]
    is_sent: Annotated[bool, Field(description="False when the broker is away; they are recorded when it is back.")]


class RatingAnswer(Frozen):
    """One rating as it was given."""

    message: str
    rater: str
    stars: int | None
    approves: bool | None
    reason: str | None
    comment: str
    rated_at: Moment
    is_current: Annotated[bool, Field(description="Whether it counts: each person's latest one does.")]

    @classmethod
    def of(cls, one: KeptRating) -> "RatingAnswer":
        """Return a rating as it is answered."""
        plain = {name: getattr(one, name) for name in cls.model_fields if name != "message"}
        return cls(message=one.message_id, **plain)


class RatingPage(Frozen):
    """The ratings of an asset, newest first, and what follows from them."""

    job: str
    standing: Standing
    ratings: tuple[RatingAnswer, ...]
    next_cursor: str | None


class EstimateAnswer(Frozen):
    """The likeliest value, and where the true one is with a probability of 95 %."""

    value: float
    low: float
    high: float


class ScoreAnswer(Frozen):
    """Counts, and estimates where there is something to estimate from."""

    counts: Mapping[str, float]
    stars: EstimateAnswer | None
    approval: EstimateAnswer | None
    click_rate: EstimateAnswer | None

    @classmethod
    def of(cls, score: Score) -> "ScoreAnswer":
        """Return a score as it is answered."""
        measured = {name: _estimate(getattr(score, name)) for name in ("stars", "approval", "click_rate")}
        return cls(counts=score.counts, **measured)


class GroupAnswer(Frozen):
    """The score of the assets of one kind that have something in common."""

    by: Annotated[str, Field(description="kind, channel, audience or style.")]
    kind: Kind
    name: str
    score: ScoreAnswer

    @classmethod
    def of(cls, one: GroupScore) -> "GroupAnswer":
        """Return a group as it is answered."""
        return cls(by=one.by, kind=one.kind, name=one.name, score=ScoreAnswer.of(one.score))


class AssetScoreAnswer(Frozen):
    """The score of one asset."""

    job: str
    kind: Kind
    channel: str
    standing: Standing
    preview: str
    score: ScoreAnswer

    @classmethod
    def of(cls, one: AssetScore) -> "AssetScoreAnswer":
        """Return a scored asset as it is answered."""
        return cls(
            job=one.job_id,
            kind=one.kind,
            channel=one.channel,
            standing=one.standing,
            preview=one.preview,
            score=ScoreAnswer.of(one.score),
        )


class ScoresAnswer(Frozen):
    """What the ratings of a campaign add up to."""

    campaign: str
    groups: tuple[GroupAnswer, ...]
    reasons: Annotated[Mapping[str, int], Field(description="How often each reason is given for what is rejected.")]
    assets: tuple[AssetScoreAnswer, ...]


class RegeneratedAnswer(Frozen):
    """The job that makes an asset anew, and the jobs that stay made of the old one."""

    job: str
    replaces: str
    reason: str
    is_new: Annotated[bool, Field(description="False when it was asked for before.")]
    state: JobState
    style: Style | None
    made_of_old: tuple[str, ...]

    @classmethod
    def of(cls, made: Regenerated) -> "RegeneratedAnswer":
        """Return a replacement as it is answered."""
        plain = {name: value for name, value in vars(made).items() if name != "job_id"}
        return cls(job=made.job_id, **plain)


class ForgottenAnswer(Frozen):
    """How many ratings and comparisons of a person were deleted."""

    deleted: int


def _estimate(found: Estimate | None) -> EstimateAnswer | None:
    return EstimateAnswer(**vars(found)) if found else None
