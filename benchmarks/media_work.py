"""Pictures, advertisements and music that are measured, and the headline and picture that all advertisements share."""

from collections.abc import Iterator, Mapping
from io import BytesIO

from benchmarks import work
from core.settings import Settings
from producer.music import shape_of
from producer.submit import LAYOUTS
from schemas.buckets import ANY_SHAPE, Bucket, model_name
from schemas.campaigns import Kind
from schemas.jobs import Brief, CreativeOrder, Input, Job, MusicOrder, PictureOrder
from schemas.pictures import picture_channels

CHANNEL = "iab.medium_rectangle"
MUSIC_CHANNEL = "music.ident"
SECONDS = 6
# Of one meter and speed, so that all pieces share batches.
MUSIC = MusicOrder(mood="upbeat", seconds=SECONDS)
CHANNELS = {Kind.COPY: work.CHANNEL, Kind.MUSIC: MUSIC_CHANNEL}
# The name of the model that made the parts, which nobody loads.
READY = "ready"
HEADLINE = "Slow mornings, freshly roasted"
ROLES = ("headline", "image")
STEPS = 2


def jobs(kind: Kind, campaign_id: str, count: int, settings: Settings) -> Iterator[Job]:
    """Yield jobs of a kind, the same ones every time; advertisements share their parts."""
    if kind == Kind.COPY:
        yield from work.jobs(campaign_id, count, settings.copy_model, settings.copy_adapter)
        return
    channel = picture_channels()[CHANNEL]
    bucket = Bucket(kind, LAYOUTS, ANY_SHAPE)
    if kind == Kind.IMAGE:
        model = model_name(settings.image_model, settings.image_adapter)
        bucket = Bucket(kind, model, f"{channel.width}x{channel.height}")
    if kind == Kind.MUSIC:
        bucket = Bucket(kind, settings.music_model, shape_of(MUSIC))
    inputs = tuple(Input(role=role, job_id=f"{campaign_id}-{role}") for role in ROLES) if kind == Kind.CREATIVE else ()
    for index in range(count):
        yield _job(f"{campaign_id}-{index:06d}", campaign_id, bucket, index, inputs)


def part_jobs(campaign_id: str) -> list[Job]:
    """Return the two jobs that every advertisement is made of."""
    buckets = (Bucket(Kind.COPY, READY, "short"), Bucket(Kind.IMAGE, READY, ANY_SHAPE))
    return [_job(f"{campaign_id}-{role}", campaign_id, bucket, 0) for role, bucket in zip(ROLES, buckets, strict=True)]


def parts() -> Mapping[str, bytes]:
    """Return the headline and the picture that every advertisement is made of, by role."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - plain Celery's parent needs none

    picture = Image.new("RGBA", (300, 250), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((60, 30, 240, 210), fill=(240, 120, 60, 255))
    file = BytesIO()
    picture.save(file, "PNG")
    return {"headline": HEADLINE.encode(), "image": file.getvalue()}


def _job(identity: str, campaign_id: str, bucket: Bucket, index: int, inputs: tuple[Input, ...] = ()) -> Job:
    is_creative = bucket.kind == Kind.CREATIVE
    brief = Brief(
        brand=work.BRAND.model_copy(update={"colors": ("#1F3A2E", "#F2C14E")}),
        # Each has a product of its own, so that no two are near-duplicates.
        product=work.product(index),
        audience=work.AUDIENCE,
        channel=CHANNELS.get(bucket.kind, CHANNEL),
        picture=PictureOrder(steps=STEPS) if bucket.kind == Kind.IMAGE else None,
        creative=CreativeOrder(layout="", call_to_action="Shop now") if is_creative else None,
        music=MUSIC if bucket.kind == Kind.MUSIC else None,
    )
    return Job(
        id=identity,
        campaign_id=campaign_id,
        kind=bucket.kind,
        bucket=str(bucket),
        brief=brief,
        # Advertisements walk through the layouts by their variant.
        variant=index % 6 if is_creative else 0,
        seed=index,
        inputs=inputs,
    )
