"""A finished advertisement as a file that its place takes: the best format and quality within the bytes allowed."""

from io import BytesIO

from PIL import Image

from core.errors import CompositionError
from schemas.pictures import PictureChannel

# Below the last one, type has a visible fringe.
QUALITIES = (93, 89, 85, 80, 74, 68, 62)
# Coloured type needs full colour resolution; it is given up last.
FULL_COLOUR = 74


def encode(image: Image.Image, channel: PictureChannel) -> tuple[bytes, str]:
    """Return the file and its content type; raises CompositionError when no format of the channel is small enough."""
    smallest = 0
    for form in channel.formats:
        for quality in QUALITIES if form != "png" else QUALITIES[:1]:
            data = _encoded(image, form, quality)
            if len(data) <= channel.max_bytes:
                return data, f"image/{form}"
            smallest = min(smallest or len(data), len(data))
    raise CompositionError(
        f"{channel.title} takes at most {channel.max_bytes} bytes, and this advertisement has {smallest} even at the"
        " lowest quality: use a calmer picture or layout"
    )


def _encoded(image: Image.Image, form: str, quality: int) -> bytes:
    target = BytesIO()
    if form == "png":
        image.save(target, "PNG", optimize=True)
    elif form == "webp":
        image.save(target, "WEBP", quality=quality, method=4)
    else:
        # Pillow's room for the second pass over a file is too small for a noisy picture in full colour.
        is_full = quality >= FULL_COLOUR
        subsampling = "4:4:4" if is_full else "4:2:0"
        image.save(target, "JPEG", quality=quality, subsampling=subsampling, optimize=not is_full)
    return target.getvalue()
