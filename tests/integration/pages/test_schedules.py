"""Schedules on the pages: added from a campaign with its clock, looked at, paused, run at once and removed."""

import html
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from core.ledger.schedules import Schedule
from producer.pages.words import UNKNOWN
from producer.schedules.cron import next_after
from producer.schedules.scheduler import submit_next
from schemas.access import DEFAULT_TENANT, Role
from schemas.campaigns import Priority
from schemas.schedules import CatchUp

from support.exhibits import HOSTILE
from support.people import Pages, Person
from support.scheduled import CAMPAIGN

MONDAYS = {"campaign": CAMPAIGN, "cron": "0 6 * * 1", "timezone": "Europe/Berlin"}


def add(person: Person, **fields: str):
    return person.send("/schedules/new", **MONDAYS | fields)


def only(pages: Pages, tenant: str = DEFAULT_TENANT) -> Schedule:
    """Return the one schedule that there is."""
    (found,) = pages.ledger.schedules.page(tenant, 10)
    return found


def test_a_schedule_is_added_and_says_when_it_is_due_by_its_own_clock(pages: Pages):
    person = pages.nobody()

    led = add(person, name="weekly", catch_up="one", window="22:00-06:00", priority="background")

    made = only(pages)
    due = datetime.fromtimestamp(made.next_at, ZoneInfo("Europe/Berlin"))
    assert led.headers["location"] == f"/schedules/{made.id}?said=added"
    assert (made.name, made.catch_up, made.window) == ("weekly", CatchUp.ONE, "22:00-06:00")
    assert (made.priority, made.is_limited) == (Priority.BACKGROUND, True)
    assert (due.weekday(), due.hour, due.minute) == (0, 6, 0)
    for text in (person.text("/schedules"), person.text(led.headers["location"])):
        assert f"{due:%Y-%m-%d} 06:00" in text
        assert "Europe/Berlin" in text
    assert CAMPAIGN in html.unescape(person.text(led.headers["location"]))


def test_the_name_and_the_clock_are_those_of_the_campaign_where_none_is_typed(pages: Pages):
    add(pages.nobody(), campaign=f"{CAMPAIGN}timezone: Asia/Tokyo\n", timezone="", name="", window="")

    made = only(pages)
    assert (made.name, made.timezone, made.window, made.priority) == ("roast", "Asia/Tokyo", "", None)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"cron": "0 6 * *"}, "<code>cron</code> '0 6 * *' has not five fields"),
        ({"cron": ""}, "<code>cron</code> '' has not five fields"),
        ({"cron": "0 6 30 2 *"}, "<code>cron</code> the day-of-month of '0 6 30 2 *' is wrong"),
        ({"timezone": "Europe/Berlinn"}, "did you mean 'Europe/Berlin'?"),
        ({"name": "Weekly Roast"}, "<code>name</code> use lowercase letters"),
        ({"window": "6-7"}, "<code>window</code> write two times of day"),
        ({"catch_up": "some"}, "<code>catch_up</code> is one of skip, one, all"),
        ({"priority": "now"}, "<code>priority</code> is one of"),
        ({"campaign": CAMPAIGN.replace("sku: NB-1", "sku: NB 1")}, "line 4</span> <code>products[0].sku</code>"),
        ({"campaign": ""}, "is empty"),
    ],
)
def test_what_is_wrong_is_told_by_field_and_line_and_nothing_is_kept(pages: Pages, fields: dict[str, str], told: str):
    answer = add(pages.nobody(), **fields)

    text = html.unescape(answer.text)
    assert (answer.status_code, told in text) == (422, True)
    # What is chosen from a list has no other values.
    typed = {name: value for name, value in (MONDAYS | fields).items() if name not in {"catch_up", "priority"}}
    assert all(value in text for value in typed.values())
    assert pages.ledger.schedules.page(DEFAULT_TENANT, 10) == []


def test_a_name_is_given_once_so_two_clicks_are_one_schedule(pages: Pages):
    person = pages.nobody()
    add(person)

    again = add(person)

    assert (again.status_code, "There is a schedule" in again.text) == (409, True)
    assert CAMPAIGN in html.unescape(again.text)
    assert only(pages).name == "roast"


def test_a_schedule_is_paused_and_goes_on_from_the_next_moment(pages: Pages):
    person = pages.person(Role.PRODUCER)
    add(person)
    address = f"/schedules/{only(pages).id}"

    paused = person.send(f"{address}/pause").headers["location"]
    while_paused = only(pages), person.text(paused)
    resumed = person.send(f"{address}/resume").headers["location"]

    assert while_paused[0].state == "paused"
    assert f"<dt>Due next</dt><dd>{UNKNOWN}</dd>" in while_paused[1]
    assert "is not made up for" in while_paused[1]
    made = only(pages)
    assert made.state == "active"
    assert made.next_at >= next_after(made.cron, made.timezone, made.created_at)
    assert "It goes on." in person.text(resumed)
    done = [(actor.split()[0], action) for _, actor, action, _ in pages.ledger.campaigns.history(made.id)]
    assert done == [("producer-default", action) for action in ("schedule", "pause", "resume")]


def test_a_run_that_was_asked_for_shows_with_its_campaign_and_who_asked(pages: Pages):
    person = pages.person(Role.PRODUCER)
    add(person)
    made = only(pages)

    led = person.send(f"/schedules/{made.id}/run").headers["location"]
    opened = pages.opened
    (run,) = pages.ledger.runs.history(made.id, 10)
    if run.campaign_id is None:
        submit_next(opened.ledger, opened.settings, opened.broker, run.decided_at + 1)
    text = person.text(led)

    (campaign,) = pages.ledger.campaigns.page(DEFAULT_TENANT, 10)
    assert f'href="/campaigns/{campaign.id}"' in text
    assert "producer-default" in text.partition("History")[2].partition("Campaign</h2>")[0]


def test_a_removed_schedule_is_gone_and_its_campaigns_stay(pages: Pages):
    person = pages.nobody()
    add(person)
    address = f"/schedules/{only(pages).id}"
    person.send(f"{address}/run")
    before = len(pages.ledger.campaigns.page(DEFAULT_TENANT, 10))

    led = person.send(f"{address}/remove").headers["location"]

    assert "Removed." in person.text(led)
    assert "No schedules yet" in person.text("/schedules")
    assert person.get(address).status_code == 404
    assert len(pages.ledger.campaigns.page(DEFAULT_TENANT, 10)) == before


def test_whoever_may_only_look_sees_schedules_and_no_way_to_change_them(pages: Pages):
    producer, viewer = pages.person(Role.PRODUCER), pages.person(Role.VIEWER)
    add(producer, campaign=CAMPAIGN.replace("name: Northbeam", f'name: "{HOSTILE}"'))
    address = f"/schedules/{only(pages).id}"

    texts = [viewer.text("/schedules"), viewer.text(address)]

    assert [re.findall(r"/schedules/(?:new|[^\"]+/\w+)", text) for text in texts] == [[], []]
    assert HOSTILE not in texts[1]
    assert "&lt;script&gt;" in texts[1]
