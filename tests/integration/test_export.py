import csv
import json
import zipfile
from pathlib import Path

import pytest

from core.broker import make_app
from core.errors import CorruptAssetError, StateError
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from producer.campaigns import read
from producer.delivered import deliveries
from producer.export import export, format_of
from producer.exports.formats import Format
from producer.submit import submit

from support.writer import CAMPAIGN, JOBS, write_all, write_batch


@pytest.fixture
def ledger(settings: Settings):
    opened = Ledger(settings)
    yield opened
    opened.close()


@pytest.fixture
def campaign(tmp_path: Path, settings: Settings, ledger: Ledger):
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN)
    return submit(read(file), settings, ledger, make_app(settings)).id


@pytest.fixture
def made(campaign: str, ledger: Ledger, storage: Storage):
    write_all(ledger, storage)
    return campaign


def rows_of(path: Path, encoding: str = "utf-8"):
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file))


def test_a_csv_has_a_row_for_each_line_in_the_order_of_the_plan(
    made: str, ledger: Ledger, storage: Storage, tmp_path: Path
):
    exported = export(ledger, storage, made, tmp_path / "lines.csv", Format.CSV)

    rows = rows_of(exported.path)
    assert exported.assets == len(rows) == JOBS
    assert [row["job_id"] for row in rows] == [f"{made}-{number:06d}" for number in range(JOBS)]
    assert rows[0]["text"] == "Ember Espresso für commuters: google_search.headline 1"
    assert (rows[0]["characters"], rows[0]["url"]) == ("54", "https://northbeam.example/ember")


def test_jsonl_has_the_manifest_and_the_place_of_each_line(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    exported = export(ledger, storage, made, tmp_path / "lines.jsonl", Format.JSONL)

    records = [json.loads(line) for line in exported.path.read_text().splitlines()]
    assert len(records) == JOBS
    assert all(record["manifest"]["job"]["id"] == record["job_id"] for record in records)
    assert records[0]["location"]["sha256"] == records[0]["sha256"]


def test_a_folder_has_a_text_file_for_each_line(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    exported = export(ledger, storage, made, tmp_path / "out", Format.FILES)

    assert exported.contact_sheet == exported.path / "contact-sheet.html"
    assert "Harbour Filter für commuters: meta.headline 1" in exported.contact_sheet.read_text()
    file = exported.path / "meta.headline" / "NB-2--commuters--en--1.txt"
    assert file.read_text() == "Harbour Filter für commuters: meta.headline 1\n"
    assert len(list(exported.path.glob("*/*.txt"))) == len(rows_of(exported.path / "index.csv")) == JOBS


def test_a_zip_holds_what_the_folder_holds_and_is_the_same_every_time(
    made: str, ledger: Ledger, storage: Storage, tmp_path: Path
):
    folder = export(ledger, storage, made, tmp_path / "out", Format.FILES).path
    first = export(ledger, storage, made, tmp_path / "a.zip", Format.ZIP).path
    second = export(ledger, storage, made, tmp_path / "b.zip", Format.ZIP).path

    with zipfile.ZipFile(first) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}

    assert held == {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert first.read_bytes() == second.read_bytes()


def test_google_ads_editor_gets_an_ad_group_for_each_product_and_audience(
    made: str, ledger: Ledger, storage: Storage, tmp_path: Path
):
    exported = export(ledger, storage, made, tmp_path / "ads.csv", Format.GOOGLE_ADS_EDITOR)

    rows = rows_of(exported.path, "utf-8-sig")
    assert [row["Ad Group"] for row in rows] == ["NB-1 Ember Espresso - commuters", "NB-2 Harbour Filter - commuters"]
    assert rows[0]["Headline 3"] == "Ember Espresso für commuters: google_search.headline 3"
    assert rows[0]["Headline 4"] == rows[0]["Description 3"] == ""
    assert (rows[0]["Path 1"], rows[0]["Final URL"]) == ("Ember-Espresso", "https://northbeam.example/ember")
    assert exported.path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert exported.notes == (
        "2 assets of meta.headline have no place in this format",
        "4 assets of meta.primary_text have no place in this format",
        "1 ad group has no final URL: give the product a url",
    )


def test_meta_bulk_pairs_titles_with_bodies(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    exported = export(ledger, storage, made, tmp_path / "ads.csv", Format.META_BULK)

    rows = rows_of(exported.path, "utf-8-sig")
    assert len(rows) == 4
    assert {row["Title"] for row in rows[:2]} == {"Ember Espresso für commuters: meta.headline 1"}
    assert [row["Body"][-1] for row in rows] == ["1", "2", "1", "2"]
    assert [row["Call to Action"] for row in rows] == ["SHOP_NOW", "SHOP_NOW", "", ""]


def test_a_line_that_looks_like_a_formula_is_harmless_in_a_spreadsheet(
    campaign: str, ledger: Ledger, storage: Storage, tmp_path: Path
):
    while write_batch(ledger, storage, text=lambda job: f'=HYPERLINK("http://x","{job.id}")'):
        pass

    exported = export(ledger, storage, campaign, tmp_path / "lines.csv", Format.CSV)

    assert all(row["text"].startswith("'=") for row in rows_of(exported.path))
    assert exported.notes == ("16 cells begin like a formula and were written with an apostrophe before",)


def test_a_damaged_line_leaves_nothing_behind(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    storage.delete(next(ledger.assets.of_campaign(made)).asset.location.key)

    for form in Format:
        with pytest.raises(CorruptAssetError):
            export(ledger, storage, made, tmp_path / "room" / "out", form)

    assert list((tmp_path / "room").iterdir()) == []


def test_an_export_is_replaced_by_force_only(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    for form in (Format.CSV, Format.FILES):
        target = tmp_path / form
        export(ledger, storage, made, target, form)
        with pytest.raises(StateError, match="exists already: name another, or give --force"):
            export(ledger, storage, made, target, form)
        export(ledger, storage, made, target, form, force=True)

    assert len(rows_of(tmp_path / "csv")) == len(rows_of(tmp_path / "files" / "index.csv")) == JOBS
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_with_other_things_is_never_replaced(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")

    with pytest.raises(StateError, match="holds other things than an export"):
        export(ledger, storage, made, tmp_path / "mine", Format.FILES, force=True)

    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_file_format_goes_into_a_folder_that_is_there(made: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    exported = export(ledger, storage, made, tmp_path, Format.META_BULK)

    assert exported.path == tmp_path / f"{made}-meta-bulk.csv"
    assert exported.path.is_file()


def test_a_place_that_cannot_be_written_is_one_line(made: str, ledger: Ledger, storage: Storage):
    with pytest.raises(StateError, match="cannot write /proc"):
        export(ledger, storage, made, Path("/proc/lines.csv"), Format.CSV)


def test_a_campaign_that_made_nothing_has_no_export(campaign: str, ledger: Ledger, storage: Storage, tmp_path: Path):
    with pytest.raises(StateError, match="has made nothing yet: 16 jobs are open"):
        export(ledger, storage, campaign, tmp_path / "lines.csv", Format.CSV)


def test_each_object_is_fetched_once(made: str, ledger: Ledger, storage: Storage):
    asked = []
    fetch = storage.get_whole
    storage.get_whole = lambda key: asked.append(key) or fetch(key)

    assert len(list(deliveries(ledger, storage, made, with_manifests=True))) == JOBS

    assert len(asked) == len(set(asked)) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.csv", Format.CSV), ("a.jsonl", Format.JSONL), ("a.zip", Format.ZIP), ("out", Format.FILES)],
)
def test_the_ending_of_the_target_says_the_format(name: str, expected: str, tmp_path: Path):
    assert format_of(tmp_path / name) is expected
