"""Take what a campaign made out of the factory: every byte checked, the file or folder there whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import StateError
from core.ledger import Ledger
from core.storage import Storage
from producer.delivered import deliveries
from producer.exports import contact_sheet, folders, google_ads_editor, meta_bulk, tables
from producer.exports.contact_sheet import ContactSheet
from producer.exports.formats import Format
from producer.exports.written import Written
from schemas.campaigns import Kind
from schemas.channels import channels

WITH_MANIFESTS = {Format.FILES, Format.JSONL, Format.ZIP}
WITH_FILES = {Format.FILES, Format.ZIP}
_ENDINGS = {
    Format.CSV: ".csv",
    Format.JSONL: ".jsonl",
    Format.ZIP: ".zip",
    Format.GOOGLE_ADS_EDITOR: "-google-ads-editor.csv",
    Format.META_BULK: "-meta-bulk.csv",
}


@dataclass(frozen=True)
class Exported:
    """What was written and where."""

    path: Path
    format: Format
    kinds: dict[Kind, int]
    notes: tuple[str, ...]

    @property
    def assets(self) -> int:
        """Return how many assets were written, of all kinds."""
        return sum(self.kinds.values())

    @property
    def contact_sheet(self) -> Path | None:
        """Return the page that shows all of it, if there is one to be opened."""
        return self.path / contact_sheet.FILE if self.format is Format.FILES else None


def format_of(to: Path) -> Format:
    """Return the format that the name of a file asks for; anything else is a folder of files."""
    return next((form for form in (Format.CSV, Format.JSONL, Format.ZIP) if to.suffix == f".{form}"), Format.FILES)


def export(
    ledger: Ledger, storage: Storage, campaign_id: str, to: Path, form: Format, *, force: bool = False
) -> Exported:
    """Write all that a campaign has made so far; raises StateError when there is nothing, or something in the way.

    A file format with a folder as its target is written into it, named after the campaign.
    """
    status = ledger.campaigns.status(campaign_id)
    if not status.done:
        raise StateError(f"campaign {campaign_id} has made nothing yet: {status.open_jobs} jobs are open")
    deleted = ledger.assets.deleted(campaign_id)
    if deleted == status.done:
        raise StateError(f"what campaign {campaign_id} made was deleted, as FACTORY_KEEP_ASSETS_DAYS says")
    unwanted = ledger.assets.unwanted(campaign_id)
    if unwanted == status.done:
        raise StateError(
            f"all that campaign {campaign_id} has made was rejected: `factory regenerate JOB` makes it anew"
        )
    target = to / f"{campaign_id}{_ENDINGS[form]}" if form in _ENDINGS and to.is_dir() else to
    try:
        with replacing(target, force=force, is_folder=form is Format.FILES) as draft:
            written = _write(ledger, storage, campaign_id, draft, form)
            if not written.assets:
                left_out = ", ".join(sorted(written.left_out))
                raise StateError(f"nothing of campaign {campaign_id} belongs into {form}: it has {left_out}")
    except OSError as error:
        raise StateError(f"cannot write {error.filename or target}: {error.strerror}") from error
    notes = written.notes()
    if deleted:
        notes.append(f"left out, since they were deleted, as FACTORY_KEEP_ASSETS_DAYS says: {deleted}")
    if unwanted:
        notes.append(f"left out, since they were rejected or replaced: {unwanted}")
    return Exported(target, form, dict(written.kinds), tuple(notes))


def _write(ledger: Ledger, storage: Storage, campaign_id: str, draft: Path, form: Format) -> Written:
    campaign = ledger.campaigns.definition(campaign_id)
    made = deliveries(
        ledger, storage, campaign_id, with_manifests=form in WITH_MANIFESTS, with_files=form in WITH_FILES
    )
    match form:
        case Format.FILES:
            return folders.write_files(made, draft, ContactSheet(campaign_id, campaign))
        case Format.ZIP:
            return folders.write_zip(made, draft, ContactSheet(campaign_id, campaign))
        case Format.CSV:
            return tables.write_csv(made, draft)
        case Format.JSONL:
            return tables.write_jsonl(made, draft)
        case Format.GOOGLE_ADS_EDITOR:
            return google_ads_editor.write(made, draft, campaign.name, campaign.locales)
        case Format.META_BULK:
            return meta_bulk.write(made, draft, campaign.name, campaign.locales)


@contextmanager
def replacing(target: Path, *, force: bool, is_folder: bool) -> Iterator[Path]:
    """Yield a draft beside the target, which takes its place at the end; after an error nothing has changed."""
    _check_free(target, force=force, is_folder=is_folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        draft = room / "draft"
        if is_folder:
            draft.mkdir()
        yield draft
        _take_place(draft, target, room / "old")
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _take_place(draft: Path, target: Path, old: Path) -> None:
    # A file replaces a file in one step; a folder that holds something has to step aside first.
    if not target.is_dir():
        draft.replace(target)
        return
    target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        old.rename(target)
        raise


def _check_free(target: Path, *, force: bool, is_folder: bool) -> None:
    """Raise StateError unless the target may be written. A folder that is no export of ours is never replaced."""
    if not os.path.lexists(target):
        return
    if target.is_dir() != is_folder:
        raise StateError(f"{target} is a {'folder' if target.is_dir() else 'file'}: name another target")
    if is_folder:
        held = {entry.name for entry in target.iterdir()}
        if not held <= {*folders.FILES, *folders.FOLDERS.values(), *channels()}:
            raise StateError(f"{target} holds other things than an export: name a new folder")
        if not held:
            return
    if not force:
        raise StateError(f"{target} exists already: name another, or give --force to replace it")
