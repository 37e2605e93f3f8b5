"""Templates of campaigns: taken with all that lies beside the file, and opened again when a run is due.

The text of the campaign lies in the ledger; its feed and logo lie in the store, under keys made of their content.
"""

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from core.errors import CampaignFileError, ImpossibleWorkError, ScheduleError, StateError
from core.ledger.schedules import Template
from core.settings import Settings
from core.storage import Storage
from producer import campaigns
from producer.campaigns import CampaignSource
from schemas.assets import Location
from schemas.campaigns import Priority

# What is read into memory whole, twice for each run.
MOST_FILE_BYTES = 100_000_000


@dataclass(frozen=True)
class Taken:
    """A campaign that was read and found right, as a schedule keeps it."""

    source: CampaignSource
    file_name: str
    definition: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Terms:
    """What runs have instead of what the campaign says, and whose clock they go by; empty, and None: as it says."""

    timezone: str
    window: str
    priority: Priority | None


def of_file(path: Path, tenant: str) -> Taken:
    """Take a campaign file and what lies beside it; raises what `factory plan` does, and StateError if it changes."""
    source = campaigns.read(path, tenant)
    files = {}
    if source.feed:
        files[source.document.text(("products", "file"))] = _bytes(source.feed.path)
    if source.logo:
        files[source.document.text(("brand", "logo"))] = source.logo.data
    if far := [name for name in files if Path(name).is_absolute()]:
        raise ScheduleError(f"campaign: name files by their place beside the campaign, not '{far[0][:200]}'")
    taken = Taken(source, _file_name(path), _bytes(path).decode(errors="replace"), files)
    with tempfile.TemporaryDirectory(prefix="schedule-") as folder, _without(folder):
        again = _read(Path(folder), taken.file_name, taken.definition, files, tenant)
    if again.id != source.id:
        raise StateError(f"{path} or a file beside it was changed at this moment: do it again")
    return taken


def received(data: bytes, name: str, tenant: str) -> Taken:
    """Take a campaign that came without a folder."""
    return Taken(campaigns.received(data, name, tenant), _file_name(Path(name)), data.decode(), {})


def kept(taken: Taken, terms: Terms, settings: Settings) -> Template:
    """Store the files of a campaign, and return its template."""
    files = {name: _store(settings, name, data) for name, data in taken.files.items()}
    return of_terms(Template("", "", "", None, taken.file_name, taken.definition, files), terms)


def of_terms(template: Template, terms: Terms) -> Template:
    """Return another template of the same campaign."""
    return replace(template, id=uuid.uuid4().hex, timezone=terms.timezone, window=terms.window, priority=terms.priority)


@contextmanager
def opened(template: Template, tenant: str, settings: Settings) -> Iterator[CampaignSource]:
    """Give the campaign of a template, with a folder of its own as long as that is needed."""
    files = {name: Storage(settings).get(location) for name, location in template.files.items()}
    with tempfile.TemporaryDirectory(prefix="schedule-") as folder, _without(folder):
        yield _read(Path(folder), template.file_name, template.definition, files, tenant)


def _read(folder: Path, file_name: str, definition: str, files: dict[str, bytes], tenant: str) -> CampaignSource:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise StateError(f"the file '{name}' of a schedule leads out of its folder")
        path.write_bytes(data)
    path = folder / file_name
    path.write_text(definition, encoding="utf-8", newline="")
    return campaigns.read(path, tenant)


@contextmanager
def _without(folder: str) -> Iterator[None]:
    """Tell problems without a folder that nobody knows, and that is gone when they are read."""
    try:
        yield
    except (CampaignFileError, ImpossibleWorkError) as error:
        told = tuple(replace(one, file=one.file.removeprefix(f"{folder}/")) for one in error.problems)
        if isinstance(error, CampaignFileError):
            raise CampaignFileError(told) from error
        if told:
            raise ImpossibleWorkError.of(*told) from error
        raise


def _store(settings: Settings, name: str, data: bytes) -> Location:
    ending = re.sub(r"[^a-z]", "", Path(name).suffix.lower())
    key = f"schedules/{sha256(data).hexdigest()[:32]}.{ending}"
    return Storage(settings).put(key, data, "application/octet-stream")


def _file_name(path: Path) -> str:
    return "campaign.json" if path.suffix == ".json" else "campaign.yaml"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MOST_FILE_BYTES:
        raise ScheduleError(f"campaign: {path.name} has more than {MOST_FILE_BYTES // 1_000_000} MB: split the feed")
    return data
