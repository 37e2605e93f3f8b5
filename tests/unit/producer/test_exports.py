import csv
from pathlib import Path

from producer.delivered import Delivery
from producer.demo import best_lines
from producer.exports import folders, google_ads_editor, meta_bulk
from producer.exports.written import Written
from schemas.assets import Asset, Location, Manifest
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job

PLACE = Location(key="k", offset_bytes=0, length_bytes=1, sha256="0" * 64)
EMBER = Product(sku="NB-1", name="Ember Espresso & Sons", url="https://northbeam.example/ember")
FILTER = Product(sku="NB-2", name="Kaffeemaschinenreinigungstabletten")


def line(text: str, channel: str, product: Product = EMBER, variant: int = 0, locale: str = "en", score: float = 0.0):
    brief = Brief(
        brand=Brand(name="Northbeam"),
        product=product,
        audience=Audience(id="commuters", description="people in a hurry"),
        channel=channel,
        locale=locale,
    )
    asset = Asset(
        job_id="spring-1",
        campaign_id="spring",
        sku=product.sku,
        location=PLACE,
        manifest=PLACE,
        content_type="text/plain",
        preview=text,
        fingerprint=text,
        model="m",
        device_seconds=0.1,
    )
    manifest = Manifest(
        job=Job(
            id="spring-1",
            campaign_id="spring",
            kind="copy",
            bucket="copy/m/short",
            brief=brief,
            variant=variant,
            seed=1,
        ),
        model="m",
        recipe={"score": score},
        checks=(),
        device="cpu",
        device_seconds=0.1,
        content_type="text/plain",
        sha256="0" * 64,
        created_at="2026-11-22",
    )
    return Delivery(asset, Kind.COPY, brief, variant, 0.0, text, f"{text}\n".encode(), manifest)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_only_texts_that_begin_like_a_formula_are_changed():
    written = Written()

    cells = written.cells(["=1+1", "+49 30", "-5 %", "@home", "\tx", "plain = fine", -0.5, 3])

    assert cells == ["'=1+1", "'+49 30", "'-5 %", "'@home", "'\tx", "plain = fine", "-0.5", "3"]
    assert written.escaped_cells == 5


def test_more_headlines_than_an_ad_takes_are_shared_out_evenly(tmp_path: Path):
    headlines = [line(f"H{number}", google_ads_editor.HEADLINE) for number in range(20)]
    descriptions = [line(f"D{number}", google_ads_editor.DESCRIPTION) for number in range(5)]

    written = google_ads_editor.write([*headlines, *descriptions], tmp_path / "ads.csv", "spring", ("en",))

    rows = rows_of(tmp_path / "ads.csv")
    filled = [[key for key, value in row.items() if value and key.startswith("Headline")] for row in rows]
    assert [len(keys) for keys in filled] == [10, 10]
    assert [rows[0]["Description 3"], rows[1]["Description 3"]] == ["D4", ""]
    assert (written.assets, written.rows, written.notes()) == (25, 2, [])


def test_an_ad_that_google_will_not_run_is_told(tmp_path: Path):
    lines = [line("H1", google_ads_editor.HEADLINE, FILTER)]

    notes = google_ads_editor.write(lines, tmp_path / "ads.csv", "spring", ("en",)).notes()

    assert [note[:40] for note in notes] == [
        "1 ad group has fewer than 2 descriptions",
        "1 ad group has fewer than 3 headlines in",
        "1 ad group has no final URL: give the pr",
    ]


def test_the_shown_path_is_whole_words_that_fit(tmp_path: Path):
    google_ads_editor.write(
        [line("H", google_ads_editor.HEADLINE), line("H", google_ads_editor.HEADLINE, FILTER)],
        tmp_path / "ads.csv",
        "spring",
        ("en",),
    )

    assert [row["Path 1"] for row in rows_of(tmp_path / "ads.csv")] == ["Ember-Espresso", ""]


def test_languages_have_ad_sets_of_their_own(tmp_path: Path):
    lines = [line(f"Body {locale}", meta_bulk.BODY, locale=locale) for locale in ("en-GB", "en-US")]

    meta_bulk.write(lines, tmp_path / "ads.csv", "spring", ("en-GB", "en-US"))

    names = [row["Ad Set Name"] for row in rows_of(tmp_path / "ads.csv")]
    assert names == [f"NB-1 Ember Espresso & Sons - commuters - {locale}" for locale in ("en-GB", "en-US")]


def test_the_name_of_a_file_says_what_the_line_is():
    assert folders.name_of(line("x", "x.post", variant=2)) == "x.post/NB-1--commuters--en--3.txt"


def test_the_best_lines_are_spread_over_channels_and_products():
    made = [
        line("best", "x.post", score=0.9),
        line("second, like the best", "x.post", score=0.8),
        line("other channel", "email.subject", score=0.1),
        line("other product", "x.post", FILTER, score=0.2),
    ]

    assert [one.text for one in best_lines(made, 3)] == ["best", "other product", "other channel"]
