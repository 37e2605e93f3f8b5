"""The logo of a brand: a small picture beside the campaign file, stored once in the bucket by its content."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core.errors import Problem
from producer.documents import Document, Loc
from producer.problems import Problems, field_of

MAX_BYTES = 2_000_000
# How files begin, and what they are then.
_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
_LOC: Loc = ("brand", "logo")


@dataclass(frozen=True)
class Logo:
    """A logo that was read: its bytes, what they are, and the key they have in the bucket."""

    data: bytes
    content_type: str

    @property
    def key(self) -> str:
        """Return the key in the bucket, which follows from the content."""
        return f"logos/{sha256(self.data).hexdigest()[:32]}.{self.content_type.removeprefix('image/')}"


def read(folder: Path, document: Document, problems: Problems) -> Logo | None:
    """Return the logo that a campaign names, if it names one; what is wrong with it is added to the problems."""
    node = document.find(_LOC)
    if node is None or not isinstance(node.value, str) or not node.value.strip():
        return None
    try:
        found = _logo(folder, node.value.strip())
    except (OSError, ValueError, RuntimeError) as error:
        found = f"cannot be read: {error}"
    if isinstance(found, Logo):
        return found
    problems.add(Problem(document.file, *document.place(_LOC), field_of(_LOC), found))
    return None


def _logo(folder: Path, name: str) -> Logo | str:
    """Return the logo, or what is wrong with it."""
    path = folder / name
    # A link that leads out of the folder is as good as a path that does.
    if not path.resolve().is_relative_to(folder.resolve()):
        return "leads out of the campaign's folder; put the logo beside the campaign"
    if not path.is_file():
        return f"there is no file '{name[:200]}' beside the campaign"
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 1_000_000} MB; 1000 pixels are enough for a logo"
    content_type = next((kind for start, kind in _TYPES.items() if data.startswith(start)), None)
    return Logo(data, content_type) if content_type else "is not a PNG, JPEG or WebP picture"
