"""Finishing of pictures: sharp in the size of their channel, encoded, marked as generated, signed, judged."""

import hashlib
from collections.abc import Collection
from functools import cached_property
from io import BytesIO

from PIL import Image

from core.errors import RejectedError
from core.provenance import Origin, Source
from core.settings import Settings
from schemas.assets import Check
from schemas.jobs import Job
from schemas.pictures import picture_channels
from workers.checks import picture as rules
from workers.checks.safety import SafetyChecker
from workers.finishing.protocol import Finished
from workers.models.protocol import Sample
from workers.pictures.sharpen import delivered
from workers.signing.signer import Signer

FILE_SIZE = "file_size"


class _Signing:
    """What both kinds of pictures share: the signer, opened by the first picture."""

    is_small = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _signer(self) -> Signer:
        return Signer(self._settings)

    def _marked(self, data: bytes, source: Source, version: str, title: str) -> bytes:
        name, _, sha256 = version.rpartition("@")
        return self._signer.mark(data, Origin(source, name or version, sha256), title)


class ImageFinisher(_Signing):
    """Finishes pictures of products: a subject on a transparent ground, or a photograph."""

    def __init__(self, settings: Settings, safety: SafetyChecker | None = None) -> None:
        super().__init__(settings)
        self._safety = safety

    def finish(self, job: Job, sample: Sample, version: str) -> Finished:
        """Return the picture in the size of its channel, as PNG with its alpha or as JPEG."""
        if sample.refused:
            raise RejectedError(sample.refused)
        channel = picture_channels()[job.brief.channel]
        small = _opened(sample.data)
        large = delivered(small, channel.width, channel.height)
        data, content_type = _encoded(large)
        shown = str(sample.recipe.get("prompt", ""))
        marked = self._marked(data, Source.GENERATED, version, job.brief.product.name)
        return Finished(marked, content_type, shown, hashlib.sha256(data).hexdigest(), rules.likeness(small))

    def check(self, job: Job, finished: Finished) -> tuple[Check, ...]:
        """Judge the picture."""
        channel = picture_channels()[job.brief.channel]
        found = rules.check(_opened(finished.data), channel.width, channel.height, self._safety)
        return (*found, _file_size(finished, channel.max_bytes))

    def is_near_duplicate(self, finished: Finished, taken: Collection[Finished]) -> bool:
        """Tell whether the product has nearly this picture already."""
        return rules.is_near_duplicate(finished.likeness, [one.likeness for one in taken if one.likeness])


class CreativeFinisher(_Signing):
    """Finishes advertisements, which are composed in their size already, of a picture that was found safe before."""

    def finish(self, job: Job, sample: Sample, version: str) -> Finished:
        """Return the advertisement, marked."""
        data = sample.data
        shown = str(sample.recipe.get("headline", ""))
        marked = self._marked(data, Source.COMPOSED, version, f"{job.brief.product.name}: {shown}")
        likeness = rules.likeness(_opened(data))
        return Finished(marked, sample.content_type, shown, hashlib.sha256(data).hexdigest(), likeness)

    def check(self, job: Job, finished: Finished) -> tuple[Check, ...]:
        """Judge the advertisement."""
        channel = picture_channels()[job.brief.channel]
        found = rules.check(_opened(finished.data), channel.width, channel.height)
        return (*found, _file_size(finished, channel.max_bytes))

    def is_near_duplicate(self, finished: Finished, taken: Collection[Finished]) -> bool:  # noqa: ARG002
        """Tell whether there is one like it: never, since the same parts in another size are wanted."""
        return False


def _opened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.load()
        return image


def _encoded(image: Image.Image) -> tuple[bytes, str]:
    target = BytesIO()
    if image.mode == "RGBA":
        image.save(target, "PNG", compress_level=6)
        return target.getvalue(), "image/png"
    image.save(target, "JPEG", quality=93, subsampling="4:4:4", optimize=True)
    return target.getvalue(), "image/jpeg"


def _file_size(finished: Finished, most: int) -> Check:
    size = len(finished.data)
    return Check(name=FILE_SIZE, passed=size <= most, detail="" if size <= most else f"{size} bytes, {most} allowed")
