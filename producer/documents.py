"""A YAML or JSON text as plain values, with the line and column of every key and value.

Values follow YAML 1.2, so `no` and `2026-01-01` are texts. Nothing in a text makes objects or recursion: tags are
refused, depth and size are bounded, and an alias counts as large as what it stands for.
"""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as default
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from core.errors import CampaignFileError, Problem

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
Loc = tuple[int | str, ...]

# A campaign is four levels deep, and 50 000 products with six keys and values each fill a file of the largest size.
MAX_DEPTH = 16
MAX_VALUES = 1_000_000

# Not text: PostgreSQL, terminals and tokenizers each stumble over some of these.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CONSTANTS: dict[str, Scalar] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_CONSTANTS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
# A number with leading zeros is an article number, and one with more digits than these is no count of anything.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]{0,30})(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s{}\[\],:"]+')


class Place(NamedTuple):
    """Where something begins; lines and columns count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Node:
    """One value: a scalar, a list or a mapping, where it begins, and where its keys do."""

    value: Scalar | list["Node"] | dict[str, "Node"]
    place: Place
    # A scalar as it is written, which tells 14.90 from 14.9.
    source: str = ""
    keys: dict[str, Place] = default(default_factory=dict)
    size: int = 1

    def plain(self) -> Plain:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Document:
    """A text that was read: its values, and the problems found before anybody asked what they mean."""

    file: str
    root: Node | None
    problems: tuple[Problem, ...]

    def find(self, loc: Loc) -> Node | None:
        """Return the value at a path of keys and positions, if there is one."""
        node = self.root
        for key in loc:
            value = node.value if node else None
            if isinstance(value, dict) and isinstance(key, str):
                node = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                node = value[key]
            else:
                return None
        return node

    def text(self, loc: Loc) -> str:
        """Return the text at a path, without space around it; nothing where there is none."""
        node = self.find(loc)
        return node.value.strip() if node and isinstance(node.value, str) else ""

    def length(self, name: str) -> int:
        """Return how many entries the list of this name has."""
        entries = self.find((name,))
        return len(entries.value) if entries and isinstance(entries.value, list) else 0

    def place(self, loc: Loc, *, of_key: bool = False) -> Place:
        """Return where a value (or its key) begins; where it is missing, the place of the nearest value around it."""
        if of_key and (parent := self.find(loc[:-1])) and (place := parent.keys.get(str(loc[-1]))):
            return place
        for length in range(len(loc), -1, -1):
            if node := self.find(loc[:length]):
                return node.place
        return Place(1, 1)


def read_yaml(text: str, file: str) -> Document:
    """Read one YAML document. What cannot be read is a problem of the document, never another error."""
    builder = Builder(file)
    try:
        for event in _events(text, file):
            _build(builder, event)
    except CampaignFileError as error:
        builder.problems.extend(error.problems)
        return Document(file, None, tuple(builder.problems))
    return Document(file, builder.root, tuple(builder.problems))


def read_json(text: str, file: str, first_line: int = 1) -> Document:
    """Read one JSON document that begins on the given line, in the way of `read_yaml`."""
    builder = Builder(file)
    try:
        _check_json(text, file, first_line)
        _build_json(builder, text, first_line)
    except CampaignFileError as error:
        builder.problems.extend(error.problems)
        return Document(file, None, tuple(builder.problems))
    return Document(file, builder.root, tuple(builder.problems))


class Builder:
    """Puts values together in the order in which a text names them; a key is a scalar whose turn it is."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self.file = file
        self._open: list[tuple[Node, str]] = []
        self._key: tuple[str, Place] | None = None
        self._anchors: dict[str, Node] = {}
        self._size = 0

    def scalar(self, value: Scalar, source: str, place: Place, anchor: str = "") -> None:
        """Take a scalar: the next key of the open mapping, or a value."""
        if match := UNPRINTABLE.search(source if not isinstance(value, str) else value):
            self._report(place, f"has the character U+{ord(match[0]):04X}, which is not text; remove it")
        self._count(1, place)
        self._add(Node(value, place, source), anchor)

    def open(self, place: Place, anchor: str = "", *, is_mapping: bool) -> None:
        """Begin a mapping or a list."""
        if self._needs_key():
            raise self._stop(place, "a key must be a plain word, not a list or a mapping")
        if len(self._open) >= MAX_DEPTH:
            raise self._stop(place, f"values are nested more than {MAX_DEPTH} deep")
        node = Node({} if is_mapping else [], place)
        self._count(1, place)
        self._add(node, "")
        self._open.append((node, anchor))

    def close(self) -> None:
        """End the mapping or list that was begun last."""
        node, anchor = self._open.pop()
        # Known only from here on, so that nothing can contain itself.
        if anchor:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1][0].size += node.size - 1

    def alias(self, anchor: str, place: Place) -> None:
        """Put what was named before here once more."""
        if anchor not in self._anchors:
            raise self._stop(place, f"'*{anchor}' stands for nothing: no complete value is named '&{anchor}' above")
        node = self._anchors[anchor]
        self._count(node.size, place)
        self._add(node, "")

    def second(self, place: Place) -> None:
        """Refuse a second document in one file."""
        if self.root is not None:
            raise self._stop(place, "a second document begins here; one file holds one campaign")

    def _needs_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0].value, dict) and self._key is None

    def _add(self, node: Node, anchor: str) -> None:
        if anchor:
            self._anchors[anchor] = node
        if self._needs_key():
            self._take_key(node)
            return
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        parent.size += node.size
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and self._key:
            name, place = self._key
            # Nothing was written, so the key is the nearest thing to point at.
            node.place = node.place if node.source or node.value is not None else place
            parent.value[name] = node
            self._key = None

    def _count(self, size: int, place: Place) -> None:
        self._size += size
        if self._size > MAX_VALUES:
            raise self._stop(place, f"more than {MAX_VALUES} values; put the products into a feed")

    def _take_key(self, node: Node) -> None:
        if isinstance(node.value, dict | list):
            raise self._stop(node.place, "a key must be a plain word, not a list or a mapping")
        parent, name = self._open[-1][0], str(node.value) if isinstance(node.value, str) else node.source
        if first := parent.keys.get(name):
            self._report(node.place, f"the key {name[:60]!r} stands on line {first.line} already")
        parent.keys.setdefault(name, node.place)
        self._key = (name, node.place)

    def _report(self, place: Place, message: str) -> None:
        self.problems.append(Problem(self.file, *place, "", message))

    def _stop(self, place: Place, message: str) -> CampaignFileError:
        return CampaignFileError((Problem(self.file, *place, "", message),))


def _events(text: str, file: str) -> Iterator[Event]:
    """Yield what stands in a YAML text; its mistakes become problems."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise CampaignFileError((Problem(file, *place, "", _yaml_message(error)),)) from error
    except ReaderError as error:
        before = text[: error.position].split("\n")
        message = "has a character that is not text; remove it"
        raise CampaignFileError((Problem(file, len(before), len(before[-1]) + 1, "", message),)) from error
    except (YAMLError, ValueError, OverflowError) as error:
        raise CampaignFileError((Problem(file, 1, 1, "", f"is not valid YAML: {error}"),)) from error


def _yaml_message(error: MarkedYAMLError) -> str:
    """Return what is wrong with the YAML, in words for those who never read its specification."""
    problem = " ".join(str(error.problem or error.context or "unknown mistake").split())
    if "'\\t'" in problem:
        return "a tab stands here; indent with spaces"
    if "mapping values are not allowed" in problem:
        return "a ':' too many; put a text that has ': ' in it into quotes"
    if "could not find expected ':'" in problem:
        return "the line before has no ':' after its key"
    if "expected ',' or" in problem:
        return "a comma or a closing bracket is missing before this"
    if "while scanning a quoted scalar" in str(error.context):
        return "a quote is opened above and never closed"
    return f"is not valid YAML: {problem[:200]}"


def _build(builder: Builder, event: Event) -> None:
    mark = event.start_mark
    place = Place(mark.line + 1, mark.column + 1)
    match event:
        case ScalarEvent():
            _build_scalar(builder, event, place)
        case MappingStartEvent() | SequenceStartEvent():
            _check_tag(builder, event, place, ("map", "seq"))
            builder.open(place, event.anchor or "", is_mapping=isinstance(event, MappingStartEvent))
        case MappingEndEvent() | SequenceEndEvent():
            builder.close()
        case AliasEvent():
            builder.alias(str(event.anchor), place)
        case DocumentStartEvent():
            builder.second(place)
        case _:
            pass


def _build_scalar(builder: Builder, event: ScalarEvent, place: Place) -> None:
    _check_tag(builder, event, place, ("str",))
    text = str(event.value)
    is_plain = event.implicit[0] and not event.style
    if is_plain and text == "<<":
        builder.problems.append(Problem(builder.file, *place, "", "merging with '<<' is not known; write the keys out"))
    builder.scalar(_resolve(text) if is_plain else text, text, place, event.anchor or "")


def _check_tag(
    builder: Builder,
    event: ScalarEvent | MappingStartEvent | SequenceStartEvent,
    place: Place,
    allowed: tuple[str, ...],
) -> None:
    tag = event.tag
    if tag not in (None, "!", *(f"tag:yaml.org,2002:{name}" for name in allowed)):
        builder.problems.append(Problem(builder.file, *place, "", f"the tag {str(tag)[:60]!r} is not known; remove it"))


def _resolve(text: str) -> Scalar:
    """Return what an unquoted scalar means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _check_json(text: str, file: str, first_line: int) -> None:
    """Refuse what is not JSON. Numbers are not read here: their length is bounded later."""
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        message = f"is not valid JSON: {error.msg[0].lower()}{error.msg[1:]}"
        problem = Problem(file, error.lineno + first_line - 1, error.colno, "", message)
        raise CampaignFileError((problem,)) from error
    except RecursionError as error:
        message = f"values are nested more than {MAX_DEPTH} deep"
        raise CampaignFileError((Problem(file, first_line, 1, "", message),)) from error


def _build_json(builder: Builder, text: str, first_line: int) -> None:
    """Build the values of a text that is known to be JSON."""
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    for match in _JSON_TOKEN.finditer(text):
        line = bisect_right(starts, match.start())
        place = Place(line + first_line - 1, match.start() - starts[line - 1] + 1)
        piece = match[0]
        if piece in "{[":
            builder.open(place, is_mapping=piece == "{")
        elif piece in "}]":
            builder.close()
        elif piece.startswith('"'):
            builder.scalar(json.loads(piece), piece[1:-1], place)
        else:
            builder.scalar(_resolve(piece), piece, place)
