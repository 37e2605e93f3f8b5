"""Delete what need not be kept any longer, as the settings say: rows of the ledger, assets, folders of trainings."""

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import CorruptAssetError, UnknownIdError
from core.ledger import Ledger
from core.ledger.calls import REMEMBERED_SECONDS
from core.ledger.retention import Old
from core.settings import Settings
from core.storage import Storage
from schemas.assets import Asset, Manifest
from schemas.learning import TrainingState

DAY_SECONDS = 86_400.0
ACTOR = "tidy"


@dataclass(frozen=True)
class Tidied:
    """What was looked for, older than how many days, and how much of it there was; without days nothing is deleted."""

    what: str
    days: float | None
    found: int


def tidy(ledger: Ledger, storage: Storage, settings: Settings, *, is_dry: bool = False) -> list[Tidied]:
    """Delete what is older than the settings say, or only count it; twice is no harm, also at once."""
    now = time.time()
    days: dict[Old, float | None] = {
        Old.CALLS: settings.keep_calls_days,
        Old.KEYS: REMEMBERED_SECONDS / DAY_SECONDS,
        # They say themselves when they end.
        Old.SESSIONS: 0.0,
        Old.EVENTS: settings.keep_events_days,
    }
    done = [Tidied(what, kept, _rows(ledger, what, now, kept, is_dry=is_dry)) for what, kept in days.items()]
    found = _assets(ledger, storage, settings, is_dry=is_dry)
    done.append(Tidied("assets of ended campaigns", settings.keep_assets_days, found))
    folders = list(_left_folders(ledger, settings, now))
    if not is_dry:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    return [*done, Tidied("folders of trainings", settings.keep_checkpoints_days, len(folders))]


def _rows(ledger: Ledger, what: Old, now: float, days: float | None, *, is_dry: bool) -> int:
    if days is None:
        return 0
    before = now - days * DAY_SECONDS
    return ledger.retention.count(what, before) if is_dry else ledger.retention.delete(what, before)


def _assets(ledger: Ledger, storage: Storage, settings: Settings, *, is_dry: bool) -> int:
    """Delete the assets of campaigns that ended long ago; return how many there are. Their rows and ratings stay."""
    if settings.keep_assets_days is None:
        return 0
    # What is made from now on, should somebody open one of them again, is not touched.
    now = time.time()
    before = now - settings.keep_assets_days * DAY_SECONDS
    found = 0
    for campaign_id in ledger.retention.campaigns_to_clear(before):
        # Those before it may have taken hours. One that was begun is ended, whoever opens it: half of its assets, and
        # nothing that says so, would be worse.
        if not ledger.retention.has_ended(campaign_id, before):
            continue
        gone: set[str] = set()
        for delivered in ledger.assets.of_campaign(campaign_id, only_stored=True):
            if delivered.created_at > now:
                continue
            found += 1
            if not is_dry:
                _delete(storage, delivered.asset, gone)
        if not is_dry:
            # Rows last: a run that was killed begins again, and what is gone already is no error.
            ledger.retention.cleared(campaign_id, now, ACTOR)
    return found


def _delete(storage: Storage, asset: Asset, gone: set[str]) -> None:
    """Delete what an asset consists of, but what is gone already: lines of copy share objects."""
    companions = [] if asset.content_type.startswith("text/") else _companions(storage, asset)
    # The manifest names the companions, so it goes last.
    for key in (*companions, asset.location.key, asset.manifest.key):
        if key not in gone:
            storage.delete(key)
            gone.add(key)


def _companions(storage: Storage, asset: Asset) -> list[str]:
    try:
        manifest = Manifest.model_validate_json(storage.get(asset.manifest))
    except CorruptAssetError:
        return []
    return [one.location.key for one in manifest.companions]


def _left_folders(ledger: Ledger, settings: Settings, now: float) -> Iterator[Path]:
    """Yield the folders of trainings on this machine that nobody goes on with."""
    days, trainings = settings.keep_checkpoints_days, settings.home.absolute() / "trainings"
    if days is None or not trainings.is_dir():
        return
    for folder in sorted(trainings.iterdir()):
        if folder.is_dir() and not _is_open(ledger, folder.name) and _changed_at(folder) < now - days * DAY_SECONDS:
            yield folder


def _is_open(ledger: Ledger, training_id: str) -> bool:
    try:
        return ledger.trainings.of_id(training_id).state == TrainingState.OPEN
    except UnknownIdError:
        return False


def _changed_at(folder: Path) -> float:
    """Return when anything in a folder was last written."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        # Somebody deletes it at this moment, or works in it.
        return math.inf
