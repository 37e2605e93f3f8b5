"""What routes answer: the records of the command line, as types from which the description of the API follows."""

from dataclasses import asdict
from typing import Annotated

from pydantic import Field, StringConstraints

from core.ledger.assets import Delivered
from core.ledger.campaigns import CampaignState, CampaignStatus
from core.ledger.jobs import JobStatus
from producer.progress import Snapshot
from schemas.assets import Location
from schemas.campaigns import Kind, Priority
from schemas.frozen import Frozen
from schemas.jobs import Brief, JobState

# Times are seconds since 1970 (UTC), as everywhere in the factory.
Moment = Annotated[float, Field(description="Seconds since 1970 (UTC).", examples=[1764143278.5])]
JobId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,95}$")]


class CampaignAnswer(Frozen):
    """A campaign and its jobs, counted."""

    campaign: Annotated[str, Field(description="Its id.", examples=["spring-roast-3b63ba18"])]
    name: str
    state: CampaignState
    state_reason: str
    priority: Priority
    submitted_jobs: int
    waiting: int
    leased: int
    done: int
    failed: int
    cancelled: int
    device_seconds: float
    created_at: Moment
    finished_at: Moment | None
    window: Annotated[str, Field(description="The times of day at which it is made, and their time zone; or empty.")]
    opens_at: Annotated[Moment | None, Field(description="When its window opens; null while it is open.")]

    @classmethod
    def of(cls, status: CampaignStatus) -> "CampaignAnswer":
        """Return a campaign as it is answered."""
        plain = asdict(status)
        spent = round(plain.pop("spent_device_seconds"), 3)
        return cls(campaign=plain.pop("id"), device_seconds=spent, **plain)


class CampaignPage(Frozen):
    """Campaigns, newest first."""

    campaigns: tuple[CampaignAnswer, ...]
    next_cursor: str | None


class SubmittedAnswer(Frozen):
    """What a submit did."""

    campaign: CampaignAnswer
    is_new: Annotated[bool, Field(description="False when the same campaign was there already.")]
    tickets_rung: Annotated[bool, Field(description="False when the broker is away; the jobs start when it is back.")]


class ChannelAnswer(Frozen):
    """The jobs of one channel by state."""

    channel: str
    waiting: int
    leased: int
    done: int
    failed: int
    cancelled: int
    device_seconds: float


class MadeAnswer(Frozen):
    """One of the assets made last."""

    job: str
    channel: str
    sku: str
    preview: str
    created_at: Moment


class ProgressAnswer(Frozen):
    """How a campaign goes at this moment."""

    at: Moment
    campaign: CampaignAnswer
    jobs_per_second: float | None
    seconds_left: float | None
    channels: tuple[ChannelAnswer, ...]
    newest: tuple[MadeAnswer, ...]

    @classmethod
    def of(cls, current: Snapshot) -> "ProgressAnswer":
        """Return a moment of a campaign as it is answered."""
        channels = (
            ChannelAnswer(
                channel=one.channel,
                device_seconds=round(one.device_seconds, 3),
                **{state.value: count for state, count in one.states.items()},
            )
            for one in current.channels
        )
        newest = (
            MadeAnswer(job=one.job_id, channel=one.channel, sku=one.sku, preview=one.preview, created_at=one.created_at)
            for one in current.newest
        )
        return cls(
            at=current.at,
            campaign=CampaignAnswer.of(current.status),
            jobs_per_second=current.jobs_per_second,
            seconds_left=current.seconds_left,
            channels=tuple(channels),
            newest=tuple(newest),
        )


class JobAnswer(Frozen):
    """A job, where it stands, and what last went wrong with it."""

    job: Annotated[str, Field(description="Its id.", examples=["spring-roast-3b63ba18-000007"])]
    campaign: str
    kind: Kind
    state: JobState
    bucket: str
    variant: Annotated[int, Field(description="Counts from 1.")]
    seed: int
    brief: Brief
    attempts: int
    errors: int
    losses: int
    error_code: str | None
    error: str | None
    device_seconds: float
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @classmethod
    def of(cls, status: JobStatus) -> "JobAnswer":
        """Return a job as it is answered; which worker held it is nobody's business outside."""
        plain = {name: value for name, value in vars(status).items() if name not in {"job", "worker"}}
        plain["device_seconds"] = round(status.device_seconds, 3)
        job = status.job
        told = {"kind": job.kind, "bucket": job.bucket, "variant": job.variant + 1, "seed": job.seed}
        return cls(job=job.id, campaign=job.campaign_id, brief=job.brief, **told, **plain)


class JobPage(Frozen):
    """Jobs, in the order of their plan."""

    jobs: tuple[JobAnswer, ...]
    next_cursor: str | None


class AssetAnswer(Frozen):
    """An accepted result. `GET /v1/jobs/JOB/link` gives a link to its bytes."""

    job: str
    campaign: str
    kind: Kind
    sku: str
    channel: str
    audience: str
    variant: Annotated[int, Field(description="Counts from 1.")]
    content_type: str
    preview: Annotated[str, Field(description="The line of copy; of anything else, what it shows.")]
    location: Location
    model: str
    device_seconds: float
    created_at: Moment

    @classmethod
    def of(cls, one: Delivered) -> "AssetAnswer":
        """Return an asset as it is answered."""
        return cls(
            job=one.asset.job_id,
            campaign=one.asset.campaign_id,
            kind=one.kind,
            sku=one.sku,
            channel=one.channel,
            audience=one.audience_id,
            variant=one.variant + 1,
            content_type=one.asset.content_type,
            preview=one.asset.preview,
            location=one.asset.location,
            model=one.asset.model,
            device_seconds=round(one.asset.device_seconds, 3),
            created_at=one.created_at,
        )


class AssetPage(Frozen):
    """Assets, in the order of the plan."""

    assets: tuple[AssetAnswer, ...]
    next_cursor: str | None


class FailureAnswer(Frozen):
    """How a job ended in an error once."""

    at: Moment
    attempt: int
    code: str
    message: str


class ActionAnswer(Frozen):
    """What somebody did to a job."""

    at: Moment
    actor: str
    action: str


class JobDetails(Frozen):
    """All there is about one job."""

    job: JobAnswer
    preview: Annotated[str | None, Field(description="The line of copy, when it is done.")]
    failures: tuple[FailureAnswer, ...]
    actions: tuple[ActionAnswer, ...]


class LinkAnswer(Frozen):
    """A link with which anybody can read the object until it ends. Lines of copy share objects: mind the bytes."""

    link: str
    seconds: int
    first_byte: int
    last_byte: int
    content_type: str
    sha256: str


class CancelledAnswer(Frozen):
    """What a cancel did."""

    campaign: CampaignAnswer
    ended_jobs: int


class RetriedAnswer(Frozen):
    """How many dead letters wait again."""

    campaign: str
    retried: int
