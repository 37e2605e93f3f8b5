"""Stores what was made: bytes first, then manifests, then (by the caller) the row, so a row never points at nothing."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from itertools import groupby

from core.storage import Storage
from schemas.assets import Asset, Location, Manifest
from workers.choose import Chosen

JSON_LINES = "application/jsonl"
PREVIEW_CHARACTERS = 2000


def publish(
    storage: Storage, uploads: Executor, chosen: Sequence[tuple[Chosen, float]], model: str, device: str
) -> list[Asset]:
    """Store the texts of a batch and their manifests; return the assets, in the order of the chosen.

    Each campaign's texts share one object, a JSON line each: a put costs more than the texts themselves. Keys come
    from the content, so the same texts twice are the same objects. Raises StorageError; nothing is visible until the
    ledger knows of it.
    """
    by_campaign = [list(group) for _, group in groupby(sorted(chosen, key=_campaign_of), key=_campaign_of)]
    assets: dict[str, Asset] = {}
    for part in uploads.map(lambda group: _publish_campaign(storage, group, model, device), by_campaign):
        assets |= {asset.job_id: asset for asset in part}
    return [assets[one.job.id] for one, _ in chosen]


def _campaign_of(made: tuple[Chosen, float]) -> str:
    return made[0].job.campaign_id


def _publish_campaign(storage: Storage, group: Sequence[tuple[Chosen, float]], model: str, device: str) -> list[Asset]:
    campaign_id = group[0][0].job.campaign_id
    texts = [_line(one) for one, _ in group]
    stored = _store_lines(storage, f"campaigns/{campaign_id}/assets", texts)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifests = [
        Manifest(
            job=one.job,
            model=model,
            recipe=one.sample.recipe | {"rank": one.rank, "score": round(one.sample.score, 4)},
            checks=one.checks,
            device=device,
            device_seconds=round(seconds, 4),
            content_type=one.sample.content_type,
            sha256=location.sha256,
            created_at=now,
        )
        for (one, seconds), location in zip(group, stored, strict=True)
    ]
    written = _store_lines(
        storage, f"campaigns/{campaign_id}/manifests", [manifest.model_dump_json().encode() for manifest in manifests]
    )
    return [
        Asset(
            job_id=one.job.id,
            campaign_id=campaign_id,
            sku=one.job.brief.product.sku,
            location=location,
            manifest=manifest_location,
            content_type=one.sample.content_type,
            preview=one.text[:PREVIEW_CHARACTERS],
            fingerprint=one.fingerprint,
            model=model,
            device_seconds=round(seconds, 4),
        )
        for (one, seconds), location, manifest_location in zip(group, stored, written, strict=True)
    ]


def _line(one: Chosen) -> bytes:
    brief = one.job.brief
    line = {
        "job_id": one.job.id,
        "sku": brief.product.sku,
        "audience": brief.audience.id,
        "locale": brief.locale,
        "channel": brief.channel,
        "variant": one.job.variant,
        "text": one.text,
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
