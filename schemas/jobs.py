"""Jobs: one asset to be made, and the states it passes on its way."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.campaigns import Audience, Brand, Kind, Priority, Product
from schemas.frozen import Frozen


class JobState(StrEnum):
    """Where a job stands. Waiting and leased are open; the other three are final until a person retries."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Style(StrEnum):
    """How a line of copy approaches its reader; variants of one brief walk through the styles."""

    BENEFIT = "benefit"
    QUESTION = "question"
    MOMENT = "moment"
    DETAIL = "detail"
    ACTION = "action"


class Brief(Frozen):
    """All that a model is told about one asset."""

    brand: Brand
    product: Product
    audience: Audience
    channel: str
    locale: str = "en"
    style: Style = Style.BENEFIT


class Job(Frozen):
    """One asset to be made; id, seed and bucket follow from the campaign, so that a plan made twice is the same."""

    id: str
    campaign_id: str
    kind: Kind
    # Jobs of one bucket can share a batch: kind, model and shape, e.g. `copy/starter/short`.
    bucket: str
    brief: Brief
    variant: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]


class LeasedJob(Frozen):
    """A job as a worker holds it."""

    job: Job
    attempt: Annotated[int, Field(ge=1)]
    priority: Priority
    submitted_at: float
