"""Jobs: one asset to be made, and the states it passes on its way."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.campaigns import Audience, Bpm, Brand, Energy, Kind, Product
from schemas.frozen import Frozen
from schemas.music import LEAST_SECONDS, MOST_SECONDS
from schemas.styles import Style


class JobState(StrEnum):
    """Where a job stands. Waiting and leased are open; the other three are final until a person retries."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PictureOrder(Frozen):
    """What a picture shall show, besides the product."""

    # How it looks: 'soft 3D illustration', 'studio photograph on white'.
    look: Annotated[str, Field(max_length=300)] = ""
    # Replaces the subject that follows from the product.
    prompt: Annotated[str, Field(max_length=2000)] = ""
    negative: Annotated[str, Field(max_length=1000)] = ""
    # Denoising steps and guidance scale; the model's own when not given.
    steps: Annotated[int, Field(ge=1, le=500)] | None = None
    guidance: Annotated[float, Field(ge=0, le=50)] | None = None


class CreativeOrder(Frozen):
    """How a finished advertisement is composed of its parts."""

    layout: str
    call_to_action: Annotated[str, Field(max_length=40)] = ""
    # Key of the logo in the bucket.
    logo: str = ""


class MusicOrder(Frozen):
    """What a piece of music shall be like; what is not given follows from the mood, the key from the seed."""

    mood: Annotated[str, Field(max_length=200)]
    seconds: Annotated[float, Field(ge=LEAST_SECONDS, le=MOST_SECONDS)]
    # 1 is calm, 5 is busy.
    energy: Energy | None = None
    # Beats a minute.
    bpm: Bpm | None = None
    meter: Annotated[str, Field(max_length=200)] | None = None
    # 'D', 'F# minor'.
    key: Annotated[str, Field(max_length=200)] | None = None
    instruments: tuple[str, ...] = ()
    is_loop: bool = False


class Revision(Frozen):
    """What was wrong with the assets that a job makes anew: models are told, and it is not made again."""

    # The job whose asset is replaced by this one's.
    replaces: str
    # 1 makes the first asset anew, 2 the one that replaced it, and so on.
    round: Annotated[int, Field(ge=1)]
    # Of the list, one for each round.
    reasons: tuple[str, ...]
    # The lines of all rounds so far; empty for what is no line.
    rejected: tuple[str, ...] = ()


class Brief(Frozen):
    """All that a model is told about one asset."""

    brand: Brand
    product: Product
    audience: Audience
    channel: str
    locale: str = "en"
    style: Style = Style.BENEFIT
    picture: PictureOrder | None = None
    creative: CreativeOrder | None = None
    music: MusicOrder | None = None
    revision: Revision | None = None


class Input(Frozen):
    """A job whose asset another one is made of, and the part that it plays there: 'headline', 'image'."""

    role: str
    job_id: str


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
    # What must be done before this job can be; of several for one role the first that does not fail.
    inputs: tuple[Input, ...] = ()
    # Until it is claimed first: the styles of which one is chosen then, in the place of the one in the brief.
    open_styles: tuple[Style, ...] = ()
