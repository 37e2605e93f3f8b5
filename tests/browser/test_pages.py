"""The pages in Chromium: clean for everybody at any width, judged by keys alone, live, and of use without a script."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from core.ledger.ratings import KeptRating
from core.storage import Storage
from schemas.access import Role
from schemas.campaigns import Kind
from schemas.jobs import JobState
from schemas.styles import Style

from support.axe import problems
from support.exhibits import make_exhibits
from support.styled import campaign_text, like, make, submit
from support.versions import version_id
from support.waiting import wait_until
from support.writer import CAMPAIGN as LINES

ROOT = Path(__file__).parents[2]
# Ignored by git: for whoever wants to look.
SCREENSHOTS = ROOT / ".cache" / "screenshots"
WIDTHS = {390: 844, 1920: 1080}
SECONDS = 20_000


class Visit:
    """A page of the browser, and what it complained about."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SECONDS)
        self.url = url
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:")):
            self.foreign.append(request.url)


Look = Callable[..., Visit]


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    """Open a window of some width on a shop."""
    contexts: list[BrowserContext] = []

    def opened(shop: Any, width: int = 1920, **options: Any) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": WIDTHS[width]}, reduced_motion="reduce", **options
        )
        contexts.append(context)
        return Visit(context, shop.url)

    yield opened
    for context in contexts:
        context.close()


def addresses(shop: Any) -> dict[str, str]:
    made = {one.kind: one.asset.job_id for one in shop.pages.ledger.assets.of_campaign(shop.campaign)}
    letter = shop.pages.ledger.jobs.dead_letters(shop.campaign)[0].job.id
    own = f"/campaigns/{shop.campaign}"
    return {
        "campaigns": "/campaigns",
        "campaign": own,
        "gallery": f"{own}/gallery",
        "nothing": f"{own}/gallery?product=NB-9",
        "rate-copy": f"{own}/rate?kind=copy",
        "rate-picture": f"{own}/rate?kind=image",
        "pairs": f"{own}/pairs",
        "dead-letters": "/dead-letters",
        "dead-letter": f"/dead-letters/{letter}",
        "models": "/models",
        "promotion": f"/models/promote?version={version_id(2)}",
        "refused-promotion": f"/models/promote?version={version_id(3)}",
        "rollback": "/models/rollback?model=starter%2Bhouse&kind=copy",
        "new-campaign": "/campaigns/new",
        "schedules": "/schedules",
        "schedule": f"/schedules/{shop.pages.ledger.schedules.page('default', 1)[0].id}",
        "new-schedule": "/schedules/new",
        **{f"asset-{kind}": f"/assets/{made[kind]}" for kind in (Kind.COPY, Kind.IMAGE, Kind.MUSIC)},
        "error": "/campaigns/nothing-00000000",
    }


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole_clean_and_readable_in_light_and_dark(shop: Any, look: Look, width: int):
    visit = look(shop, width, color_scheme="light")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, object] = {}

    for name, address in addresses(shop).items():
        visit.complaints.clear()
        page = visit.go(address)
        found = problems(page)
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}-light.png", caret="initial")
        page.emulate_media(color_scheme="dark")
        found += problems(page, "color-contrast")
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}-dark.png", caret="initial")
        page.emulate_media(color_scheme="light")
        found += [] if name == "error" else visit.complaints
        found += ["scrolls sideways"] if page.evaluate("document.documentElement.scrollWidth") > width else []
        found += ["ran what somebody wrote"] if page.title() == "broken" else []
        if found:
            wrong[name] = found

    assert wrong == {}
    assert visit.foreign == []


@pytest.mark.parametrize("width", WIDTHS)
def test_styles_on_the_models_page_are_whole_clean_and_readable(own_shop: Any, look: Look, width: int):
    ledger = own_shop.pages.ledger
    submit(ledger, campaign_text())
    like(ledger, make(ledger), Style.DETAIL)
    visit = look(own_shop, width, color_scheme="light")

    page = visit.go("/models")
    found = problems(page)
    page.emulate_media(color_scheme="dark")
    found += problems(page, "color-contrast")

    # Two styles each of two audiences, and of the headlines that the shop waited for.
    assert page.locator("table.styles progress").count() == 2 * 3
    assert found + visit.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def ratings_of(shop: Any, rater: str) -> list[KeptRating]:
    """Return what somebody says of the assets of the campaign now, in the order of the plan."""
    kept = shop.pages.ledger.ratings.all(shop.campaign)
    return sorted((one for one in kept if one.rater == rater), key=lambda one: one.job_id)


def type_name(page: Page, rater: str) -> None:
    """Say under which name one rates, by keys alone."""
    menu = page.locator("details.menu summary")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type(rater)
    page.keyboard.press("Enter")
    expect(menu).to_have_text(rater)


@pytest.mark.parametrize("width", WIDTHS)
def test_assets_are_rated_by_keys_alone(shop: Any, look: Look, width: int):
    visit, rater = look(shop, width), f"ada-{width}"
    page = visit.go(f"/campaigns/{shop.campaign}/rate?kind=copy")
    type_name(page, rater)
    left = page.locator(".meter strong")
    jobs = [one.asset.job_id for one in shop.pages.ledger.assets.of_campaign(shop.campaign) if one.kind == Kind.COPY]
    job = page.locator("form.say input[name=job]")

    def press(*keys: str, leads_to: int, left_then: int) -> None:
        for key in keys:
            page.keyboard.press(key)
        expect(job).to_have_value(jobs[leads_to])
        expect(left).to_have_text(str(left_then))

    press("4", leads_to=1, left_then=4)
    press("a", leads_to=2, left_then=3)
    page.keyboard.press("r")
    expect(page.locator(".reasons")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".reasons")).to_be_hidden()
    press("r", "2", leads_to=3, left_then=2)
    press("j", leads_to=4, left_then=2)
    press("k", leads_to=3, left_then=2)
    page.keyboard.press("c")
    page.keyboard.type("crisp r2")
    page.keyboard.press("Escape")
    press("5", leads_to=4, left_then=1)
    press("u", leads_to=3, left_then=2)
    press("u", leads_to=2, left_then=3)
    press("1", leads_to=3, left_then=2)
    page.screenshot(path=SCREENSHOTS / f"rating-{width}.png", caret="initial")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    press("a", leads_to=4, left_then=1)
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="All rated")).to_be_visible()

    wait_until(lambda: len(ratings_of(shop, rater)) == 5, what="the ratings")
    assert [(one.stars, one.approves, one.reason) for one in ratings_of(shop, rater)] == [
        *((4, None, None), (None, True, None), (1, None, None), (None, True, None), (None, True, None))
    ]
    assert visit.complaints == []


def test_pairs_are_compared_by_keys_alone(shop: Any, look: Look):
    page = look(shop).go(f"/campaigns/{shop.campaign}/pairs")
    sides = page.locator("input[name=left]")

    for compared, key in enumerate(("ArrowLeft", "2", "t"), 1):
        before = sides.input_value()
        page.keyboard.press(key)
        expect(page.locator(".meter strong")).to_have_text(str(compared))
        expect(sides).not_to_have_value(before)
    with page.expect_response(lambda answer: "after=" in answer.url):
        page.keyboard.press("s")
    # Keys count again when the answer is there.
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("heading", name="No pair is left")).to_be_visible()


def test_keys_lead_past_the_head_and_the_focus_is_seen(shop: Any, look: Look):
    page = look(shop).go("/campaigns")

    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    expect(skip).to_have_text("Skip to the content")
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    expect(page.locator(":focus")).to_have_text("New campaign")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_without_a_script_all_can_be_said_with_a_pointer(shop: Any, look: Look):
    page = look(shop, java_script_enabled=False).go(f"/campaigns/{shop.campaign}/rate?kind=image")
    job = page.locator("form.say input[name=job]")
    first = job.input_value()

    page.get_by_role("button", name="4 stars").click()
    second = job.input_value()
    page.locator("details.reject summary").click()
    page.get_by_role("button", name="Is not good to look at").click()
    expect(page.locator(".meter strong")).to_have_text("2")
    page.get_by_role("button", name="Undo").click()

    assert second != first
    expect(job).to_have_value(second)


def test_a_recording_plays_in_the_page(shop: Any, look: Look):
    visit = look(shop)
    page = visit.go(f"/campaigns/{shop.campaign}/gallery?kind=music")

    ended = page.evaluate(
        "async () => { const one = document.querySelector('audio'); one.muted = true; await one.play();"
        " return new Promise(done => one.addEventListener('ended', () => done(one.duration))); }"
    )

    assert 0.4 < ended < 0.7
    assert visit.complaints == []


def test_a_campaign_goes_on_before_ones_eyes_until_it_is_over(own_shop: Any, look: Look):
    visit = look(own_shop)
    page = visit.go(f"/campaigns/{own_shop.campaign}")
    expect(page.locator("#progress .badge").first).to_have_text("active")
    page.evaluate("window.isSame = true")

    make_exhibits(own_shop.pages.ledger, Storage(own_shop.pages.opened.settings))

    expect(page.locator("#progress .badge").first).to_have_text("finished")
    assert page.evaluate("window.isSame")
    assert page.locator("#progress").get_attribute("hx-trigger") is None
    assert visit.complaints == []


def test_a_campaign_is_paused_resumed_and_cancelled_with_a_second_thought(own_shop: Any, look: Look):
    page = look(own_shop, 390).go(f"/campaigns/{own_shop.campaign}")

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Batches in hand are ended")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("It goes on.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel it")).to_be_hidden()
    page.get_by_text("Cancel the campaign").click()
    page.get_by_role("button", name="Cancel it").click()

    expect(page.get_by_text("What is done stays.")).to_be_visible()
    assert own_shop.pages.ledger.campaigns.status(own_shop.campaign).state == "cancelled"


def test_more_of_a_gallery_comes_below_what_is_there(own_shop: Any, look: Look):
    pages = own_shop.pages
    campaign = pages.submit(LINES.replace("variants: 3", "variants: 30"))
    make_exhibits(pages.ledger, Storage(pages.opened.settings), lambda _: False)
    page = look(own_shop).go(f"/campaigns/{campaign}/gallery")
    cards = page.locator(".card")
    expect(cards).to_have_count(48)

    page.get_by_role("button", name="Show more").click()

    expect(cards).to_have_count(70)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    assert len(set(page.locator(".card .work").evaluate_all("all => all.map(one => one.href)"))) == 70


def test_a_dead_letter_is_mended_and_tried_again(own_shop: Any, look: Look):
    ledger = own_shop.pages.ledger
    make_exhibits(ledger, Storage(own_shop.pages.opened.settings))
    (letter,) = ledger.jobs.dead_letters(own_shop.campaign)
    page = look(own_shop).go("/dead-letters")

    page.get_by_role("link", name="Line 1").click()
    page.get_by_label("product.description").fill("Dark roast, smells of cocoa")
    page.get_by_role("button", name="Save and try again").click()

    expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()
    mended = ledger.jobs.status(letter.job.id)
    assert (mended.state, mended.job.brief.product.description) == (JobState.WAITING, "Dark roast, smells of cocoa")


def test_somebody_signs_in_sees_what_is_theirs_and_signs_out(own_shop: Any, look: Look):
    _, key = own_shop.pages.ledger.keys.create("zoe", "default", Role.VIEWER, "test")
    page = look(own_shop, 390).go("/campaigns?state=active")
    assert problems(page) == []

    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("This key is wrong or revoked.")
    page.get_by_label("Key").fill(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="harbour")).to_be_visible()
    page.get_by_role("link", name="harbour").click()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"{own_shop.url}/campaigns")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_problem_in_the_middle_of_rating_is_told_above_and_the_asset_stays(shop: Any, look: Look):
    page = look(shop).go(f"/campaigns/{shop.campaign}/rate?every=true")
    page.locator("form.say input[name=job]").evaluate("one => { one.value = 'nothing-00000000-000000' }")

    page.keyboard.press("a")

    expect(page.locator("#notice")).to_contain_text("There is nothing here")
    expect(page.locator(".desk")).to_be_visible()
