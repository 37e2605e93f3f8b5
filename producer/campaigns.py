"""Read a campaign file: everything that is wrong with it at once, or the campaign and its products."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from json import dumps
from pathlib import Path

from pydantic import BaseModel, ValidationError

from core.errors import CampaignFileError, Problem
from core.windows import window_problem, written, zone_problem
from producer import creatives, feeds, logos, music
from producer.documents import Document, Loc, read_json, read_yaml
from producer.logos import Logo
from producer.problems import Problems, explain, file_name, problem_at, suggestion
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import (
    Audience,
    Brand,
    Budget,
    Campaign,
    CopyDeliverable,
    CreativeDeliverable,
    Deliverable,
    ImageDeliverable,
    Kind,
    MusicDeliverable,
    Product,
    ProductFeed,
)
from schemas.channels import channels
from schemas.music import music_channels
from schemas.pictures import picture_channels

# Reading this much YAML takes a quarter of a minute; more products than that belong into a feed.
MAX_BYTES = 5_000_000

# Which keys are known where, for suggestions; a path without the positions in its lists.
_MODELS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Campaign,
    ("brand",): Brand,
    ("products",): ProductFeed,
    ("products", "#"): Product,
    ("audiences", "#"): Audience,
    ("budget",): Budget,
}
_DELIVERABLES: dict[str, type[BaseModel]] = {
    Kind.COPY: CopyDeliverable,
    Kind.IMAGE: ImageDeliverable,
    Kind.CREATIVE: CreativeDeliverable,
    Kind.MUSIC: MusicDeliverable,
}
_STYLES_OF_ALL = {"__all__": {"styles": True}}
# Lists in which two entries must differ: the list, the keys that tell them apart, and the way out.
_DISTINCT = (
    ("products", ("sku",), "give each product its own sku"),
    ("audiences", ("id",), "give each audience its own id"),
    ("deliverables", ("channel", "kind"), "raise the variants of the first instead"),
    ("locales", (), ""),
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
    logo: Logo | None = None

    def products(self) -> Iterator[Product]:
        """Yield every product, a feed's straight from its file; raises when the feed has changed since it was read."""
        if self.feed:
            return feeds.stream(self.feed)
        return iter(self.campaign.products if isinstance(self.campaign.products, tuple) else ())


def read(path: Path, tenant: str = DEFAULT_TENANT) -> CampaignSource:
    """Read and check a campaign file and its feed; raises CampaignFileError with every problem found."""
    return _source(path, _document(path, _bytes(path, file_name(path))), path.parent, tenant)


def received(data: bytes, name: str, tenant: str) -> CampaignSource:
    """Check a campaign that came without a folder, as `read` does; what would lie beside it is a problem.

    The name says whether it is YAML or JSON. A campaign of one tenant never has the id of another tenant's.
    """
    path = Path(name)
    return _source(path, _document(path, data), None, tenant)


def on_occasion(source: CampaignSource, campaign: Campaign, occasion: str, tenant: str) -> CampaignSource:
    """Return another campaign on the same files, made of the one that was read; each occasion is a campaign."""
    own_id = _id(campaign, source.feed, source.logo, tenant, occasion)
    return replace(source, campaign=campaign, id=own_id)


def _source(path: Path, document: Document, folder: Path | None, tenant: str) -> CampaignSource:
    problems = Problems()
    problems.add(*document.problems)
    campaign = None
    if document.root or not problems:
        campaign, found = _campaign(document)
        found += _repeats(document) + _wrong_deliverables(document)
        found += _wrong_window(document, {problem.field for problem in found})
        problems.add(*sorted(found, key=lambda problem: (problem.line, problem.column)))
    if folder is None:
        problems.add(*_beside(document))
        feed, logo = None, None
    else:
        feed = _feed(folder, document, problems)
        logo = logos.read(folder, document, problems)
    if campaign is None or problems:
        raise problems.error()
    inline = campaign.products if isinstance(campaign.products, tuple) else ()
    count = feed.products if feed else len(inline)
    return CampaignSource(path, campaign, _id(campaign, feed, logo, tenant), count, document, feed, logo)


def _document(path: Path, data: bytes) -> Document:
    """Return the values of a file with their places."""
    file = file_name(path)
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
        return None, explain(error, document, partial(_keys_at, document))


def _keys_at(document: Document, loc: Loc) -> tuple[str, ...]:
    model = _MODELS.get(tuple("#" if isinstance(key, int) else key for key in loc))
    if loc[:1] == ("deliverables",):
        model = _DELIVERABLES.get(document.text((*loc, "kind")))
    return tuple(model.model_fields) if model else ()


def _repeats(document: Document) -> list[Problem]:
    """Return a problem for each entry of a list that is there already."""
    problems = []
    for name, keys, way_out in _DISTINCT:
        first_lines: dict[tuple[str, ...], int] = {}
        for i in range(document.length(name)):
            locs: list[Loc] = [(name, i, key) for key in keys] or [(name, i)]
            value = tuple(document.text(loc) for loc in locs)
            if value[0] and value in first_lines:
                message = f"'{value[0][:64]}' stands on line {first_lines[value]} already"
                problems.append(problem_at(document, locs[0], f"{message}; {way_out}" if way_out else message))
            first_lines.setdefault(value, document.place(locs[0]).line)
    return problems


def _wrong_deliverables(document: Document) -> list[Problem]:
    """Return a problem for each deliverable whose channel has no spec, or whose parts the campaign does not make."""
    problems = []
    made = {kind: _channels_of(document, kind) for kind in (Kind.COPY, Kind.IMAGE)}
    for i in range(document.length("deliverables")):
        loc: Loc = ("deliverables", i)
        kind, channel = document.text((*loc, "kind")), document.text((*loc, "channel"))
        known = _channels_for(kind)
        if channel and channel not in known:
            message = f"unknown channel; {suggestion(channel, known)}"
            problems.append(problem_at(document, (*loc, "channel"), message))
        if kind == Kind.CREATIVE:
            problems += creatives.missing_parts(document, loc, made)
    return problems + creatives.impossible(document) + music.impossible(document)


def _wrong_window(document: Document, wrong: set[str]) -> Iterator[Problem]:
    """Yield a problem for a window that never opens, and a time zone that there is not, where nothing else is wrong."""
    for name, problem_of in (("window", window_problem), ("timezone", zone_problem)):
        text = document.text((name,))
        if text and name not in wrong and (message := problem_of(text)):
            yield problem_at(document, (name,), message)


def _channels_for(kind: str) -> list[str]:
    """Return the channels of a kind; of all kinds, where it is missing."""
    known: dict[str, list[str]] = {Kind.COPY: list(channels()), Kind.MUSIC: list(music_channels())}
    if not kind:
        return [*channels(), *picture_channels(), *music_channels()]
    return known.get(kind, list(picture_channels()))


def _channels_of(document: Document, kind: Kind) -> list[str]:
    entries: list[Loc] = [("deliverables", i) for i in range(document.length("deliverables"))]
    return [document.text((*loc, "channel")) for loc in entries if document.text((*loc, "kind")) == kind]


def _beside(document: Document) -> Iterator[Problem]:
    """Yield a problem for each file that a campaign without a folder names."""
    for loc, way_out in (
        (("products", "file"), "write the products into the campaign"),
        (("brand", "logo"), "remove it"),
    ):
        node = document.find(loc)
        if node is not None and node.value is not None:
            yield problem_at(document, loc, f"no files come with a campaign that is sent; {way_out}")


def _feed(folder: Path, document: Document, problems: Problems) -> feeds.Feed | None:
    """Read the feed that a document names, even where other parts of the document are wrong."""
    node = document.find(("products", "file"))
    if not node or not isinstance(node.value, str) or not re.search(r"\.(csv|jsonl)$", node.value.strip()):
        return None
    loc = ("products", "file")
    feed = folder / node.value.strip()
    try:
        # A link that leads out of the folder is as good as a path that does.
        if not feed.resolve().is_relative_to(folder.resolve()):
            problems.add(
                problem_at(document, loc, "leads out of the campaign's folder; put the feed beside the campaign")
            )
            return None
        if not feed.exists():
            problems.add(
                problem_at(document, loc, f"there is no file '{node.value.strip()[:200]}' beside the campaign")
            )
            return None
        if not feed.is_file():
            problems.add(problem_at(document, loc, "is not a file"))
            return None
    except (OSError, ValueError, RuntimeError) as error:
        problems.add(problem_at(document, loc, f"cannot be read: {error}"))
        return None
    return feeds.check(feed, problems)


def _id(campaign: Campaign, feed: feeds.Feed | None, logo: Logo | None, tenant: str, occasion: str = "") -> str:
    """Return the campaign's name and a hash of all that it asks for, of who asks, and on which occasion."""
    # What came later into the contract is added only where it is used, so that no campaign changes its id.
    content = campaign.model_dump_json(exclude={"window": True, "timezone": True, "deliverables": _STYLES_OF_ALL})
    content += (feed.sha256 if feed else "") + (logo.key if logo else "")
    content += f"tenant {tenant}" if tenant != DEFAULT_TENANT else ""
    content += "".join(_styles(number, one) for number, one in enumerate(campaign.deliverables))
    content += f"window {written(campaign.window, campaign.timezone)}" if campaign.window else ""
    content += f"occasion {occasion}" if occasion else ""
    return f"{campaign.name}-{sha256(content.encode()).hexdigest()[:8]}"


def _styles(number: int, deliverable: Deliverable) -> str:
    named = deliverable.styles if isinstance(deliverable, CopyDeliverable) else None
    return f"styles {number} {named if isinstance(named, str) else ' '.join(named)}" if named else ""
