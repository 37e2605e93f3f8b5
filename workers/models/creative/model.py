"""The creative family, whole: composes the headline and the picture of other jobs into a finished advertisement."""

import hashlib
from collections.abc import Mapping, Sequence
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import JsonValue

from core.errors import CompositionError
from schemas.jobs import Job
from schemas.layouts import DATA, layouts
from schemas.pictures import picture_channels
from workers.models.creative.compose import Composition, compose, layout_named
from workers.models.creative.encode import encode
from workers.models.creative.typeset import FONTS, Weight
from workers.models.protocol import NO_PARTS, Parts, Sample
from workers.signing.signer import MARK_BYTES

FORMATS = ("PNG", "JPEG", "WEBP")
# More than any place takes; a small file can claim to be a picture that fills the memory.
MOST_PIXELS = 64_000_000


class CreativeModel:
    """Composes on the processor; its version follows from the layouts and fonts."""

    device = "cpu"

    def __init__(self) -> None:
        digest = hashlib.sha256(DATA.read_bytes())
        for weight in Weight:
            digest.update(FONTS.joinpath(weight).read_bytes())
        self.version = f"layouts-{digest.hexdigest()[:8]}"

    def generate(self, jobs: Sequence[Job], attempt: int, parts: Parts = NO_PARTS) -> list[list[Sample]]:
        """Return one advertisement for each job; each attempt takes the next layout.

        Parts are those of each job by its id: 'headline' in UTF-8, 'image', and 'logo' if there is one.
        """
        return [[_sample(job, attempt, parts.get(job.id, {}))] for job in jobs]


def _sample(job: Job, attempt: int, parts: Mapping[str, bytes]) -> Sample:
    order = _composition(job, attempt, parts)
    # The signature that is put on later needs room in the file, too.
    room = order.channel.model_copy(update={"max_bytes": order.channel.max_bytes - MARK_BYTES})
    data, content_type = encode(compose(order), room)
    recipe: dict[str, JsonValue] = {
        "layout": order.layout,
        "headline": order.headline,
        "call_to_action": order.call_to_action,
        "colors": [*order.colors],
        "seed": order.seed,
    }
    return Sample(data, content_type, score=1.0, recipe=recipe)


def _composition(job: Job, attempt: int, parts: Mapping[str, bytes]) -> Composition:
    brief = job.brief
    if brief.creative is None:
        raise CompositionError(f"job {job.id} does not say how its advertisement is composed: it has no layout")
    if brief.channel not in picture_channels():
        raise CompositionError(f"'{brief.channel}' takes no pictures: choose one of {', '.join(picture_channels())}")
    logo = parts.get("logo")
    return Composition(
        channel=picture_channels()[brief.channel],
        layout=_layout(brief.creative.layout, job.variant if not brief.creative.layout else 0, attempt),
        headline=_text(parts, "headline"),
        call_to_action=brief.creative.call_to_action,
        brand_name=brief.brand.name,
        colors=brief.brand.colors,
        picture=opened(_part(parts, "image"), "image"),
        logo=opened(logo, "logo") if logo is not None else None,
        seed=job.seed,
    )


def _layout(name: str, variant: int, attempt: int) -> str:
    """Return the layout: the one asked for or that of the variant; a further attempt takes the next in the file."""
    names = list(layouts())
    if name:
        layout_named(name)
    first = names.index(name) if name else variant
    return names[(first + attempt - 1) % len(names)]


def _part(parts: Mapping[str, bytes], role: str) -> bytes:
    if role not in parts:
        raise CompositionError(f"the advertisement has no {role}: the job that should make it gave nothing")
    return parts[role]


def _text(parts: Mapping[str, bytes], role: str) -> str:
    try:
        return _part(parts, role).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CompositionError(f"the {role} is not text in UTF-8: {error}") from error


def opened(data: bytes, role: str) -> Image.Image:
    """Return the picture in the bytes, upright, in RGB or RGBA; raises CompositionError if it is none that we take."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise CompositionError(
                    f"the {role} has {picture.width} x {picture.height} pixels: make it smaller than"
                    f" {MOST_PIXELS // 1_000_000} megapixels"
                )
            upright = ImageOps.exif_transpose(picture)
            return upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise CompositionError(f"the {role} is no picture in PNG, JPEG or WebP that can be read: {error}") from error
