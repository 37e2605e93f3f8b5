"""What is ordered in Chromium: campaigns planned and submitted by keys alone, schedules added, versions promoted."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.ledger.promotions import Serving
from schemas.campaigns import Kind

from support.axe import problems
from support.exhibits import register_versions
from support.versions import MODEL, version_id
from support.writer import CAMPAIGN, JOBS

SECONDS = 20_000
WRONG = CAMPAIGN.replace("google_search.headline", "google_search.headlines").replace("spring", "Spring")
ROOT = Path(__file__).parents[2]
# Ignored by git: for whoever wants to look.
SCREENSHOTS = ROOT / ".cache" / "screenshots"


@pytest.fixture
def context(browser: Browser):
    opened = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    opened.set_default_timeout(SECONDS)
    yield opened
    opened.close()


def visit(context: BrowserContext, shop: Any, path: str) -> Page:
    page = context.new_page()
    page.goto(f"{shop.url}{path}")
    return page


def others(shop: Any) -> list[str]:
    """Return the campaigns besides the one that the shop has."""
    return [one.id for one in shop.pages.ledger.campaigns.page("default", 10) if one.id != shop.campaign]


def serving(shop: Any) -> Serving:
    return shop.pages.ledger.promotions.serving(Kind.COPY, MODEL)


def test_a_campaign_is_planned_mended_and_submitted_by_keys_alone(own_shop: Any, context: BrowserContext):
    page = visit(context, own_shop, "/campaigns")
    page.get_by_role("button", name="New campaign").focus()
    page.keyboard.press("Enter")
    field = page.get_by_label("Campaign, as YAML")
    field.focus()
    page.keyboard.insert_text(WRONG)
    press_tab_to(page, "Plan")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("line 1 name 'Spring': use lowercase letters")
    expect(field).to_have_value(WRONG)
    wrong = problems(page)
    page.screenshot(path=SCREENSHOTS / "new-campaign-wrong.png")

    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(CAMPAIGN)
    press_tab_to(page, "Plan")
    page.keyboard.press("Enter")
    expect(page.locator("#plan")).to_contain_text(f"{JOBS} for 2 products")
    planned = problems(page)
    page.screenshot(path=SCREENSHOTS / "new-campaign-planned.png")
    before = others(own_shop)
    press_tab_to(page, f"Submit {JOBS} jobs")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Submitted.")
    assert (wrong, planned, before, len(others(own_shop))) == ([], [], [], 1)


def press_tab_to(page: Page, name: str) -> None:
    """Go on by keys until the button of this name has the focus."""
    for _ in range(25):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == name:
            return
    raise AssertionError(f"no key leads to the button {name}")


def test_a_file_is_read_into_the_page_and_two_clicks_make_one_campaign(
    own_shop: Any, context: BrowserContext, tmp_path: Path
):
    file = tmp_path / "campaign.yaml"
    file.write_text(CAMPAIGN, encoding="utf-8")
    page = visit(context, own_shop, "/campaigns/new")

    page.get_by_label("Or take it from a file").set_input_files(file)
    expect(page.get_by_label("Campaign, as YAML")).to_have_value(CAMPAIGN)
    page.get_by_role("button", name="Plan").click()
    page.get_by_role("button", name=f"Submit {JOBS} jobs").dblclick()

    expect(page.get_by_role("status")).to_contain_text("Submitted.")
    assert len(others(own_shop)) == 1


def test_without_a_script_a_campaign_is_pasted_planned_and_submitted(own_shop: Any, browser: Browser):
    context = browser.new_context(java_script_enabled=False)
    page = visit(context, own_shop, "/campaigns/new")

    expect(page.get_by_label("Or take it from a file")).to_be_hidden()
    page.get_by_label("Campaign, as YAML").fill(CAMPAIGN)
    page.get_by_role("button", name="Plan").click()
    page.get_by_role("button", name=f"Submit {JOBS} jobs").click()

    expect(page.get_by_text("Submitted.")).to_be_visible()
    assert len(others(own_shop)) == 1
    context.close()


def test_a_schedule_is_added_paused_run_and_removed_with_a_second_thought(own_shop: Any, context: BrowserContext):
    page = visit(context, own_shop, "/schedules")
    page.get_by_role("button", name="New schedule").click()
    page.get_by_label("Campaign, as YAML").fill(CAMPAIGN)
    page.get_by_label("Cron").fill("0 6 * *")
    page.get_by_label("By the clock of").fill("Europe/Berlin")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("has not five fields")
    wrong = problems(page)
    page.get_by_label("Cron").fill("0 6 * * 1")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Added.")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".facts .badge")).to_have_text("paused")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("table").get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("button", name="Remove it")).to_be_hidden()
    page.get_by_text("Remove the schedule").click()
    page.get_by_role("button", name="Remove it").click()

    expect(page.get_by_role("heading", name="No schedules yet")).to_be_visible()
    assert wrong == []


def test_a_version_is_promoted_after_the_verdict_was_seen_and_rolled_back(own_shop: Any, context: BrowserContext):
    register_versions(own_shop.pages.ledger)
    page = visit(context, own_shop, "/models")

    page.get_by_role("link", name=f"Promote {version_id(2)}").click()
    expect(page.get_by_role("heading", name="What the gate found")).to_be_visible()
    page.get_by_label("Why").fill("reads better")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Changed.")
    promoted = serving(own_shop).champion
    page.get_by_role("link", name="Roll back").click()
    page.get_by_label("Why").fill("too loud")
    page.get_by_role("button", name="Roll back").click()

    expect(page.get_by_text("rollback: too loud")).to_be_visible()
    assert (promoted, serving(own_shop).champion) == (version_id(2), version_id(1))
