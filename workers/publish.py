"""Stores what was made: bytes first, then manifests, then (by the caller) the row, so a row never points at nothing.

Texts of a batch share one object, a JSON line each, and so do their manifests: a put costs more than a text. Everything
else has an object of its own, named after its job and content, with its manifest beside it. So has each companion, the
same asset in another format or smaller: the manifest names them, and nothing else does.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from itertools import groupby

from core.storage import Storage
from schemas.assets import Asset, Companion, Location, Manifest
from schemas.campaigns import Kind
from workers.choose import Chosen
from workers.models.protocol import File
from workers.pictures.small import small_of

JSON = "application/json"
JSON_LINES = "application/jsonl"
PREVIEW_CHARACTERS = 2000
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "audio/wav": "wav"}


def publish(
    storage: Storage,
    uploads: Executor,
    chosen: Sequence[tuple[Chosen, float]],
    device: str,
) -> list[Asset]:
    """Store a batch, all of one kind, and its manifests; return the assets, in the order of the chosen.

    Keys come from the content, so the same results twice are the same objects. Raises StorageError; nothing is visible
    until the ledger knows of it.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if chosen and chosen[0][0].job.kind != Kind.COPY:
        return list(uploads.map(lambda made: _publish_one(storage, made, device, now), chosen))
    by_campaign = [list(group) for _, group in groupby(sorted(chosen, key=_campaign_of), key=_campaign_of)]
    assets: dict[str, Asset] = {}
    for part in uploads.map(lambda group: _publish_texts(storage, group, device, now), by_campaign):
        assets |= {asset.job_id: asset for asset in part}
    return [assets[one.job.id] for one, _ in chosen]


def _campaign_of(made: tuple[Chosen, float]) -> str:
    return made[0].job.campaign_id


def _publish_one(storage: Storage, made: tuple[Chosen, float], device: str, now: str) -> Asset:
    one, seconds = made
    data = one.finished.data
    folder = f"campaigns/{one.job.campaign_id}/assets/{one.job.id}"
    name = f"{folder}/{hashlib.sha256(data).hexdigest()[:16]}"
    location = storage.put(f"{name}.{ENDINGS[one.finished.content_type]}", data, one.finished.content_type)
    # Of what was chosen alone, and not of every candidate; in the threads that upload, beside the device.
    small = small_of(one.finished)
    files = (*one.finished.companions, small) if small else one.finished.companions
    companions = tuple(_companion(storage, folder, file) for file in files)
    manifest = _manifest(one, seconds, location, device, now, companions)
    written = storage.put(f"{name}.json", manifest.model_dump_json().encode(), JSON)
    return _asset(one, seconds, location, written)


def _companion(storage: Storage, folder: str, file: File) -> Companion:
    name = hashlib.sha256(file.data).hexdigest()[:16]
    location = storage.put(f"{folder}/{name}.{file.ending}", file.data, file.content_type)
    return Companion(ending=file.ending, content_type=file.content_type, location=location)


def _publish_texts(storage: Storage, group: Sequence[tuple[Chosen, float]], device: str, now: str) -> list[Asset]:
    campaign_id = group[0][0].job.campaign_id
    stored = _store_lines(storage, f"campaigns/{campaign_id}/assets", [_line(one) for one, _ in group])
    manifests = [
        _manifest(one, seconds, location, device, now) for (one, seconds), location in zip(group, stored, strict=True)
    ]
    written = _store_lines(
        storage, f"campaigns/{campaign_id}/manifests", [manifest.model_dump_json().encode() for manifest in manifests]
    )
    return [
        _asset(one, seconds, location, manifest)
        for (one, seconds), location, manifest in zip(group, stored, written, strict=True)
    ]


def _manifest(
    one: Chosen,
    seconds: float,
    location: Location,
    device: str,
    now: str,
    companions: tuple[Companion, ...] = (),
) -> Manifest:
    return Manifest(
        job=one.job,
        model=one.model,
        recipe=one.sample.recipe | {"rank": one.rank, "score": round(one.sample.score, 4)},
        checks=one.checks,
        device=device,
        device_seconds=round(seconds, 4),
        content_type=one.finished.content_type,
        sha256=location.sha256,
        companions=companions,
        created_at=now,
    )


def _asset(one: Chosen, seconds: float, location: Location, manifest: Location) -> Asset:
    return Asset(
        job_id=one.job.id,
        campaign_id=one.job.campaign_id,
        sku=one.job.brief.product.sku,
        location=location,
        manifest=manifest,
        content_type=one.finished.content_type,
        preview=one.finished.preview[:PREVIEW_CHARACTERS],
        fingerprint=one.finished.fingerprint,
        likeness=one.finished.likeness,
        model=one.model,
        device_seconds=round(seconds, 4),
    )


def _line(one: Chosen) -> bytes:
    brief = one.job.brief
    line = {
        "job_id": one.job.id,
        "sku": brief.product.sku,
        "audience": brief.audience.id,
        "locale": brief.locale,
        "channel": brief.channel,
        "variant": one.job.variant,
        "text": one.finished.preview,
    }
    return json.dumps(line, ensure_ascii=False).encode()


def _store_lines(storage: Storage, folder: str, lines: Sequence[bytes]) -> list[Location]:
    body = b"\n".join(lines) + b"\n"
    key = f"{folder}/{hashlib.sha256(body).hexdigest()[:32]}.jsonl"
    storage.put(key, body, JSON_LINES)
    locations: list[Location] = []
    offset = 0
    for line in lines:
        digest = hashlib.sha256(line).hexdigest()
        locations.append(Location(key=key, offset_bytes=offset, length_bytes=len(line), sha256=digest))
        offset += len(line) + 1
    return locations
