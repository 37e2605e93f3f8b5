"""A folder or a ZIP with a file for each asset, a page that shows them, a table of them, and their manifests."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from producer.delivered import Delivery
from producer.exports import contact_sheet
from producer.exports.contact_sheet import ContactSheet
from producer.exports.tables import CsvFile, json_of
from producer.exports.written import Written
from schemas.campaigns import Kind

TABLE = "index.csv"
MANIFESTS = "manifests.jsonl"
# What lies beside the folders of the assets.
FILES = {contact_sheet.FILE, TABLE, MANIFESTS}
# Lines lie in folders of their channels; what has files of its own lies in one of its kind first.
FOLDERS = {Kind.IMAGE: "images", Kind.CREATIVE: "creatives", Kind.MUSIC: "music"}
# A ZIP of the same assets has the same bytes: it says nothing of the day on which it was packed.
DAY_OF_ZIP = (1980, 1, 1, 0, 0, 0)


def name_of(one: Delivery) -> str:
    """Return the path of an asset below the folder; all parts are checked names, so none leads out of it."""
    brief = one.brief
    ending = "txt" if one.kind == Kind.COPY else one.asset.location.key.rpartition(".")[2]
    file = f"{brief.product.sku}--{brief.audience.id}--{brief.locale}--{one.variant + 1}.{ending}"
    return "/".join(part for part in (FOLDERS.get(one.kind), brief.channel, file) if part)


def files_of(one: Delivery) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of an asset, then of its companions, which differ from it by their endings."""
    name = name_of(one)
    yield name, one.data
    for ending, data in one.companions.items():
        yield f"{name.rpartition('.')[0]}.{ending}", data


def write_files(made: Iterable[Delivery], folder: Path, sheet: ContactSheet) -> Written:
    """Write a folder."""
    written = Written()
    with (
        (folder / TABLE).open("w", encoding="utf-8", newline="") as table_file,
        (folder / MANIFESTS).open("w", encoding="utf-8") as manifests,
    ):
        table = CsvFile(table_file, written)
        for one in made:
            for name, data in files_of(one):
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            sheet.add(one, name_of(one))
            table.add(one)
            manifests.write(json_of(one) + "\n")
            written.kinds[one.kind] += 1
    (folder / contact_sheet.FILE).write_text(sheet.html(), encoding="utf-8")
    return written


def write_zip(made: Iterable[Delivery], path: Path, sheet: ContactSheet) -> Written:
    """Write a ZIP with the same files as the folder."""
    written = Written()
    table_text, manifests = io.StringIO(newline=""), io.StringIO()
    table = CsvFile(table_text, written)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in made:
            for name, data in files_of(one):
                _add(archive, name, data)
            sheet.add(one, name_of(one))
            table.add(one)
            manifests.write(json_of(one) + "\n")
            written.kinds[one.kind] += 1
        _add(archive, contact_sheet.FILE, sheet.html().encode())
        _add(archive, TABLE, table_text.getvalue().encode())
        _add(archive, MANIFESTS, manifests.getvalue().encode())
    return written


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, DAY_OF_ZIP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)
