"""Read a campaign file: everything that is wrong with it at once, or the campaign and its products."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from pathlib import Path

from pydantic import BaseModel, ValidationError

from core.errors import CampaignFileError, Problem
from producer import feeds
from producer.documents import Document, Loc, read_json, read_yaml
from producer.problems import Problems, explain, field_of, file_name, suggestion
from schemas.campaigns import Audience, Brand, Budget, Campaign, CopyDeliverable, Product, ProductFeed
from schemas.channels import channels

# Reading this much YAML takes a quarter of a minute; more products than that belong into a feed.
MAX_BYTES = 5_000_000

# Which keys are known where, for suggestions; a path without the positions in its lists.
_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Campaign,
    ("brand",): Brand,
    ("products",): ProductFeed,
    ("products", "#"): Product,
    ("audiences", "#"): Audience,
    ("deliverables", "#"): CopyDeliverable,
    ("budget",): Budget,
}
# Lists in which two entries must differ: the list, the key that tells them apart, and the way out.
_DISTINCT = (
    ("products", "sku", "give each product its own sku"),
    ("audiences", "id", "give each audience its own id"),
    ("deliverables", "channel", "raise the variants of the first instead"),
)


@dataclass(frozen=True)
class CampaignSource:
    """A campaign file that was read and found right. The same content has the same id, any change gives another."""

    path: Path
    campaign: Campaign
    id: str
    product_count: int
    document: Document = field(repr=False, compare=False)
    feed: feeds.Feed | None = None

    def products(self) -> Iterator[Product]:
        """Yield every product, a feed's straight from its file; raises when the feed has changed since it was read."""
        if self.feed:
            return feeds.stream(self.feed)
        return iter(self.campaign.products if isinstance(self.campaign.products, tuple) else ())


def read(path: Path) -> CampaignSource:
    """Read and check a campaign file and its feed; raises CampaignFileError with every problem found."""
    problems = Problems()
    document = _document(path)
    problems.add(*document.problems)
    campaign = None
    if document.root or not problems:
        campaign, found = _campaign(document)
        found += _repeats(document) + _unknown_channels(document)
        problems.add(*sorted(found, key=lambda problem: (problem.line, problem.column)))
    feed = _feed(path, document, problems)
    if campaign is None or problems:
        raise problems.error()
    inline = campaign.products if isinstance(campaign.products, tuple) else ()
    count = feed.products if feed else len(inline)
    return CampaignSource(path, campaign, _id(campaign, feed), count, document, feed)


def _document(path: Path) -> Document:
    """Return the values of a file with their places."""
    file = file_name(path)
    data = _bytes(path, file)
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().split("\n")
        message = "is not UTF-8 from here on; save it as UTF-8"
        raise CampaignFileError((Problem(file, len(before), len(before[-1]) + 1, "", message),)) from error
    if not text.strip():
        raise CampaignFileError((Problem(file, 1, 1, "", "is empty; docs/campaigns.md shows what a campaign says"),))
    return read_json(text, file) if path.suffix == ".json" else read_yaml(text, file)


def _bytes(path: Path, file: str) -> bytes:
    try:
        # Never waits: to open a pipe would, until somebody writes into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise CampaignFileError((Problem(file, 1, 1, "", "is not a file"),))
            data = opened.read(MAX_BYTES + 1)
    except IsADirectoryError as error:
        message = "is a folder; name the campaign file in it"
        raise CampaignFileError((Problem(file, 1, 1, "", message),)) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CampaignFileError((Problem(file, 1, 1, "", f"cannot be read: {reason}"),)) from error
    if len(data) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES // 1_000_000} MB; put the products into a feed"
        raise CampaignFileError((Problem(file, 1, 1, "", message),))
    return data


def _campaign(document: Document) -> tuple[Campaign | None, list[Problem]]:
    """Return the campaign that a document describes, or what the contract says against it."""
    plain = document.root.plain() if document.root else None
    try:
        # As JSON, because strict about types then means: lists and texts are right, `true` is not a number.
        return Campaign.model_validate_json(dumps(plain), strict=True), []
    except ValidationError as error:
        return None, explain(error, document, _keys_at)


def _keys_at(loc: Loc) -> tuple[str, ...]:
    model = _MODELS.get(tuple("#" if isinstance(key, int) else key for key in loc))
    return tuple(model.model_fields) if model else ()


def _repeats(document: Document) -> list[Problem]:
    """Return a problem for each entry of a list that is there already."""
    problems = []
    for name, key, way_out in _DISTINCT:
        for loc, value, first in _again(document, name, key):
            message = f"'{value}' stands on line {first} already; {way_out}"
            problems.append(_problem(document, loc, message))
    for loc, value, first in _again(document, "locales", None):
        problems.append(_problem(document, loc, f"'{value}' stands on line {first} already"))
    return problems


def _again(document: Document, name: str, key: str | None) -> Iterator[tuple[Loc, str, int]]:
    """Yield the path and text of each repeated entry, and the line of the first that has the text."""
    entries = document.find((name,))
    first_lines: dict[str, int] = {}
    for i in range(len(entries.value) if entries and isinstance(entries.value, list) else 0):
        loc: Loc = (name, i, key) if key else (name, i)
        node = document.find(loc)
        if node and isinstance(node.value, str):
            value = node.value.strip()
            if value in first_lines:
                yield loc, value[:64], first_lines[value]
            first_lines.setdefault(value, node.place.line)


def _unknown_channels(document: Document) -> list[Problem]:
    """Return a problem for each deliverable whose channel has no spec."""
    entries = document.find(("deliverables",))
    problems = []
    for i in range(len(entries.value) if entries and isinstance(entries.value, list) else 0):
        node = document.find(("deliverables", i, "channel"))
        if node and isinstance(node.value, str) and node.value.strip() not in channels():
            message = f"unknown channel; {suggestion(node.value, channels())}"
            problems.append(_problem(document, ("deliverables", i, "channel"), message))
    return problems


def _feed(path: Path, document: Document, problems: Problems) -> feeds.Feed | None:
    """Read the feed that a document names, even where other parts of the document are wrong."""
    node = document.find(("products", "file"))
    if not node or not isinstance(node.value, str) or not re.search(r"\.(csv|jsonl)$", node.value.strip()):
        return None
    loc = ("products", "file")
    folder = path.parent
    feed = folder / node.value.strip()
    try:
        # A link that leads out of the folder is as good as a path that does.
        if not feed.resolve().is_relative_to(folder.resolve()):
            problems.add(
                _problem(document, loc, "leads out of the campaign's folder; put the feed beside the campaign")
            )
            return None
        if not feed.exists():
            problems.add(_problem(document, loc, f"there is no file '{node.value.strip()[:200]}' beside the campaign"))
            return None
        if not feed.is_file():
            problems.add(_problem(document, loc, "is not a file"))
            return None
    except (OSError, ValueError, RuntimeError) as error:
        problems.add(_problem(document, loc, f"cannot be read: {error}"))
        return None
    return feeds.check(feed, problems)


def _problem(document: Document, loc: Loc, message: str) -> Problem:
    return Problem(document.file, *document.place(loc), field_of(loc), message)


def _id(campaign: Campaign, feed: feeds.Feed | None) -> str:
    """Return the campaign's name and a hash of all that it asks for."""
    content = campaign.model_dump_json() + (feed.sha256 if feed else "")
    return f"{campaign.name}-{sha256(content.encode()).hexdigest()[:8]}"
