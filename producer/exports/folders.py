"""A folder or a ZIP with a text file for each line, a table of all of them, and their manifests."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

from producer.delivered import Line
from producer.exports.tables import CsvFile, json_of
from producer.exports.written import Written

TABLE = "index.csv"
MANIFESTS = "manifests.jsonl"
# A ZIP of the same lines has the same bytes: it says nothing of the day on which it was packed.
DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def name_of(line: Line) -> str:
    """Return the path of a line below the folder; all parts are checked names, so none leads out of it."""
    brief = line.brief
    file = f"{brief.product.sku}--{brief.audience.id}--{brief.locale}--{line.variant + 1}.txt"
    return f"{brief.channel}/{file}"


def write_files(lines: Iterable[Line], folder: Path) -> Written:
    """Write a folder."""
    written = Written()
    with (
        (folder / TABLE).open("w", encoding="utf-8", newline="") as table_file,
        (folder / MANIFESTS).open("w", encoding="utf-8") as manifests,
    ):
        table = CsvFile(table_file, written)
        for line in lines:
            path = folder / name_of(line)
            path.parent.mkdir(exist_ok=True)
            path.write_text(line.text + "\n", encoding="utf-8")
            table.add(line)
            manifests.write(json_of(line) + "\n")
            written.assets += 1
    return written


def write_zip(lines: Iterable[Line], path: Path) -> Written:
    """Write a ZIP with the same files as the folder."""
    written = Written()
    table_text, manifests = io.StringIO(newline=""), io.StringIO()
    table = CsvFile(table_text, written)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for line in lines:
            _add(archive, name_of(line), line.text + "\n")
            table.add(line)
            manifests.write(json_of(line) + "\n")
            written.assets += 1
        _add(archive, TABLE, table_text.getvalue())
        _add(archive, MANIFESTS, manifests.getvalue())
    return written


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, DAY_OF_ZIP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, text.encode())
