"""CSV for spreadsheets and JSONL for programs: one asset a row."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from producer.delivered import Delivery
from producer.exports.written import Written
from schemas.campaigns import Kind

COLUMNS = {
    "job_id": "the job that made the asset",
    "campaign": "id of the campaign",
    "sku": "article number of the product; `brand` for music",
    "product": "name of the product; of the brand for music",
    "audience": "id of the audience",
    "locale": "language",
    "kind": "copy, image, creative or music",
    "channel": "where the asset will stand",
    "variant": "number of the variant, from 1",
    "style": "how a line begins; empty for what is no line",
    "text": "the line; of a picture, what it shows; of music, what it is like",
    "characters": "length of the line in Unicode code points; empty for what is no line",
    "url": "where the product is sold, if the campaign says so",
    "model": "model and version that made it",
    "sha256": "hash of the stored bytes",
    "created_at": "when it was recorded (UTC)",
}


def row_of(one: Delivery) -> dict[str, str | int]:
    """Return an asset as a row with the documented columns."""
    brief = one.brief
    values = (
        one.asset.job_id,
        one.asset.campaign_id,
        brief.product.sku,
        brief.product.name,
        brief.audience.id,
        brief.locale,
        one.kind.value,
        brief.channel,
        one.variant + 1,
        brief.style.value if one.kind == Kind.COPY else "",
        one.text,
        len(one.text) if one.kind == Kind.COPY else "",
        brief.product.url or "",
        one.asset.model,
        one.asset.location.sha256,
        datetime.fromtimestamp(one.created_at, UTC).isoformat(timespec="seconds"),
    )
    return dict(zip(COLUMNS, values, strict=True))


class CsvFile:
    """A CSV file that is being written."""

    def __init__(self, file: IO[str], written: Written) -> None:
        self._writer = csv.writer(file)
        self._written = written
        self._writer.writerow(COLUMNS)

    def add(self, one: Delivery) -> None:
        """Write one asset."""
        self._writer.writerow(self._written.cells(list(row_of(one).values())))


def write_csv(made: Iterable[Delivery], path: Path) -> Written:
    """Write a CSV file in UTF-8."""
    written = Written()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = CsvFile(file, written)
        for one in made:
            table.add(one)
            written.kinds[one.kind] += 1
    return written


def write_jsonl(made: Iterable[Delivery], path: Path) -> Written:
    """Write a JSONL file: the columns of the CSV, where the bytes lie in S3, and the manifest."""
    written = Written()
    with path.open("w", encoding="utf-8") as file:
        for one in made:
            file.write(json_of(one) + "\n")
            written.kinds[one.kind] += 1
            written.rows += 1
    return written


def json_of(one: Delivery) -> str:
    """Return an asset and its manifest as one JSON object."""
    location = one.asset.location.model_dump()
    manifest = one.manifest.model_dump(mode="json") if one.manifest else None
    return json.dumps(row_of(one) | {"location": location, "manifest": manifest}, ensure_ascii=False)
