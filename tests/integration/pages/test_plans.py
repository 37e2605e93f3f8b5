"""A campaign is typed on a page: planned, mended by field and line, and submitted once, by the rules of the API."""

import html
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.access import Limits, Role

from support.calls import YAML
from support.exhibits import HOSTILE
from support.people import Pages, Person
from support.writer import CAMPAIGN, JOBS

WRONG = CAMPAIGN.replace("channel: google_search.headline", "channel: google_search.headlines").replace(
    "name: spring", "name: Spring Roast", 1
)


def key_of(text: str) -> str:
    """Return the word that a page sends along with what is submitted."""
    found = re.search(r'name="key" value="([0-9a-f]{32})"', text)
    assert found
    return found[1]


def plan(person: Person, text: str, **fields: str):
    return person.send("/campaigns/new", campaign=text, then="plan", **fields)


def submit(person: Person, text: str, key: str):
    return person.send("/campaigns/new", campaign=text, then="submit", key=key)


def test_a_plan_tells_jobs_time_and_cost_and_begins_nothing(pages: Pages):
    person = pages.nobody()

    free = plan(person, CAMPAIGN).text
    priced = plan(person, CAMPAIGN, workers="2", price="3,6").text

    assert f"Submit {JOBS} jobs" in free
    assert "an estimate, not measured here yet" in free
    assert "with 1 worker " in free
    assert "<dt>Cost</dt>" not in free
    assert "with 2 workers" in priced
    assert re.search(r"<dt>Cost</dt><dd>0\.\d+</dd>", priced)
    assert CAMPAIGN in html.unescape(priced)
    assert pages.ledger.campaigns.page("default", 10) == []


def test_what_is_wrong_is_told_in_the_words_of_the_api_with_its_line_and_nothing_typed_is_lost(pages: Pages):
    person = pages.nobody()
    told = person.client.post("/v1/plans", content=WRONG, headers=YAML).json()["problems"]

    for then in ("plan", "submit"):
        answer = person.send("/campaigns/new", campaign=WRONG, then=then)
        text = html.unescape(answer.text)
        assert answer.status_code == 422
        assert all(f"line {one['line']}</span> <code>{one['field']}</code> {one['message']}" in text for one in told)
        assert WRONG in text
        assert 'value="submit"' not in text

    assert len(told) == 2
    assert pages.ledger.campaigns.page("default", 10) == []


def test_what_somebody_typed_is_shown_and_never_runs(pages: Pages):
    person = pages.nobody()

    texts = [plan(person, text).text for text in (HOSTILE, f"name: {HOSTILE}", f"{HOSTILE}: 1\nname: x")]

    assert [HOSTILE in text for text in texts] == [False] * 3
    assert ["&lt;script&gt;" in text for text in texts] == [True] * 3


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"workers": "0"}, "<code>workers</code> input should be greater than or equal to 1"),
        ({"workers": "many"}, "<code>workers</code> input should be a valid integer"),
        ({"price": "-1"}, "<code>price</code> input should be greater than or equal to 0"),
        ({"price": "nan"}, "<code>price</code> input should be"),
    ],
)
def test_a_number_that_is_none_is_told_by_its_field(pages: Pages, fields: dict[str, str], told: str):
    answer = plan(pages.nobody(), CAMPAIGN, **fields)

    assert (answer.status_code, told in answer.text) == (422, True)


def test_what_cannot_be_made_here_is_told_before_anything_begins(pages: Pages):
    person = pages.nobody()

    locale = plan(person, CAMPAIGN + "locales: [de]\n")
    over = plan(person, CAMPAIGN + f"budget: {{jobs: {JOBS - 1}}}\n")
    tried = submit(person, CAMPAIGN + f"budget: {{jobs: {JOBS - 1}}}\n", key_of(over.text))

    assert (locale.status_code, "locales" in locale.text) == (422, True)
    assert (over.status_code, "budget" in over.text, 'value="submit"' in over.text) == (200, True, False)
    assert (tried.status_code, "line 1" in tried.text) == (422, True)
    assert pages.ledger.campaigns.page("default", 10) == []


def test_a_second_click_makes_no_second_campaign(pages: Pages):
    person = pages.person(Role.PRODUCER)
    key = key_of(plan(person, CAMPAIGN).text)

    first, second = (submit(person, CAMPAIGN, key).headers["location"] for _ in range(2))

    (made,) = pages.ledger.campaigns.page("default", 10)
    assert (first, second) == (f"/campaigns/{made.id}?said=submitted", f"/campaigns/{made.id}?said=known")
    assert made.submitted_jobs == JOBS
    assert "Submitted." in person.text(first)
    assert "nothing was begun twice" in person.text(second)
    assert "submitted before" in plan(person, CAMPAIGN).text
    assert {call.operation for call in pages.ledger.calls.newest_first(10)} == {"plan_or_submit"}


def test_a_page_that_was_submitted_submits_nothing_else(pages: Pages):
    person = pages.nobody()
    key = key_of(plan(person, CAMPAIGN).text)
    submit(person, CAMPAIGN, key)

    typed_on = CAMPAIGN.replace("variants: 3", "variants: 2")
    other = submit(person, typed_on, key)

    assert (other.status_code, "submitted with another text" in other.text) == (409, True)
    assert typed_on in html.unescape(other.text)
    assert len(pages.ledger.campaigns.page("default", 10)) == 1
    assert submit(person, typed_on, key_of(other.text)).status_code == 303
    assert len(pages.ledger.campaigns.page("default", 10)) == 2


@pytest.mark.parametrize("key", ["", "\0", "x" * 5000, "ü"])
def test_a_word_that_no_page_made_is_not_looked_at(pages: Pages, key: str):
    answer = submit(pages.nobody(), CAMPAIGN, key)

    assert answer.status_code == 303


def test_the_limits_of_a_tenant_bind_whoever_submits_on_a_page(pages: Pages):
    pages.ledger.tenants.set_limits("ann", Limits(JOBS - 1, None))
    person = pages.person(Role.PRODUCER, "ann")

    answer = submit(person, CAMPAIGN, key_of(person.text("/campaigns/new")))

    assert (answer.status_code, "One moment, please" in answer.text) == (429, True)
    assert pages.ledger.campaigns.page("ann", 10) == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200) | st.text("{}[]:,-#&*!|>'\"%@` \nab\t", max_size=80))
def test_no_text_breaks_the_page(pages: Pages, text: str):
    answer = plan(pages.nobody(), text)

    assert answer.status_code in {200, 422}
    assert "to be mended" in answer.text or "Submit" in answer.text
