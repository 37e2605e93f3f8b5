"""Assets as people receive them: the text out of its object in S3, checked against the sha256 in the ledger."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from pydantic import ValidationError

from core.errors import CorruptAssetError
from core.ledger import Ledger
from core.ledger.assets import Delivered
from core.storage import Storage
from schemas.assets import Asset, Location, Manifest
from schemas.jobs import Brief

# Neighbours in a campaign lie in a handful of objects, one for each bucket and batch in hand.
KEPT_OBJECTS = 64


@dataclass(frozen=True)
class Line:
    """One line of copy with all that a person or a spreadsheet wants to know about it."""

    asset: Asset
    brief: Brief
    variant: int
    created_at: float
    text: str
    manifest: Manifest | None = None


class Objects:
    """Reads ranges of objects, each object once as long as its ranges are asked for near each other."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def read(self, location: Location) -> bytes:
        """Return the bytes at a location; raises CorruptAssetError when they are gone or changed."""
        body = self._bodies.pop(location.key, None)
        if body is None:
            body = self._storage.get_whole(location.key)
        self._bodies[location.key] = body
        if len(self._bodies) > KEPT_OBJECTS:
            self._bodies.popitem(last=False)
        return cut(body, location)


def cut(body: bytes, location: Location) -> bytes:
    """Return the range of an object's bytes; raises CorruptAssetError when they are not those of its sha256."""
    data = body[location.offset_bytes : location.offset_bytes + location.length_bytes]
    found = sha256(data).hexdigest()
    if found != location.sha256:
        place = f"{location.key} [{location.offset_bytes}:+{location.length_bytes}]"
        raise CorruptAssetError(f"{place} has sha256 {found}, the ledger says {location.sha256}")
    return data


def text_of(data: bytes, job_id: str) -> str:
    """Return the text of a stored line of copy; raises CorruptAssetError when it is not the line of that job."""
    try:
        line = json.loads(data)
    except ValueError as error:
        raise CorruptAssetError(f"the asset of job {job_id} is no line of copy: {error}") from error
    if not isinstance(line, dict) or line.get("job_id") != job_id or not isinstance(line.get("text"), str):
        raise CorruptAssetError(f"the asset of job {job_id} is the line of another job")
    return str(line["text"])


def manifest_of(data: bytes, asset: Asset) -> Manifest:
    """Return a stored manifest; raises CorruptAssetError when it does not speak of this asset."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise CorruptAssetError(f"the manifest of job {asset.job_id} cannot be read: {error}") from error
    if manifest.job.id != asset.job_id:
        raise CorruptAssetError(f"the manifest of job {asset.job_id} speaks of job {manifest.job.id}")
    if manifest.sha256 != asset.location.sha256:
        raise CorruptAssetError(
            f"the manifest of job {asset.job_id} has sha256 {manifest.sha256}, the ledger says {asset.location.sha256}"
        )
    return manifest


def lines(ledger: Ledger, storage: Storage, campaign_id: str, *, with_manifests: bool = False) -> Iterator[Line]:
    """Yield every line of a campaign in the order of its plan; the first damaged one raises CorruptAssetError."""
    objects = Objects(storage)
    for delivered in ledger.assets.of_campaign(campaign_id):
        yield _line(objects, delivered, with_manifests=with_manifests)


def _line(objects: Objects, delivered: Delivered, *, with_manifests: bool) -> Line:
    asset = delivered.asset
    return Line(
        asset=asset,
        brief=Brief.model_validate_json(delivered.brief),
        variant=delivered.variant,
        created_at=delivered.created_at,
        text=text_of(objects.read(asset.location), asset.job_id),
        manifest=manifest_of(objects.read(asset.manifest), asset) if with_manifests else None,
    )
