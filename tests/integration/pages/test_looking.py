"""What the pages show: everything a person may see, all of it escaped, and errors as pages."""

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO

import pytest
from PIL import Image

from core.storage import Storage
from producer.pages.routers import PAGES
from producer.verify import verify
from schemas.access import DEFAULT_TENANT
from schemas.assets import SMALL, SMALL_PIXELS
from schemas.campaigns import Kind

from support.brokers import Broker
from support.exhibits import HOSTILE, MADE, add_schedule, make_exhibits, register_versions
from support.people import Pages, addresses, settings_on, showing
from support.servers import SeaweedFS
from support.versions import version_id

EVERY_PAGE = ("", "/gallery", "/rate", "/pairs")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, broker: Broker, seaweedfs: SeaweedFS) -> Iterator[Pages]:
    """Pages for all tests of this file: they only look."""
    with showing(settings_on(tmp_path_factory.mktemp("pages"), broker, seaweedfs)) as shown:
        yield shown


@pytest.fixture(scope="module")
def campaign(pages: Pages) -> str:
    submitted = pages.submit()
    make_exhibits(pages.ledger, Storage(pages.opened.settings))
    add_schedule(pages.opened)
    register_versions(pages.ledger)
    return submitted


def jobs(pages: Pages, campaign: str, kind: Kind | None = None) -> list[str]:
    """Return the jobs of a campaign whose assets are made."""
    made = pages.ledger.assets.of_campaign(campaign)
    return [one.asset.job_id for one in made if kind in {None, one.kind}]


def every_address(pages: Pages, campaign: str) -> list[str]:
    """Return the address of every kind of page."""
    own = [f"/campaigns/{campaign}{page}" for page in EVERY_PAGE]
    assets = [f"/assets/{jobs(pages, campaign, kind)[0]}" for kind in (Kind.COPY, Kind.IMAGE, Kind.MUSIC)]
    letter = pages.ledger.jobs.dead_letters(campaign)[0].job.id
    schedule = pages.ledger.schedules.page(DEFAULT_TENANT, 1)[0].id
    lists = ("/campaigns", "/models", "/dead-letters", "/schedules", f"/schedules/{schedule}")
    changes = (f"/models/promote?version={version_id(3)}", "/models/rollback?model=starter%2Bhouse&kind=copy")
    return [*lists, *changes, "/campaigns/new", "/schedules/new", f"/dead-letters/{letter}", *own, *assets]


def test_whatever_somebody_wrote_is_shown_and_never_runs(pages: Pages, campaign: str):
    person = pages.nobody()
    for job in jobs(pages, campaign):
        person.send(f"/campaigns/{campaign}/rate", job=job, say="stars:4", comment=HOSTILE)
    person.send("/name", name=HOSTILE, back="/campaigns")

    texts = {address: person.text(address) for address in every_address(pages, campaign)}

    assert [address for address, text in texts.items() if HOSTILE in text] == []
    assert [address for address, text in texts.items() if "&lt;script&gt;" in text] == list(texts)


def test_every_link_of_every_page_leads_somewhere(pages: Pages, campaign: str):
    person = pages.nobody()
    found = {link for address in every_address(pages, campaign) for link in addresses(person.text(address))}

    broken = {}
    for link in sorted(found):
        status = person.get(link.replace("&amp;", "&")).status_code
        # Addresses of forms take no GET.
        if status not in {200, 303, 405}:
            broken[link] = status

    assert broken == {}
    assert len(found) > 50


def test_every_page_says_that_nothing_in_it_may_come_from_elsewhere(pages: Pages, campaign: str):
    person = pages.nobody()

    for address in every_address(pages, campaign):
        answer = person.get(address)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r'(src|href)="(https?:)?//', answer.text.replace('href="http://127.0.0.1:5590"', ""))
        assert not re.search(r"<style|\sstyle=|<script>|\son[a-z]+=", answer.text)


def test_the_gallery_shows_all_kinds_and_filters_them(pages: Pages, campaign: str):
    person = pages.nobody()

    whole = person.text(f"/campaigns/{campaign}/gallery")
    pictures = person.text(f"/campaigns/{campaign}/gallery?kind=image&channel=&audience=&product=NB-1&standing=")

    assert f"<strong>{MADE}</strong> assets" in whole
    assert whole.count('<li class="card copy') == 5
    assert whole.count("<audio") == 1
    assert pictures.count('<li class="card image') == 2
    assert "<strong>2</strong> assets" in pictures


def test_blind_hides_the_names_of_models_wherever_things_are_judged(pages: Pages, campaign: str):
    person = pages.nobody()
    shown = ("/gallery", "/rate?every=true", "/pairs")
    judged = [*(f"/campaigns/{campaign}{page}" for page in shown), f"/assets/{jobs(pages, campaign)[0]}"]

    before = [person.text(address) for address in judged]
    person.send("/blind", back="/campaigns")
    after = [person.text(address) for address in judged]
    person.send("/blind", back="/campaigns")

    assert ["secret-model" in text for text in before] == [True] * 4
    assert ["secret-model" in text for text in after] == [False] * 4
    assert "secret-model" in person.text(judged[0])


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/nothing", 404, "Nothing stands at this address"),
        ("/campaigns/nothing-00000000", 404, "There is no campaign &#39;nothing-00000000&#39; of yours"),
        ("/assets/nothing-00000000-000000", 404, "There is no job"),
        ("/campaigns/NO", 422, "Something is not right yet"),
        ("/campaigns?state=wild", 422, "<code>state</code>"),
        ("/static/000000000000/pages.css", 404, "Nothing stands"),
        ("/sign-in/x", 404, "Nothing stands"),
    ],
)
def test_what_goes_wrong_is_a_page_for_people_and_data_for_programs(pages: Pages, address: str, status: int, told: str):
    person = pages.nobody()

    page = person.get(address)
    data = person.get(address, headers={"accept": "*/*"})

    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert told in page.text
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert (data.status_code, data.headers["content-type"]) == (status, "application/problem+json")


def test_errors_of_the_api_stay_data_whoever_asks(pages: Pages):
    answer = pages.nobody().get("/v1/campaigns/nothing-00000000")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_problem_of_a_part_of_a_page_is_put_above_it(pages: Pages):
    answer = pages.nobody().get("/campaigns/nothing-00000000", headers={"hx-request": "true"})

    assert answer.headers["hx-retarget"] == "#notice"
    assert answer.headers["hx-reselect"] == "#problem"


def test_no_page_is_in_the_description_of_the_api(pages: Pages):
    described = pages.nobody().get("/openapi.json").json()["paths"]

    assert [path for path in described if not path.startswith(("/v1/", "/health", "/metrics"))] == []
    assert sum(len(router.routes) for router in PAGES) > 20


def test_static_files_are_kept_for_ever_and_named_by_what_they_hold(pages: Pages):
    person = pages.nobody()
    files = [link for link in addresses(person.text("/campaigns")) if link.startswith("/static/")]

    answers = [person.get(link) for link in files]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["cache-control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {
        *("text/css", "text/javascript", "image/svg+xml")
    }


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, (0, 4)),
        ("bytes=10-", 206, (10, None)),
        ("bytes=0-99999999", 206, (0, None)),
        ("pages=1-2", 200, (0, None)),
        ("", 200, (0, None)),
    ],
)
def test_a_recording_is_given_in_parts(
    pages: Pages, campaign: str, asked: str, status: int, part: tuple[int, int | None]
):
    (job,) = jobs(pages, campaign, Kind.MUSIC)
    whole = pages.opened.storage.get(pages.ledger.assets.of_job(job).location)

    answer = pages.nobody().get(f"/assets/{job}/file", headers={"range": asked})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "audio/wav")
    assert answer.content == whole[part[0] : part[1]]
    assert answer.headers["content-disposition"] == f'inline; filename="{job}.wav"'
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_part_that_is_not_there_is_refused(pages: Pages, campaign: str):
    (job,) = jobs(pages, campaign, Kind.MUSIC)

    answer = pages.nobody().get(f"/assets/{job}/file", headers={"range": "bytes=99999999-"})

    assert answer.status_code == 416


def test_files_can_be_saved_and_what_a_browser_must_not_show_only_saved(pages: Pages, campaign: str):
    person = pages.nobody()
    (music,), line = jobs(pages, campaign, Kind.MUSIC), jobs(pages, campaign, Kind.COPY)[0]

    companion = person.get(f"/assets/{music}/files/mp3")
    saved = person.get(f"/assets/{music}/file?download=true")
    text = person.get(f"/assets/{line}/file")
    missing = person.get(f"/assets/{music}/files/exe")

    assert companion.headers["content-type"] == "audio/mpeg"
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"].startswith("attachment")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert (missing.status_code, "no file that ends in" in missing.text) == (404, True)


def test_an_export_comes_as_a_file_without_the_small_pictures(pages: Pages, campaign: str):
    answer = pages.nobody().get(f"/campaigns/{campaign}/export?format=zip")
    names = zipfile.ZipFile(BytesIO(answer.content)).namelist()

    assert answer.status_code == 200
    assert answer.content.startswith(b"PK")
    assert answer.headers["content-disposition"] == f'attachment; filename="{campaign}-zip.zip"'
    assert sum(name.endswith(".png") for name in names) == 5
    assert [name for name in names if name.endswith(SMALL)] == []


def test_small_pictures_are_part_of_their_assets_and_checked_as_such(pages: Pages, campaign: str):
    storage = pages.opened.storage

    verdict = verify(pages.ledger, storage, campaign)

    keys = [key for key, _ in storage.list(f"campaigns/{campaign}/") if key.endswith(SMALL)]
    assert (verdict.violations, verdict.unreferenced, len(keys)) == ([], 0, 5)


def test_the_gallery_loads_small_pictures_that_have_their_place_before_they_come(pages: Pages, campaign: str):
    person = pages.nobody()
    text = person.text(f"/campaigns/{campaign}/gallery")

    pictures = re.findall(r"<img [^>]*>", text)
    answers = [person.get(found[1]) for one in pictures if (found := re.search(r'src="([^"]+)"', one))]

    assert len(pictures) == 5
    assert all('loading="lazy"' in one and re.search(r'width="\d{2,}" height="\d{2,}"', one) for one in pictures)
    assert {(one.status_code, one.headers["content-type"]) for one in answers} == {(200, "image/webp")}
    assert all(max(Image.open(BytesIO(one.content)).size) <= SMALL_PIXELS for one in answers)
    assert {one.headers["cache-control"] for one in answers} == {"private, max-age=604800, immutable"}


def test_the_page_of_one_asset_shows_it_whole_and_offers_no_small_picture_to_take_away(pages: Pages, campaign: str):
    job = jobs(pages, campaign, Kind.IMAGE)[0]

    text = pages.nobody().text(f"/assets/{job}")

    assert f'src="/assets/{job}/file?v=' in text
    assert SMALL not in text
