"""Product feeds: CSV with a header line, or JSONL, read line by line however long they are."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue, ValidationError

from core.errors import CampaignFileError, Problem
from producer.cells import cell_places
from producer.documents import UNPRINTABLE, Builder, Document, Loc, Place, read_json
from producer.problems import Problems, explain, file_name, suggestion
from schemas.campaigns import Product

COLUMNS = tuple(Product.model_fields)
REQUIRED = tuple(name for name, column in Product.model_fields.items() if column.is_required())
# One product is a few kilobytes at most; a longer line is another kind of file.
MAX_LINE_BYTES = 256 * 1024
# A campaign makes at least one job of each product, and no more jobs than this.
MAX_PRODUCTS = 1_000_000


@dataclass(frozen=True)
class Feed:
    """A feed that was read to its end: how many products it holds, and the hash of its bytes."""

    path: Path
    products: int
    sha256: str


@dataclass(frozen=True)
class _Row:
    """One product as it is written; the document, with places, is made only where something is wrong."""

    line: int
    value: JsonValue
    document: Callable[[], Document]


def check(path: Path, problems: Problems) -> Feed:
    """Read a feed once, add everything that is wrong with it to the problems, and return what it holds."""
    lines = _Lines(path, problems)
    first_lines: dict[str, int] = {}
    products = 0
    try:
        for row in _rows(lines):
            products += 1
            if product := _product(row, problems):
                _check_repeat(product, row, lines, first_lines)
            if products > MAX_PRODUCTS:
                lines.stop(f"has more than {MAX_PRODUCTS} products; split the feed")
    except OSError as error:
        lines.report(f"cannot be read: {error.strerror}")
    if not products and not problems:
        lines.report("has no products")
    return Feed(path, products, lines.hash.hexdigest())


def stream(feed: Feed) -> Iterator[Product]:
    """Yield the products of a feed that was checked.

    Raises at the end when it was no longer the file that was checked: keep nothing of what came before.
    """
    problems = Problems()
    lines = _Lines(feed.path, problems)
    try:
        for row in _rows(lines):
            if product := _product(row, problems):
                yield product
            if problems:
                break
    except OSError as error:
        lines.report(f"cannot be read: {error.strerror}")
    if problems:
        raise problems.error()
    if lines.hash.hexdigest() != feed.sha256:
        message = "changed while it was read; run the command again"
        raise CampaignFileError((Problem(file_name(feed.path), 1, 1, "", message),))


class _Lines:
    """The lines of a feed as text, hashed and counted on the way; ends early at a line that cannot be text."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self.path = path
        self.problems = problems
        self.hash = sha256()
        self.count = 0
        # The lines of the row in hand, which is more than one where a quoted text has line ends in it.
        self.taken: list[str] = []
        self.is_stopped = False

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            while not self.is_stopped and (line := file.readline(MAX_LINE_BYTES + 1)):
                self.hash.update(line)
                self.count += 1
                if (text := self._decode(line)) is not None:
                    self.taken.append(text)
                    yield text

    def take(self) -> tuple[int, str]:
        """Return the number of the first line of the row in hand and its text, and begin the next row."""
        first, text = self.count - len(self.taken) + 1, "".join(self.taken)
        self.taken.clear()
        return first, text

    def report(self, message: str, line: int = 1, column: int = 1, field: str = "") -> None:
        """Add a problem of this file."""
        self.problems.add(Problem(file_name(self.path), line, column, field, message))

    def stop(self, message: str, line: int | None = None, column: int = 1) -> None:
        """Add a problem after which the rest of the file would only make noise."""
        self.report(message, line or self.count, column)
        self.is_stopped = True

    def _decode(self, line: bytes) -> str | None:
        if len(line) > MAX_LINE_BYTES:
            self.stop(f"has more than {MAX_LINE_BYTES} bytes in one line; is this a product feed?")
            return None
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            column = len(line[: error.start].decode()) + 1
            self.stop("is not UTF-8 from here on; save it as UTF-8 (in Excel: 'CSV UTF-8')", column=column)
            return None
        return text.removeprefix("\ufeff") if self.count == 1 else text


def _rows(lines: _Lines) -> Iterator[_Row]:
    return _jsonl_rows(lines) if lines.path.suffix == ".jsonl" else _csv_rows(lines)


def _product(row: _Row, problems: Problems) -> Product | None:
    """Return the product of a row, or add what is wrong with it."""
    try:
        product = Product.model_validate(row.value, strict=True)
    except ValidationError as error:
        document = row.document()
        problems.add(*(document.problems or explain(error, document, _keys_at)))
        return None
    if any(isinstance(value, str) and UNPRINTABLE.search(value) for value in product.__dict__.values()):
        problems.add(*row.document().problems)
        return None
    return product


def _keys_at(_loc: Loc) -> tuple[str, ...]:
    return COLUMNS


def _check_repeat(product: Product, row: _Row, lines: _Lines, first_lines: dict[str, int]) -> None:
    """Add a problem when an earlier row has the same sku."""
    if first := first_lines.get(product.sku):
        place = row.document().place(("sku",))
        lines.report(f"'{product.sku}' stands on line {first} already", *place, field="sku")
    first_lines.setdefault(product.sku, row.line)


def _csv_rows(lines: _Lines) -> Iterator[_Row]:
    reader = csv.reader(lines, strict=True)
    header: list[str] | None = None
    while True:
        lines.take()
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            _report_unreadable(lines, error, is_header=header is None)
            continue
        if not any(cell.strip() for cell in cells):
            continue
        line, text = lines.take()
        if header is None:
            header = [cell.strip() for cell in cells]
            _check_header(header, text, line, lines)
        elif len(cells) != len(header):
            _report_ragged(cells, header, text, line, lines)
        else:
            yield _csv_row(lines, header, cells, line, text)
    if header is None and not lines.problems:
        lines.report(f"is empty; its first line names the columns: {','.join(COLUMNS)}")


def _csv_row(lines: _Lines, header: list[str], cells: list[str], line: int, text: str) -> _Row:
    value: dict[str, JsonValue] = {
        name: cell for name, cell in zip(header, cells, strict=True) if cell and not cell.isspace()
    }
    return _Row(line, value, lambda: _csv_document(file_name(lines.path), header, cells, cell_places(text, line)))


def _csv_document(file: str, header: list[str], cells: list[str], places: list[Place]) -> Document:
    builder = Builder(file)
    builder.open(places[0], is_mapping=True)
    for name, cell, place in zip(header, cells, places, strict=True):
        if cell.strip():
            builder.scalar(name, name, place)
            builder.scalar(cell, cell, place)
    builder.close()
    return Document(file, builder.root, tuple(builder.problems))


def _check_header(header: list[str], text: str, line: int, lines: _Lines) -> None:
    """Stop at a header that does not say which cell is what."""
    places = cell_places(text, line)
    for separator, name in ((";", "';'"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            lines.stop(f"columns are separated by {name}; this feed needs commas", line)
            return
    for i, column in enumerate(header):
        if column not in COLUMNS:
            lines.stop(f"unknown column {column[:60]!r}; {suggestion(column, COLUMNS)}", *places[i])
        elif column in header[:i]:
            lines.stop(f"the column '{column}' is there twice", *places[i])
    for column in REQUIRED:
        if column not in header:
            lines.stop(f"the column '{column}' is missing; the first line names the columns", line)


def _report_ragged(cells: list[str], header: list[str], text: str, line: int, lines: _Lines) -> None:
    count = f"has {len(cells)} cell{'s' if len(cells) > 1 else ''} where the header has {len(header)}"
    if len(cells) > len(header):
        place = cell_places(text, line)[len(header)]
        lines.report(f"{count}; put a text that has a comma in it into quotes", *place)
    else:
        lines.report(f"{count}; an empty cell still needs its comma", line)


def _report_unreadable(lines: _Lines, error: csv.Error, *, is_header: bool) -> None:
    """Add what the csv module could not read; go on where the next row is known to be whole."""
    line, _ = lines.take()
    if lines.is_stopped:
        return
    if "expected after" in str(error):
        report = lines.stop if is_header else lines.report
        report('a quoted text goes on after its closing quote; write a quote inside a text as ""', line)
    elif "new-line" in str(error):
        lines.stop("has lines that end with a bare carriage return; save it with LF or CRLF line ends", line)
    else:
        lines.stop("a quote is opened in this row and not closed", line)


def _jsonl_rows(lines: _Lines) -> Iterator[_Row]:
    for text in lines:
        line, _ = lines.take()
        if text.strip():
            yield _jsonl_row(file_name(lines.path), text, line)


def _jsonl_row(file: str, text: str, line: int) -> _Row:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_int=float)
    except (ValueError, RecursionError):
        # Read again below, by the reader that knows places: no product is made of this value.
        value = None
    return _Row(line, _without_nulls(value), lambda: _jsonl_document(text.rstrip("\r\n"), file, line))


def _jsonl_document(text: str, file: str, line: int) -> Document:
    """Return the line with its places; `null` means absent, as an empty cell does."""
    document = read_json(text, file, line)
    if document.root and isinstance(document.root.value, dict):
        cells = document.root.value
        document.root.value = {key: node for key, node in cells.items() if node.value is not None}
    return document


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the pairs as a mapping; raise where a key is there twice."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError(pairs)
    return values


def _without_nulls(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: cell for key, cell in value.items() if cell is not None}
    return value
