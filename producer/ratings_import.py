"""Take ratings and results out of a CSV file into the ledger: in parts, in bounded memory, the same file twice once.

What is imported goes straight into the ledger: it lies in a file already, so no queue needs to keep it, and a line that
cannot be recorded is named with its place.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from core.errors import Problem, StateError
from core.ledger import Ledger
from core.ledger.feedback import MOST_AT_ONCE
from producer.ratings_file import RatingsFile, Row
from schemas.ratings import Feedback

YES = {"yes", "y", "true", "1", "approve", "approved", "up"}
NO = {"no", "n", "false", "0", "reject", "rejected", "down"}
# 1,234,567 and 1.234.567, as spreadsheets of different countries write it.
THOUSANDS = re.compile(r"^\d{1,3}(?:[.,' ]\d{3})+$")
DECIMAL_COMMA = re.compile(r"^\d+,\d+$")


@dataclass
class Imported:
    """What became of the lines of a file."""

    has_results: bool
    recorded: int = 0
    # Lines that an earlier import of the same file recorded.
    known: int = 0
    wrong: int = 0
    ignored_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Origin:
    """What lines do not say themselves: whose assets they are about, who rates, where results come from, and when."""

    tenant: str
    rater: str
    source: str
    at: float


def import_file(path: Path, ledger: Ledger, origin: Origin, tell: Callable[[Problem], None]) -> Imported:
    """Import a file; tell every line that is wrong, and go on. Raises CampaignFileError for a header that is."""
    try:
        with path.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()[:24]
            opened.seek(0)
            file = RatingsFile(path, opened)
            imported = Imported(file.header.has_results, ignored_columns=file.header.ignored)
            read = _read(file, digest, origin)
            while part := list(islice(read, MOST_AT_ONCE)):
                problems = [*_record(ledger, file, part, imported), *(one for one in part if isinstance(one, Problem))]
                imported.wrong += len(problems)
                for problem in sorted(problems, key=lambda one: one.line):
                    tell(problem)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    return imported


def _read(file: RatingsFile, digest: str, origin: Origin) -> Iterator[tuple[Row, Feedback] | Problem]:
    """Yield what each line says, or what is wrong with it."""
    for row in file.rows():
        if isinstance(row, Problem):
            yield row
            continue
        try:
            yield row, _message(row, f"{digest}-{row.line:09d}", origin, has_results=file.header.has_results)
        except CellError as error:
            yield file.problem(row, error.field, str(error))


def _record(
    ledger: Ledger, file: RatingsFile, part: Sequence[tuple[Row, Feedback] | Problem], imported: Imported
) -> Iterator[Problem]:
    """Record the messages among these; yield what the ledger refuses."""
    pairs = [one for one in part if not isinstance(one, Problem)]
    receipts = ledger.intake.record([message for _, message in pairs])
    for (row, _), receipt in zip(pairs, receipts, strict=True):
        if receipt.refusal:
            field, _, message = receipt.refusal.partition(": ")
            yield file.problem(row, field, message)
        elif receipt.is_new:
            imported.recorded += 1
        else:
            imported.known += 1


class CellError(Exception):
    """What is wrong with a cell. Never leaves this module."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def _message(row: Row, message_id: str, origin: Origin, *, has_results: bool) -> Feedback:
    cells = dict(row.cells)
    content = _results(cells, origin) if has_results else _rating(cells)
    at = _moment(cells["at"]) if "at" in cells else origin.at
    plain = {
        "id": message_id,
        "tenant": origin.tenant,
        "rater": cells.get("rater", origin.rater),
        "at": at,
        "content": {"job_id": cells.get("job_id", "")} | content,
    }
    try:
        return Feedback.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][-1]) if first["loc"] else ""
        text = first["msg"].removeprefix("Value error, ")
        if field == "job_id":
            text = "is no id of a job" if cells.get("job_id") else "is empty: it says which asset the line is about"
        raise CellError("" if field in {"rating", "results", "content"} else field, text) from error


def _rating(cells: Mapping[str, str]) -> dict[str, object]:
    content: dict[str, object] = {"type": "rating", "comment": cells.get("comment", "")}
    if "stars" in cells:
        content["stars"] = _whole("stars", cells["stars"])
    if "approves" in cells:
        content["approves"] = _answer(cells["approves"])
    if "reason" in cells:
        # Whoever gives a reason rejects.
        content |= {"reason": cells["reason"].lower(), "approves": content.get("approves", False)}
    return content


def _results(cells: Mapping[str, str], origin: Origin) -> dict[str, object]:
    content: dict[str, object] = {"type": "results", "source": cells.get("source", origin.source)}
    for name in ("impressions", "clicks"):
        if name in cells:
            content[name] = _whole(name, cells[name])
    if "conversions" in cells:
        content["conversions"] = _number("conversions", cells["conversions"])
    if "day" in cells:
        content["day"] = _day(cells["day"])
    return content


def _answer(cell: str) -> bool:
    if cell.lower() in YES:
        return True
    if cell.lower() in NO:
        return False
    raise CellError("approves", f"{cell[:60]!r} is neither yes nor no")


def _whole(field: str, cell: str) -> int:
    plain = re.sub(r"[.,' ]", "", cell) if THOUSANDS.match(cell) else cell
    # Some spreadsheets write every number with decimals.
    plain = re.sub(r"[.,]0+$", "", plain)
    if not (plain.isascii() and plain.isdigit() and len(plain) < 16):
        raise CellError(field, f"{cell[:60]!r} is no whole number")
    return int(plain)


def _number(field: str, cell: str) -> float:
    plain = cell.replace(",", ".") if DECIMAL_COMMA.match(cell) else cell
    if not re.fullmatch(r"\d{1,15}(\.\d{1,15})?", plain):
        raise CellError(field, f"{cell[:60]!r} is no number such as 12 or 3.5")
    return float(plain)


def _day(cell: str) -> str:
    try:
        return datetime.strptime(cell, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError as error:
        raise CellError("day", f"{cell[:60]!r} is no day: write it as 2026-11-26") from error


def _moment(cell: str) -> float:
    try:
        at = datetime.fromisoformat(cell)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise CellError("at", f"{cell[:60]!r} is no time: write it as 2026-11-26T09:30:00Z") from error
