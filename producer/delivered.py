"""Assets as people receive them: their bytes out of S3, checked against the sha256 in the ledger."""

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pydantic import ValidationError

from core.errors import CorruptAssetError
from core.ledger import Ledger
from core.ledger.assets import Delivered
from core.storage import Storage
from schemas.assets import SMALL, Asset, Location, Manifest
from schemas.campaigns import Kind
from schemas.jobs import Brief

# Neighbours in a campaign lie in a handful of objects, one for each bucket and batch in hand.
KEPT_OBJECTS = 64


@dataclass(frozen=True)
class Delivery:
    """One asset with all that a person or a spreadsheet wants to know about it."""

    asset: Asset
    kind: Kind
    brief: Brief
    variant: int
    created_at: float
    # The line of copy; of anything else, what it shows.
    text: str
    # The bytes of the file; nothing where only tables are written.
    data: bytes = b""
    manifest: Manifest | None = None
    # The bytes of its companions, by their endings.
    companions: Mapping[str, bytes] = field(default_factory=dict)


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


def deliveries(
    ledger: Ledger, storage: Storage, campaign_id: str, *, with_manifests: bool = False, with_files: bool = False
) -> Iterator[Delivery]:
    """Yield the assets of a campaign in the order of its plan; the first damaged one raises CorruptAssetError.

    What was rejected, or replaced by another one, is no delivery.
    Lines of copy are always read; files, which are large, only with `with_files`.
    """
    objects = Objects(storage)
    for delivered in ledger.assets.of_campaign(campaign_id, only_wanted=True, only_stored=True):
        yield _delivery(objects, storage, delivered, with_manifests=with_manifests, with_files=with_files)


def _delivery(
    objects: Objects, storage: Storage, delivered: Delivered, *, with_manifests: bool, with_files: bool
) -> Delivery:
    asset = delivered.asset
    text, data = asset.preview, b""
    if delivered.kind == Kind.COPY:
        text = text_of(objects.read(asset.location), asset.job_id)
        data = f"{text}\n".encode()
    elif with_files:
        data = storage.get(asset.location)
    with_manifest = with_manifests or with_files
    manifest = manifest_of(_manifest_bytes(objects, storage, asset), asset) if with_manifest else None
    companions = [one for one in manifest.companions if one.ending != SMALL] if manifest and with_files else ()
    return Delivery(
        asset=asset,
        kind=delivered.kind,
        brief=Brief.model_validate_json(delivered.brief),
        variant=delivered.variant,
        created_at=delivered.created_at,
        text=text,
        data=data,
        companions={one.ending: storage.get(one.location) for one in companions},
        manifest=manifest,
    )


def _manifest_bytes(objects: Objects, storage: Storage, asset: Asset) -> bytes:
    # Manifests of lines share objects, those of files lie beside their files.
    is_shared = asset.manifest.key.endswith(".jsonl")
    return objects.read(asset.manifest) if is_shared else storage.get(asset.manifest)
