"""Versions of models on the pages: what the gate found is seen before anything serves, and who did what is kept."""

import re

import pytest

from core.ledger.promotions import Serving
from schemas.access import DEFAULT_TENANT, Role
from schemas.campaigns import Kind
from schemas.versions import Guardrail

from support.exhibits import HOSTILE
from support.people import Pages, Person
from support.versions import MODEL, a_verdict, a_version, version_id

FIRST, SECOND, REFUSED = (version_id(number) for number in (1, 2, 3))
ROLLBACK = f"/models/rollback?model={MODEL.replace('+', '%2B')}&kind=copy"


@pytest.fixture
def registered(pages: Pages) -> Pages:
    """A factory with two versions that passed the gate and one that did not."""
    kept = Guardrail(name="lines that fit", champion=0.9, challenger=0.95, least=0.85)
    lost = Guardrail(name=f"lines alike {HOSTILE}", champion=0.1, challenger=0.4, most=0.2)
    for version in (
        a_version(1, verdict=a_verdict(0.125, kept)),
        a_version(2),
        a_version(3, verdict=a_verdict(0.05, kept, lost)),
    ):
        pages.ledger.versions.register(version)
    return pages


def serving(pages: Pages) -> Serving:
    return pages.ledger.promotions.serving(Kind.COPY, MODEL)


def promote(person: Person, version: str, why: str = "reads better", seen: str = "0"):
    return person.send(f"/models/promote?version={version}", why=why, seen=seen)


def roll_back(person: Person, why: str = "reads worse", seen: str = "1"):
    return person.send(ROLLBACK, why=why, seen=seen)


def test_a_promotion_shows_what_the_gate_found_and_is_kept_with_the_name(registered: Pages):
    admin = registered.person()

    asked = admin.text(f"/models/promote?version={FIRST}")
    untouched = serving(registered).champion
    led = promote(admin, FIRST).headers["location"]

    for told in ("passed", "200 preferences", "70.0 %", "50.0 %", "0.125", "lines that fit", "at least 0.850", ">yes<"):
        assert told in asked
    assert untouched == ""
    assert serving(registered).champion == FIRST
    (change,) = registered.ledger.promotions.history(Kind.COPY, MODEL)
    assert (change.why, change.actor.split()[0]) == ("reads better", f"admin-{DEFAULT_TENANT}")
    page = admin.text(led)
    assert "Changed." in page
    assert f"Served by <code>{FIRST}</code>" in page
    assert "promote: reads better" in page


def test_what_did_not_pass_the_gate_is_shown_with_the_reason_and_cannot_be_promoted(registered: Pages):
    admin = registered.person()

    asked = admin.text(f"/models/promote?version={REFUSED}")
    tried = promote(admin, REFUSED)

    assert "not passed" in asked
    assert "It did not pass the gate, so it never serves." in asked
    assert 'action="/models/promote' not in asked
    assert '<td data-label="Kept" class="bad">no</td>' in asked
    assert HOSTILE not in asked
    assert tried.status_code == 409
    assert serving(registered).champion == ""


def test_a_version_that_went_too_far_shows_each_strength_that_was_tried(pages: Pages):
    lost = Guardrail(name="lines that fit", champion=0.9, challenger=0.7, least=0.8)
    whole, weaker = a_verdict(0.25, lost), a_verdict(0.125, lost.model_copy(update={"challenger": 0.875}))
    verdict = weaker.model_copy(update={"strength": 0.67, "others": (whole,)})
    pages.ledger.versions.register(a_version(1, verdict=verdict))

    asked = pages.person().text(f"/models/promote?version={FIRST}")
    listed = pages.person().text("/models")

    first, second = asked.split("At 0.67 of its strength")
    assert "At 1 of its strength" in first
    assert ("not passed" in first, "0.250" in first, "0.700" in first) == (True, True, True)
    assert ("not passed" in second, "0.125" in second, "0.875" in second) == (False, True, True)
    assert "passed at 0.67 of its strength" in listed


def test_a_rollback_shows_what_will_serve_again(registered: Pages):
    admin = registered.person()
    promote(admin, FIRST)
    promote(admin, SECOND, seen="1")

    asked = admin.text(ROLLBACK)
    roll_back(admin, seen="2")
    shipped = admin.text(ROLLBACK)
    roll_back(admin, seen="3")

    assert re.search(f"Will serve</dt><dd><code>{FIRST}", asked)
    assert "0.125" in asked
    assert "Will serve</dt><dd><code>as shipped" in shipped
    assert "go through no gate" in shipped
    assert serving(registered).champion == ""
    assert [one.action for one in registered.ledger.promotions.history(Kind.COPY, MODEL)] == [
        *("promote", "promote", "rollback", "rollback")
    ]
    nothing = admin.get(ROLLBACK)
    assert (nothing.status_code, "nothing to go back to" in nothing.text) == (409, True)


def test_what_somebody_changed_since_it_was_seen_is_not_changed_again(registered: Pages):
    admin = registered.person()
    promote(admin, FIRST)

    late = [promote(admin, SECOND, seen="0"), roll_back(admin, seen="0")]

    assert [(one.status_code, "somebody else has just changed" in one.text.lower()) for one in late] == [
        *((409, True), (409, True))
    ]
    assert serving(registered).champion == FIRST


@pytest.mark.parametrize("why", ["", "   ", "two\nlines", "x" * 501])
def test_a_change_wants_a_reason_of_one_line(registered: Pages, why: str):
    answer = promote(registered.person(), FIRST, why=why)

    assert (answer.status_code, 'id="told">why: ' in answer.text) == (422, True)
    assert 'action="/models/promote?version=' in answer.text
    assert serving(registered).champion == ""


@pytest.mark.parametrize("seen", ["", "-1", "x", "9" * 5000])
def test_a_form_that_does_not_say_what_was_seen_changes_nothing(registered: Pages, seen: str):
    answer = promote(registered.person(), FIRST, seen=seen)

    assert (answer.status_code, 'id="told">seen: ' in answer.text) == (422, True)
    assert serving(registered).champion == ""


def test_a_version_that_is_not_there_is_told(registered: Pages):
    admin = registered.person()

    asked = [
        admin.get(f"/models/promote?version={version_id(9)}").status_code,
        admin.get("/models/promote?version=../../x").status_code,
        promote(admin, "x").status_code,
        admin.get("/models/rollback?model=nobody&kind=copy").status_code,
        admin.send(ROLLBACK.replace("copy", "wild"), why="x", seen="0").status_code,
    ]

    assert asked == [404, 422, 422, 404, 422]


def test_an_admin_of_another_tenant_looks_and_changes_nothing_and_hears_of_nobody(registered: Pages):
    promote(registered.person(), FIRST)
    ann = registered.person(Role.ADMIN, "ann")

    page = ann.text("/models")
    refused = [
        promote(ann, SECOND, seen="1"),
        roll_back(ann),
        ann.get(f"/models/promote?version={SECOND}"),
        ann.get(ROLLBACK),
    ]

    assert f"Served by <code>{FIRST}</code>" in page
    assert "promote: reads better" in page
    assert "admin-default" not in page
    assert re.findall(r'href="/models/[^"]+"', page) == []
    assert [one.status_code for one in refused] == [403] * 4
    assert serving(registered).champion == FIRST


def test_only_who_may_change_it_is_led_to_a_change_and_only_to_one_that_can_be(registered: Pages):
    admin, producer = registered.person(), registered.person(Role.PRODUCER)
    promote(admin, FIRST)

    links = {person: set(re.findall(r'href="(/models/[^"]+)"', person.text("/models"))) for person in (admin, producer)}

    assert links[producer] == set()
    assert links[admin] == {f"/models/promote?version={SECOND}", ROLLBACK.replace("&", "&amp;")}
