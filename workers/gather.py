"""Fetches what jobs are made of: the assets of their inputs and their brands' logos, by job and role."""

import logging
from collections.abc import Sequence

from core.errors import CorruptAssetError
from core.ledger.assets import Assets
from core.storage import Storage
from schemas.assets import Asset
from schemas.jobs import Job
from workers.models.protocol import Parts

logger = logging.getLogger(__name__)

LOGO = "logo"


def gather(assets: Assets, storage: Storage, jobs: Sequence[Job]) -> Parts:
    """Return the parts of each job; lines of copy as UTF-8 text. Raises StorageError when the store is away.

    A part that is gone or changed is left out, for the model to fail its job alone.
    """
    found = assets.locations([one.job_id for job in jobs for one in job.inputs])
    bodies = {job_id: body for job_id, asset in found.items() if (body := _body(storage, asset)) is not None}
    logos = {key: body for key in {_logo_of(job) for job in jobs} if key and (body := _whole(storage, key)) is not None}
    parts: dict[str, dict[str, bytes]] = {}
    for job in jobs:
        parts[job.id] = {one.role: bodies[one.job_id] for one in job.inputs if one.job_id in bodies}
        if _logo_of(job) in logos:
            parts[job.id][LOGO] = logos[_logo_of(job)]
    return parts


def _logo_of(job: Job) -> str:
    return job.brief.creative.logo if job.brief.creative else ""


def _body(storage: Storage, asset: Asset) -> bytes | None:
    # A line stands in the ledger whole; its object holds it among others.
    if asset.content_type.startswith("text/"):
        return asset.preview.encode()
    try:
        return storage.get(asset.location)
    except CorruptAssetError as error:
        logger.warning("an input is left out: %s", error)
        return None


def _whole(storage: Storage, key: str) -> bytes | None:
    try:
        return storage.get_whole(key)
    except CorruptAssetError as error:
        logger.warning("a logo is left out: %s", error)
        return None
