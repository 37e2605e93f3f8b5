"""Write ratings to a file, row by row: CSV that is harmless in a spreadsheet and can be imported again, or JSONL."""

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from core.errors import StateError
from core.ledger import Ledger
from core.ledger.ratings import KeptRating
from producer.export import replacing
from producer.ratings_file import escaped

COLUMNS = ("job_id", "campaign", "rater", "stars", "approves", "reason", "comment", "at", "is_current")


class RatingsFormat(StrEnum):
    """What a file of ratings looks like."""

    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True)
class ExportedRatings:
    """What was written and where."""

    path: Path
    format: RatingsFormat
    ratings: int


def format_of(to: Path) -> RatingsFormat:
    """Return the format that the name of a file asks for."""
    return RatingsFormat.JSONL if to.suffix == ".jsonl" else RatingsFormat.CSV


def export_ratings(
    ledger: Ledger,
    to: Path,
    form: RatingsFormat,
    campaign_id: str | None = None,
    *,
    with_history: bool = False,
    force: bool = False,
) -> ExportedRatings:
    """Write the ratings that count, or all there ever were; the file is there whole or not at all."""
    kept = ledger.ratings.all(campaign_id, with_history=with_history)
    try:
        with replacing(to, force=force, is_folder=False) as draft:
            written = _write_csv(kept, draft) if form is RatingsFormat.CSV else _write_jsonl(kept, draft)
    except OSError as error:
        raise StateError(f"cannot write {error.filename or to}: {error.strerror}") from error
    return ExportedRatings(to, form, written)


def _write_csv(kept: Iterable[KeptRating], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for one in kept:
            table.writerow(map(_cell, _row(one).values()))
            count += 1
    return count


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else escaped(str(value))


def _write_jsonl(kept: Iterable[KeptRating], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for one in kept:
            file.write(json.dumps(_row(one), ensure_ascii=False) + "\n")
            count += 1
    return count


def _row(one: KeptRating) -> dict[str, object]:
    at = datetime.fromtimestamp(one.rated_at, UTC).isoformat(timespec="microseconds")
    values = (one.job_id, one.campaign_id, one.rater, one.stars, one.approves, one.reason, one.comment, at)
    return dict(zip(COLUMNS, (*values, one.is_current), strict=True))
