"""Pages of what changes while one looks: campaigns that go on, limits, servers that are away, bytes that are lost."""

import re

from sqlalchemy import update

from core.ledger.promotions import Order
from core.storage import Storage
from core.tables import assets
from producer.delivered import manifest_of
from schemas.access import Role
from schemas.assets import SMALL
from schemas.campaigns import Kind
from schemas.styles import Style

from support.exhibits import FAILED, make_exhibits
from support.people import Pages
from support.styled import campaign_text, like, make, submit
from support.versions import MODEL, a_version, version_id
from support.writer import CAMPAIGN as LINES


def jobs(pages: Pages, campaign: str, kind: Kind | None = None) -> list[str]:
    """Return the jobs of a campaign whose assets are made."""
    made = pages.ledger.assets.of_campaign(campaign)
    return [one.asset.job_id for one in made if kind in {None, one.kind}]


def test_progress_is_asked_for_again_only_while_something_happens(pages: Pages, storage: Storage):
    campaign = pages.submit()
    person = pages.nobody()

    going = person.text(f"/campaigns/{campaign}")
    make_exhibits(pages.ledger, storage)
    over = person.text(f"/campaigns/{campaign}")

    assert 'hx-trigger="every 2s"' in going
    assert "every 2s" not in over
    assert f'<dd class="bad">{FAILED}</dd>' in over


def test_more_of_a_gallery_comes_after_the_cursor_and_nothing_twice(pages: Pages, storage: Storage):
    campaign = pages.submit(LINES.replace("variants: 3", "variants: 30"))
    make_exhibits(pages.ledger, storage, lambda _: False)
    person = pages.nobody()
    seen, address = [], f"/campaigns/{campaign}/gallery"

    while address:
        text = person.text(address)
        seen += re.findall(r'class="work" href="/assets/([^"]+)"', text)
        more = re.search(r'hx-get="\?([^"]+)"', text)
        address = f"/campaigns/{campaign}/gallery?{more[1]}" if more else ""

    assert seen == jobs(pages, campaign)
    assert len(seen) == 70


def test_too_many_pages_in_a_minute_are_asked_to_wait_and_pictures_do_not_count(pages: Pages, campaign: str):
    person = pages.nobody()
    picture = f"/assets/{jobs(pages, campaign, Kind.IMAGE)[0]}/file"
    pages.opened.calls.per_minute = 3

    pictures = [person.get(picture).status_code for _ in range(5)]
    looked = [person.get("/campaigns") for _ in range(4)]

    assert pictures == [200] * 5
    assert [one.status_code for one in looked] == [200, 200, 200, 429]
    assert "One moment, please" in looked[3].text
    assert 'href="/campaigns">Try again' in looked[3].text


def test_a_ledger_that_is_away_is_told_as_that(pages: Pages, campaign: str):
    person = pages.nobody()
    pages.ledger.database.engine.dispose()
    path = pages.opened.settings.home / "ledger.db"
    moved = path.with_suffix(".away")
    path.rename(moved)
    path.mkdir()

    answer = person.get(f"/campaigns/{campaign}")
    path.rmdir()
    moved.rename(path)

    assert answer.status_code == 503
    assert "The factory cannot answer right now" in answer.text
    assert "Retry-After" not in answer.text
    assert answer.headers["retry-after"] == "5"


def test_an_asset_whose_recipe_is_lost_is_shown_all_the_same(pages: Pages, campaign: str, storage: Storage):
    job = jobs(pages, campaign, Kind.IMAGE)[0]
    storage.delete(pages.ledger.assets.of_job(job).manifest.key)

    text = pages.nobody().text(f"/assets/{job}")

    assert "How it was made cannot be read any more" in text
    assert "secret-model@1234" in text


def test_the_pages_of_a_viewer_offer_nothing_that_is_not_allowed(pages: Pages, campaign: str):
    viewer = pages.person(Role.VIEWER)
    letter = pages.ledger.jobs.dead_letters(campaign)[0].job.id
    own = [f"/campaigns/{campaign}", f"/campaigns/{campaign}/gallery", f"/assets/{jobs(pages, campaign)[0]}"]

    texts = [viewer.text(address) for address in ("/campaigns", "/models", f"/dead-letters/{letter}", *own)]

    # Signing out, and the switch of the blind mode.
    forms = {form for text in texts for form in re.findall(r'<form[^>]* method="post"[^>]*>', text)}
    assert forms == {'<form method="post" action="/sign-out" class="sheet">', '<form method="post" action="/blind">'}


def test_the_models_page_shows_which_styles_people_like(pages: Pages):
    person = pages.nobody()
    before = person.text("/models")
    submit(pages.ledger, campaign_text(), "default")
    like(pages.ledger, make(pages.ledger), Style.DETAIL)
    submit(pages.ledger, campaign_text("theirs"), "others")
    like(pages.ledger, make(pages.ledger), Style.BENEFIT)

    text = person.text("/models")

    bars = re.findall(r'<progress value="([^"]+)" max="1" aria-label="(\w+): \d+% of the next lines">', text)
    assert "Nobody has rated a line yet" in before
    assert [name for _, name in bars] == ["benefit", "detail"] * 2
    assert all((float(share) > 0.5) is (name == "detail") for share, name in bars)
    assert text.count("<h3>E-mail subject for ") == 2


def test_the_models_page_tells_how_what_serves_was_changed_newest_first(pages: Pages):
    ledger, person = pages.ledger, pages.nobody()
    before = person.text("/models")
    ledger.versions.register(a_version(1))
    for change in (
        lambda seen: ledger.promotions.promote(version_id(1), seen, Order("ada", "reads <better>")),
        lambda seen: ledger.promotions.rollback(seen, Order("bo", "too loud")),
    ):
        change(ledger.promotions.serving(Kind.COPY, MODEL))

    text = person.text("/models")

    rows = re.findall(r"<code>([^<]+)</code> ([^<]+) <span class=\"note\">by (\w+)</span>", text)
    assert "History" not in before
    assert rows == [("as shipped", "rollback: too loud", "bo"), (version_id(1), "promote: reads &lt;better&gt;", "ada")]


def without_small_picture(pages: Pages, job: str) -> None:
    """Make an asset as one of a former version is: its manifest names no small picture."""
    asset, stored = pages.ledger.assets.of_job(job), pages.opened.storage
    manifest = manifest_of(stored.get(asset.manifest), asset)
    former = manifest.model_copy(update={"companions": tuple(o for o in manifest.companions if o.ending != SMALL)})
    place = stored.put(f"{asset.manifest.key}.former", former.model_dump_json().encode(), "application/json")
    values = {f"manifest_{name}": value for name, value in place.model_dump().items()}
    with pages.ledger.database.write() as connection:
        connection.execute(update(assets).where(assets.c.job_id == job).values(values))


def test_assets_without_a_small_picture_show_their_own(pages: Pages, campaign: str, storage: Storage):
    (former, lost, *_), (piece,) = jobs(pages, campaign, Kind.IMAGE), jobs(pages, campaign, Kind.MUSIC)
    without_small_picture(pages, former)
    without_small_picture(pages, piece)
    storage.delete(pages.ledger.assets.of_job(lost).manifest.key)

    shown = {job: pages.nobody().get(f"/assets/{job}/small") for job in (former, piece, lost)}

    assert {answer.status_code for answer in shown.values()} == {200}
    assert {answer.headers["content-type"] for answer in shown.values()} == {"image/png"}
    for job in (former, lost):
        assert shown[job].content == storage.get(pages.ledger.assets.of_job(job).location)
