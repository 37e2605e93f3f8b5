"""Ratings and results in a CSV file, line by line: spreadsheets write many kinds, and a bad line spoils no other.

A row is at most some lines long, so that one forgotten quote does not swallow the rest of the file.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.errors import CampaignFileError, Problem
from producer.cells import cell_places, is_open
from producer.exports.written import FORMULA_MARKS
from producer.problems import file_name, suggestion

SEPARATORS = (",", ";", "\t")
MOST_LINE_BYTES = 64 * 1024
MOST_LINES_OF_A_ROW = 50
RATING_COLUMNS = ("stars", "approves", "reason", "comment", "rater", "at")
RESULT_COLUMNS = ("impressions", "clicks", "conversions", "day", "source")
# What a spreadsheet would compute, with the apostrophes that keep it from that.
_FORMULA = re.compile(f"'*[{re.escape(''.join(FORMULA_MARKS))}]")
# What of these a file has says which of the two it is.
_RATES, _COUNTS = {"stars", "approves", "reason"}, {"impressions", "clicks", "conversions"}
# How others call our columns.
ALIASES = {
    "asset_id": "job_id",
    "job": "job_id",
    "date": "day",
    "impr.": "impressions",
    "conv.": "conversions",
    "approved": "approves",
}


@dataclass(frozen=True)
class Header:
    """What the first line says: how cells are separated, which column is where, and which are not looked at."""

    separator: str
    places: Mapping[str, int]
    width: int
    ignored: tuple[str, ...]
    has_results: bool


@dataclass(frozen=True)
class Row:
    """One row: its line, its text, and its cells by column, empty ones left out."""

    line: int
    text: str
    cells: Mapping[str, str]


class RatingsFile:
    """A file that is read once, from the top; `header` is known at once, and raises CampaignFileError."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._name = file_name(path)
        self._file = file
        self._count = 0
        # Lines that were read in search of the end of a row, and belong to the next ones.
        self._ahead: deque[tuple[int, str | Problem]] = deque()
        self.header = self._read_header()

    def rows(self) -> Iterator[Row | Problem]:
        """Yield each row, and for a row that cannot be read what is wrong with it."""
        while (taken := self._next_line()) is not None:
            line, text = taken
            if isinstance(text, Problem):
                yield text
            elif text.strip():
                yield self._row(line, text)

    def problem(self, row: Row, field: str, message: str) -> Problem:
        """Return a problem of a row, with the place of the cell it is about."""
        places = cell_places(row.text, row.line, self.header.separator)
        index = self.header.places.get(field, 0)
        place = places[index] if index < len(places) else places[0]
        return Problem(self._name, place.line, place.column, field, message)

    def _row(self, line: int, text: str) -> Row | Problem:
        further: list[tuple[int, str | Problem]] = []
        while is_open(text, self.header.separator):
            taken = self._next_line() if len(further) < MOST_LINES_OF_A_ROW else None
            if taken is not None:
                further.append(taken)
            if taken is None or isinstance(taken[1], Problem):
                self._ahead.extendleft(reversed(further))
                return self._at(line, 1, "a quote is opened in this row and not closed")
            text += taken[1]
        return self._cells(line, text)

    def _cells(self, line: int, text: str) -> Row | Problem:
        try:
            cells = next(csv.reader([text], delimiter=self.header.separator, strict=True))
        except csv.Error:
            return self._at(line, 1, 'a quoted text goes on after its closing quote; write a quote inside a text as ""')
        # Spreadsheets write empty cells behind the last column, or leave empty ones away.
        if len(cells) > self.header.width and any(cell.strip() for cell in cells[self.header.width :]):
            place = cell_places(text, line, self.header.separator)[self.header.width]
            message = f"has {len(cells)} cells where the header has {self.header.width}; put texts into quotes"
            return self._at(place.line, place.column, message)
        found = {name: cells[i].strip() for name, i in self.header.places.items() if i < len(cells)}
        plain = {name: unescaped(cell).replace("\r\n", "\n") for name, cell in found.items() if cell}
        return Row(line, text, plain)

    def _read_header(self) -> Header:
        line, text = self._next_line() or (1, "")
        while not isinstance(text, Problem) and not text.strip():
            taken = self._next_line()
            if taken is None:
                raise CampaignFileError((self._at(1, 1, "is empty; its first line names the columns"),))
            line, text = taken
        if isinstance(text, Problem):
            raise CampaignFileError((text,))
        separator = max(SEPARATORS, key=text.count)
        names = [_known(cell) for cell in next(csv.reader([text], delimiter=separator))]
        self._check_header(names, text, line, separator)
        known = {"job_id", *RATING_COLUMNS, *RESULT_COLUMNS}
        places = {name: i for i, name in enumerate(names) if name in known}
        ignored = tuple(name for name in names if name and name not in known)
        return Header(separator, places, len(names), ignored, not _COUNTS.isdisjoint(names))

    def _check_header(self, names: list[str], text: str, line: int, separator: str) -> None:
        columns = ("job_id", *RATING_COLUMNS, *RESULT_COLUMNS)
        places = cell_places(text, line, separator)
        problems = [
            self._at(place.line, place.column, f"the column '{name}' is there twice")
            for i, (name, place) in enumerate(zip(names, places, strict=False))
            if name in columns and name in names[:i]
        ]
        if "job_id" not in names:
            told = suggestion(names[0], columns) if names[0] else "it says which asset a line is about"
            problems.append(self._at(line, 1, f"the column 'job_id' is missing; {told}"))
        if _RATES.isdisjoint(names) and _COUNTS.isdisjoint(names):
            wanted = "stars, approves or reason for ratings; impressions, clicks or conversions for results"
            problems.append(self._at(line, 1, f"there is no column that says anything: {wanted}"))
        if not _RATES.isdisjoint(names) and not _COUNTS.isdisjoint(names):
            problems.append(self._at(line, 1, "has columns of ratings and of results: make two files of it"))
        if problems:
            raise CampaignFileError(tuple(problems))

    def _next_line(self) -> tuple[int, str | Problem] | None:
        if self._ahead:
            return self._ahead.popleft()
        data = self._file.readline(MOST_LINE_BYTES)
        if not data:
            return None
        self._count += 1
        if len(data) == MOST_LINE_BYTES and not data.endswith(b"\n"):
            while (rest := self._file.readline(MOST_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            return self._count, self._at(self._count, 1, f"has more than {MOST_LINE_BYTES} bytes")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            column = len(data[: error.start].decode()) + 1
            message = "is not UTF-8 from here on; save the file as UTF-8 (in Excel: 'CSV UTF-8')"
            return self._count, self._at(self._count, column, message)
        return self._count, text.removeprefix("\ufeff") if self._count == 1 else text

    def _at(self, line: int, column: int, message: str) -> Problem:
        return Problem(self._name, line, column, "", message)


def escaped(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, and that `unescaped` gives back as it was."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from taking it for a formula."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell


def _known(cell: str) -> str:
    name = "_".join(cell.strip().lower().split())
    return ALIASES.get(name, name)
