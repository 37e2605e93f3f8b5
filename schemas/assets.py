"""Assets: accepted results, where their bytes lie and the recipe that makes them again."""

from pydantic import JsonValue

from schemas.frozen import Frozen
from schemas.jobs import Job

# The companion that is the small picture of an asset: for pages that show many, and never delivered.
SMALL = "small.webp"
# Its longer side, at most: what a card of a gallery needs on a screen with two pixels a point.
SMALL_PIXELS = 480


class Location(Frozen):
    """Where bytes lie in the bucket: a whole object, or `length_bytes` of it from `offset_bytes`."""

    key: str
    offset_bytes: int
    length_bytes: int
    sha256: str


class Check(Frozen):
    """One judgement of a result, kept in the manifest: what was checked, under which rule, and what was found."""

    name: str
    passed: bool
    detail: str = ""


class Companion(Frozen):
    """Another file of the same asset, such as the MP3 of a recording: its ending, and the object that it is."""

    # What stands behind the name of the asset: `mp3`; `ogg.c2pa` signs the file that ends in `ogg`.
    ending: str
    content_type: str
    location: Location


class Manifest(Frozen):
    """The full recipe of one asset, stored beside it. Its row holds its hash, and so those of all companions."""

    version: int = 1
    job: Job
    model: str
    recipe: dict[str, JsonValue]
    checks: tuple[Check, ...]
    device: str
    device_seconds: float
    content_type: str
    sha256: str
    companions: tuple[Companion, ...] = ()
    created_at: str


class Asset(Frozen):
    """An accepted result, as the ledger holds it."""

    job_id: str
    campaign_id: str
    sku: str
    location: Location
    manifest: Location
    content_type: str
    # The text itself for copy (at most 2000 characters), so that lists and checks need no download.
    preview: str
    # Equal fingerprints are the same asset to a reader; unique within a campaign.
    fingerprint: str
    # Perceptual hash of a picture or sound in hex, by which near-duplicates are found; empty for copy.
    likeness: str = ""
    model: str
    device_seconds: float
