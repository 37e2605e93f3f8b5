"""Who may see and do what on the pages: every route with every role, found in the app itself; sessions; other sites."""

import re
from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from core.settings import Settings
from producer.pages.routers import PAGES
from schemas.access import Role

from support.calls import NOBODY
from support.exhibits import CAMPAIGN
from support.people import Pages, Person, showing

PUBLIC = {"show_start", "show_sign_in", "sign_in", "show_static"}
# The least role of every other route: a change of this list is a change of who may do what.
LEAST = {
    **dict.fromkeys(("sign_out", "set_name", "set_blind", "show_models"), Role.VIEWER),
    **dict.fromkeys(("show_file", "show_companion", "show_small"), Role.VIEWER),
    **dict.fromkeys(("show_campaigns", "show_campaign", "export_file", "show_gallery", "show_asset"), Role.VIEWER),
    **dict.fromkeys(("show_letters", "show_letter", "show_schedules", "show_schedule"), Role.VIEWER),
    **dict.fromkeys(("show_rating", "rate", "undo", "show_pair", "compare"), Role.RATER),
    **dict.fromkeys(("pause", "resume", "cancel", "hurry", "retry_all", "mend", "make_anew"), Role.PRODUCER),
    **dict.fromkeys(("show_new_campaign", "plan_or_submit", "show_new_schedule", "add_schedule"), Role.PRODUCER),
    **dict.fromkeys(("pause_schedule", "resume_schedule", "run_schedule_now", "remove_schedule"), Role.PRODUCER),
    **dict.fromkeys(("show_promotion", "promote", "show_rollback", "roll_back"), Role.ADMIN),
}
# Where forms order something that is not there yet.
ORDERS = ("/campaigns/new", "/schedules/new", "/models/promote", "/models/rollback")


def routes() -> Iterator[tuple[str, str, str]]:
    """Yield name, method and address of every page, with ids of nothing in the addresses."""
    names = NOBODY | {"ending": "mp3", "version": "0" * 12, "name": "nothing.css"}
    for router in PAGES:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            (method,) = route.methods
            yield route.name, method, re.sub(r"{(\w+)}", lambda match: names[match[1]], route.path)


ROUTES = {name: (method, address) for name, method, address in routes()}


def test_every_route_has_a_least_role_or_is_public():
    assert set(ROUTES) == set(LEAST) | PUBLIC


def test_every_route_serves_its_least_role_and_better_ones_alone(pages: Pages):
    people = {role: pages.person(role) for role in Role}
    served: dict[str, set[Role]] = {name: set() for name in LEAST}

    for name in [*(name for name in LEAST if name != "sign_out"), "sign_out"]:
        for role, person in people.items():
            if person.client.request(*ROUTES[name]).status_code != 403:
                served[name].add(role)

    assert served == {name: {role for role in Role if role.may(least)} for name, least in LEAST.items()}


def test_nobody_without_a_session_gets_further_than_the_door(pages: Pages):
    pages.person()
    stranger = pages.nobody()

    answers = {name: stranger.client.request(*ROUTES[name]) for name in LEAST}

    looked = {answer.headers["location"] for name, answer in answers.items() if ROUTES[name][0] == "GET"}
    sent = {answer.status_code for name, answer in answers.items() if ROUTES[name][0] == "POST"}
    assert {one.partition("?")[0] for one in looked} == {"/sign-in"}
    assert sent == {401}
    assert 'href="/sign-in">Sign in' in answers["pause"].text


def test_a_part_of_a_page_leads_the_whole_page_to_the_door(pages: Pages):
    pages.person()

    answer = pages.nobody().get("/campaigns", headers={"hx-request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_on_this_machine_no_key_is_needed_until_there_is_one(pages: Pages):
    person = pages.nobody()

    before = person.get("/campaigns").status_code
    pages.ledger.keys.create("laptop", "ann", Role.ADMIN, "test")
    after = person.get("/campaigns").status_code

    assert (before, after) == (200, 303)


def test_elsewhere_a_key_is_always_needed(settings: Settings):
    with showing(settings.model_copy(update={"api_host": "0.0.0.0"})) as pages:
        assert pages.nobody().get("/campaigns").status_code == 303


def test_signing_in_leads_back_to_where_one_wanted_to_go(pages: Pages):
    _, key = pages.ledger.keys.create("laptop", "ann", Role.VIEWER, "test")
    person = pages.nobody()

    door = person.get("/campaigns?state=active").headers["location"]
    shown = person.text(door)
    led = person.send("/sign-in", key=f" {key}\n", next="/campaigns?state=active")

    assert door == "/sign-in?next=%2Fcampaigns%3Fstate%3Dactive"
    assert 'name="next" value="/campaigns?state=active"' in shown
    assert led.headers["location"] == "/campaigns?state=active"
    assert person.get("/campaigns").status_code == 200
    assert person.get("/sign-in").headers["location"] == "/campaigns"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x", "/ü", ""]
)
def test_signing_in_never_leads_to_another_site(pages: Pages, elsewhere: str):
    _, key = pages.ledger.keys.create("laptop", "ann", Role.VIEWER, "test")

    led = pages.nobody().send("/sign-in", key=key, next=elsewhere)

    assert led.headers["location"] == "/campaigns"


def test_the_cookie_is_no_key_and_nothing_that_runs_can_read_it(pages: Pages):
    _, key = pages.ledger.keys.create("laptop", "ann", Role.VIEWER, "test")
    person = pages.nobody()

    cookie = person.send("/sign-in", key=key).headers["set-cookie"]
    over_tls = person.client.post("/sign-in", data={"key": key}, headers={"origin": "https://127.0.0.1:5580"})

    assert key not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert "Secure" in over_tls.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("key", ["", "wrong-key", "cf_000000000000_" + "a" * 43])
def test_what_is_no_key_opens_no_session(pages: Pages, key: str):
    answer = pages.nobody().send("/sign-in", key=key)

    assert (answer.status_code, "wrong or revoked" in answer.text) == (401, True)
    assert "set-cookie" not in answer.headers
    assert key not in answer.text or not key


def test_whoever_guesses_keys_is_asked_to_wait(pages: Pages):
    person = pages.nobody()

    statuses = [person.send("/sign-in", key=str(n)).status_code for n in range(31)]

    assert statuses == [401] * 30 + [429]


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(pages: Pages):
    person, thief = pages.person(), pages.nobody()
    thief.client.cookies.update(person.client.cookies)
    before = thief.get("/campaigns").status_code

    person.send("/sign-out")

    assert (before, thief.get("/campaigns").status_code) == (200, 303)


def test_a_revoked_key_ends_its_sessions(pages: Pages):
    person = pages.person()
    (key,) = pages.ledger.keys.all()

    pages.ledger.keys.revoke(key.id, "test")

    assert person.get("/campaigns").status_code == 303


def test_a_session_opens_the_pages_and_not_the_api(pages: Pages):
    assert pages.person().get("/v1/campaigns").status_code == 401


def test_nothing_of_one_tenant_is_there_for_another(pages: Pages):
    campaign = pages.submit(tenant="ann")
    job = pages.ledger.jobs.page(campaign, 1)[0].job.id
    bob = pages.person(Role.ADMIN, "bob")
    own = {
        name: (method, address.replace(NOBODY["job"], job).replace(NOBODY["campaign"], campaign))
        for name, (method, address) in ROUTES.items()
        if "nothing-00000000" in address or NOBODY["schedule"] in address
    }

    answers = {name: bob.client.request(*place) for name, place in own.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(own, 404)
    assert "harbour" not in bob.text("/campaigns")
    assert bob.get(f"/dead-letters?campaign={campaign}").status_code == 404
    assert campaign in pages.person(Role.VIEWER, "ann").text("/campaigns")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {},
    ],
)
def test_a_form_of_another_page_changes_nothing_and_signs_nobody_in(pages: Pages, headers: dict[str, str]):
    campaign = pages.submit()
    client = pages.nobody().client
    del client.headers["origin"], client.headers["sec-fetch-site"]

    answers = [
        client.post(address, data={"key": "x"}, headers=headers)
        for address in (f"/campaigns/{campaign}/cancel", "/sign-in", "/blind", "/name", *ORDERS)
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert pages.ledger.campaigns.status(campaign).state == "active"


@pytest.mark.parametrize("headers", [{"origin": "http://127.0.0.1:5580"}, {"sec-fetch-site": "same-origin"}])
def test_a_form_of_our_own_page_does_what_it_says(pages: Pages, headers: dict[str, str]):
    campaign = pages.submit()
    client = pages.nobody().client
    del client.headers["origin"], client.headers["sec-fetch-site"]

    answer = client.post(f"/campaigns/{campaign}/cancel", headers=headers)

    assert answer.headers["location"] == f"/campaigns/{campaign}?said=cancelled"
    assert pages.ledger.campaigns.status(campaign).state == "cancelled"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b'{"key": "x"}', "application/json", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"key=%ff", "application/x-www-form-urlencoded", 400),
        ("key=ü".encode(), "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(300)), "application/x-www-form-urlencoded", 400),
        (b"key=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_what_is_no_form_is_refused_as_a_page(pages: Pages, body: bytes, content_type: str, status: int):
    answer = pages.nobody().client.post("/sign-in", content=body, headers={"content-type": content_type})

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


def test_what_is_done_on_the_pages_is_recorded_as_what_is_done_over_the_api(pages: Pages):
    campaign = pages.submit(CAMPAIGN)
    person = pages.person(Role.PRODUCER)

    person.send(f"/campaigns/{campaign}/pause")
    person.send(f"/campaigns/{campaign}/pause", ignored="x")
    person.get(f"/campaigns/{campaign}")

    calls = pages.ledger.calls.newest_first(10)
    assert [(call.operation, call.status) for call in calls] == [("pause", 303), ("pause", 303)]
    assert calls[0].actor.startswith("producer-default (")
    ((_, actor, action, _),) = list(pages.ledger.campaigns.history(campaign))
    assert (actor, action) == (calls[0].actor, "pause")


def test_somebody_rates_as_me_then_under_the_name_typed_and_with_a_key_as_the_key(pages: Pages, campaign: str):
    made = next(pages.ledger.assets.of_campaign(campaign)).asset.job_id

    def approve(person: Person) -> None:
        assert person.send(f"/campaigns/{campaign}/rate", job=made, say="approve").status_code == 303

    person = pages.nobody()
    for name in (None, " Zoë & Bo ", "a\nb"):
        if name:
            person.send("/name", name=name, back="/campaigns")
        approve(person)
    with_key = pages.person(Role.RATER)
    with_key.send("/name", name="Zoë", back="/campaigns")
    approve(with_key)

    raters = ("me", "Zoë & Bo", "rater-default", "Zoë")
    sent = [len(pages.ledger.intake.on_their_way("default", rater)) for rater in raters]
    # What is no name is none.
    assert sent == [2, 1, 1, 0]
