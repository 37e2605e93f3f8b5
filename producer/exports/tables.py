"""CSV for spreadsheets and JSONL for programs: one line of copy a row."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from producer.delivered import Line
from producer.exports.written import Written

COLUMNS = {
    "job_id": "the job that made the line",
    "campaign": "id of the campaign",
    "sku": "article number of the product",
    "product": "name of the product",
    "audience": "id of the audience",
    "locale": "language",
    "channel": "where the line will stand",
    "variant": "number of the variant, from 1",
    "style": "how the line begins",
    "text": "the line",
    "characters": "its length in Unicode code points",
    "url": "where the product is sold, if the campaign says so",
    "model": "model and version that wrote it",
    "sha256": "hash of the stored bytes",
    "created_at": "when it was recorded (UTC)",
}


def row_of(line: Line) -> dict[str, str | int]:
    """Return a line as a row with the documented columns."""
    brief = line.brief
    values = (
        line.asset.job_id,
        line.asset.campaign_id,
        brief.product.sku,
        brief.product.name,
        brief.audience.id,
        brief.locale,
        brief.channel,
        line.variant + 1,
        brief.style.value,
        line.text,
        len(line.text),
        brief.product.url or "",
        line.asset.model,
        line.asset.location.sha256,
        datetime.fromtimestamp(line.created_at, UTC).isoformat(timespec="seconds"),
    )
    return dict(zip(COLUMNS, values, strict=True))


class CsvFile:
    """A CSV file that is being written."""

    def __init__(self, file: IO[str], written: Written) -> None:
        self._writer = csv.writer(file)
        self._written = written
        self._writer.writerow(COLUMNS)

    def add(self, line: Line) -> None:
        """Write one line."""
        self._writer.writerow(self._written.cells(list(row_of(line).values())))


def write_csv(lines: Iterable[Line], path: Path) -> Written:
    """Write a CSV file in UTF-8."""
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = CsvFile(file, written)
        for line in lines:
            table.add(line)
            written.assets += 1
    return written


def write_jsonl(lines: Iterable[Line], path: Path) -> Written:
    """Write a JSONL file: the columns of the CSV, where the bytes lie in S3, and the manifest."""
    written = Written()
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json_of(line) + "\n")
            written.assets += 1
            written.rows += 1
    return written


def json_of(line: Line) -> str:
    """Return a line and its manifest as one JSON object."""
    location = line.asset.location.model_dump()
    manifest = line.manifest.model_dump(mode="json") if line.manifest else None
    return json.dumps(row_of(line) | {"location": location, "manifest": manifest}, ensure_ascii=False)
