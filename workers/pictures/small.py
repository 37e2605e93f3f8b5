"""The small picture of an asset, for pages that show many: made once, of the pixels that are delivered."""

from io import BytesIO

from PIL import Image

from schemas.assets import SMALL, SMALL_PIXELS
from workers.finishing.protocol import Finished
from workers.models.protocol import File

WEBP = "image/webp"
PNG = "png"
# Above this a WebP of this size grows and does not look better.
QUALITY = 80
# Tries harder than the usual 4 for one more percent, in twice the time: not worth it.
METHOD = 4


def small_of(finished: Finished) -> File | None:
    """Return the small picture of a picture, or of the picture beside a recording; None where it would not be smaller.

    The same pixels give the same bytes, so a batch that is made again stores nothing new.
    """
    data = _seen(finished)
    if not data:
        return None
    made = _encoded(data)
    return File(SMALL, WEBP, made) if len(made) < len(data) else None


def _seen(finished: Finished) -> bytes:
    """Return the bytes of what is looked at."""
    if finished.content_type.startswith("image/"):
        return finished.data
    return next((file.data for file in finished.companions if file.ending == PNG), b"")


def _encoded(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        shown = image.convert("RGBA" if image.has_transparency_data else "RGB")
    # Keeps the proportions, and never enlarges.
    shown.thumbnail((SMALL_PIXELS, SMALL_PIXELS), Image.Resampling.LANCZOS)
    target = BytesIO()
    shown.save(target, "WEBP", quality=QUALITY, method=METHOD)
    return target.getvalue()
