"""What tuners learn from beside opinions: the recipe of a delivered asset and its bytes, fetched from the store."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import CorruptAssetError
from core.ledger.assets import Assets
from core.storage import Storage
from schemas.assets import Asset, Manifest
from schemas.campaigns import Kind
from schemas.learning import Opinion
from workers.learning.pairs import Pair
from workers.models.tuning.protocol import EndIfStopped, Judged, Lesson

logger = logging.getLogger(__name__)

# Kinds of which more is learnt from than the text, and those of which it is the bytes themselves.
WITH_RECIPE = frozenset({Kind.IMAGE, Kind.MUSIC})
WITH_BYTES = frozenset({Kind.IMAGE})


@dataclass(frozen=True)
class Shelf:
    """Where assets are fetched from, and the folder below which their bytes are kept."""

    assets: Assets
    storage: Storage
    folder: Path


def plain(pairs: Iterable[Pair]) -> dict[str, Judged]:
    """Return the assets of pairs, by their jobs, as far as their opinions tell."""
    return {one.job_id: Judged(one.brief, one.text) for one in _opinions(pairs)}


def fetched(kind: Kind, pairs: Iterable[Pair], shelf: Shelf, end_if_stopped: EndIfStopped) -> dict[str, Judged]:
    """Return the assets of pairs, by their jobs, with all that a tuner of their kind learns from.

    Bytes are kept below the folder, each once. What is there no more as it was rated is left out. Before each asset it
    is asked whether to go on.
    """
    if kind not in WITH_RECIPE:
        return plain(pairs)
    opinions = {one.job_id: one for one in _opinions(pairs)}
    held = shelf.assets.locations(opinions)
    shelf.folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for job_id, opinion in sorted(opinions.items()):
        end_if_stopped()
        try:
            found[job_id] = _judged(kind, opinion, held.get(job_id), shelf)
        except CorruptAssetError as error:
            logger.warning("nothing is learnt from what job %s made: %s", job_id, error)
    return found


def still_there(pairs: Iterable[Pair], judged: Mapping[str, Judged]) -> list[Pair]:
    """Return the pairs of which both assets were found."""
    return [pair for pair in pairs if pair.better.job_id in judged and pair.worse.job_id in judged]


def lessons_of(pairs: Iterable[Pair], judged: Mapping[str, Judged]) -> list[Lesson]:
    """Return pairs as a tuner knows them."""
    return [
        Lesson(pair.better.product, judged[pair.better.job_id], judged[pair.worse.job_id], pair.weight)
        for pair in pairs
    ]


def _opinions(pairs: Iterable[Pair]) -> Iterable[Opinion]:
    return (one for pair in pairs for one in (pair.better, pair.worse))


def _judged(kind: Kind, opinion: Opinion, asset: Asset | None, shelf: Shelf) -> Judged:
    if asset is None or asset.location.sha256 != opinion.sha256:
        raise CorruptAssetError("it is there no more as it was rated")
    manifest = Manifest.model_validate_json(shelf.storage.get(asset.manifest))
    file = _kept(asset, shelf.storage, shelf.folder) if kind in WITH_BYTES else None
    return Judged(opinion.brief, opinion.text, manifest.recipe, file, opinion.sha256)


def _kept(asset: Asset, storage: Storage, folder: Path) -> Path:
    file = folder / asset.location.sha256
    if not file.exists():
        part = file.with_suffix(".part")
        part.write_bytes(storage.get(asset.location))
        part.rename(file)
    return file
