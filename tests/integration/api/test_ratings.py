"""Ratings over HTTP: said one by one and many at once, by whoever may, recorded through the inbox, and forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.broker import FEEDBACK_QUEUE, make_app, waiting_feedback
from core.settings import Settings
from core.storage import Storage
from schemas.access import Role
from schemas.ratings import Feedback

from support.calls import Api, serving
from support.waiting import free_port
from support.workers import Workers
from support.writer import CAMPAIGN, JOBS, write_all

WAIT = {"wait_seconds": 25}


@pytest.fixture
def campaign(api: Api, storage: Storage) -> str:
    """A campaign of ann whose lines are made."""
    made = str(api.submit(CAMPAIGN).json()["campaign"]["campaign"])
    write_all(api.ledger, storage)
    return made


@pytest.fixture
def feedback_worker(settings: Settings, tmp_path: Path) -> Iterator[None]:
    workers = Workers(settings, tmp_path)
    workers.start("feedback", queues=FEEDBACK_QUEUE)
    yield
    workers.end()


def rate(api: Api, job: str, role: Role = Role.RATER, **said: Any) -> Any:
    return api.call("POST", f"/v1/jobs/{job}/ratings", json=said, headers=api.key(role))


def record_kept(api: Api) -> None:
    """Record what the inbox holds, as a feedback worker does."""
    kept = [Feedback.model_validate(one) for one in api.ledger.intake.overdue(0.0)]
    assert [one.refusal for one in api.ledger.intake.record(kept) if one.refusal] == []


@pytest.mark.usefixtures("feedback_worker")
def test_a_rating_is_recorded_by_a_worker_and_shown_with_its_rater(api: Api, campaign: str):
    first, second = f"{campaign}-000000", f"{campaign}-000001"

    said = api.call(
        "POST",
        f"/v1/jobs/{first}/ratings",
        json={"stars": 4, "comment": "=crisp"},
        params=WAIT,
        headers=api.key(Role.RATER),
    )
    compared = api.call(
        "POST", f"/v1/jobs/{first}/comparisons", json={"other_job": second, "outcome": "better"}, params=WAIT
    )

    assert (said.status_code, compared.status_code) == (202, 202)
    assert (said.json()["is_recorded"], said.json()["rater"]) == (True, "rater-ann")
    assert compared.json()["is_recorded"]
    shown = api.call("GET", f"/v1/jobs/{first}/ratings").json()
    assert [(one["rater"], one["stars"], one["comment"], one["is_current"]) for one in shown["ratings"]] == [
        ("rater-ann", 4, "=crisp", True)
    ]
    assert shown["standing"] == "open"
    scores = api.call("GET", f"/v1/campaigns/{campaign}/scores", params={"assets": 5}).json()
    assert (scores["groups"][0]["by"], scores["groups"][0]["score"]["counts"]["ratings"]) == ("kind", 1)
    assert {one["job"] for one in scores["assets"]} == {first, second}


def test_who_does_not_wait_is_told_that_it_is_on_its_way(api: Api, campaign: str):
    said = rate(api, f"{campaign}-000000", approves=True).json()

    assert (said["is_sent"], said["is_recorded"]) == (True, False)
    assert api.ledger.intake.expected() == 1


def test_without_a_broker_a_rating_is_kept(api: Api, campaign: str, settings: Settings):
    away = settings.model_copy(update={"broker_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})

    with serving(away) as lonely:
        said = rate(lonely, f"{campaign}-000000", approves=True)

    assert (said.status_code, said.json()["is_sent"]) == (202, False)
    record_kept(api)
    assert api.call("GET", f"/v1/jobs/{campaign}-000000/ratings").json()["standing"] == "approved"


def test_only_a_producer_rates_for_somebody_else(api: Api, campaign: str):
    job = f"{campaign}-000000"

    refused = rate(api, job, stars=5, rater="ada")
    own = rate(api, job, stars=5, rater="rater-ann")
    other = rate(api, job, Role.PRODUCER, stars=4, rater="ada")
    compared = api.call(
        "POST",
        f"/v1/jobs/{job}/comparisons",
        json={"other_job": f"{campaign}-000001", "outcome": "tie", "rater": "ada"},
        headers=api.key(Role.RATER),
    )

    assert [one.status_code for one in (refused, own, other, compared)] == [403, 202, 202, 403]
    record_kept(api)
    raters = {one["rater"] for one in api.call("GET", f"/v1/jobs/{job}/ratings").json()["ratings"]}
    assert raters == {"rater-ann", "ada"}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "body"),
        ({"stars": 6}, "stars"),
        ({"stars": "5"}, "stars"),
        ({"approves": 1}, "approves"),
        ({"stars": 5, "reason": "untrue"}, "body"),
        ({"approves": False, "reason": "no-such-reason"}, "reason"),
        ({"stars": 5, "rater": "a\nb"}, "rater"),
        ({"stars": 5, "comment": "x" * 2001}, "comment"),
        ({"stars": 5, "score": 1}, "score"),
    ],
)
def test_what_cannot_be_recorded_is_refused_by_its_field(api: Api, campaign: str, said: dict[str, object], field: str):
    answer = rate(api, f"{campaign}-000000", **said)

    assert (answer.status_code, [one["field"] for one in answer.json()["problems"]]) == (422, [field])
    assert api.ledger.intake.expected() == 0


def test_what_is_not_made_yet_is_not_rated(api: Api):
    campaign = api.submit(CAMPAIGN).json()["campaign"]["campaign"]

    answer = rate(api, f"{campaign}-000000", stars=5)

    assert (answer.status_code, answer.json()["detail"]) == (
        409,
        f"job {campaign}-000000 is waiting: only what is done can be rated",
    )


def test_an_asset_of_another_tenant_is_nothing_to_compare_with(api: Api, campaign: str, storage: Storage):
    theirs = api.submit(CAMPAIGN, **api.key(Role.PRODUCER, "bob")).json()["campaign"]["campaign"]
    write_all(api.ledger, storage)

    answer = api.call(
        "POST",
        f"/v1/jobs/{campaign}-000000/comparisons",
        json={"other_job": f"{theirs}-000000", "outcome": "better"},
    )

    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "job")


def test_many_ratings_are_accepted_or_refused_each_by_its_place(api: Api, campaign: str, storage: Storage):
    theirs = api.submit(CAMPAIGN, **api.key(Role.PRODUCER, "bob")).json()["campaign"]["campaign"]
    write_all(api.ledger, storage)
    lines: list[dict[str, object]] = [{"job": f"{campaign}-{number:06d}", "stars": 3} for number in range(JOBS)]
    lines[2] |= {"stars": 9}
    lines[4] |= {"job": f"{theirs}-000004"}
    lines[6] |= {"rater": "ada"}
    lines[8] = {"stars": 2}

    answer = api.call("POST", "/v1/ratings", json=lines, headers=api.key(Role.RATER))

    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["is_sent"]) == (JOBS - 4, True)
    assert [(one["index"], one["problem"]["field"]) for one in told["refused"]] == [
        (2, "stars"),
        (4, "job"),
        (6, "rater"),
        (8, "job"),
    ]
    record_kept(api)
    scores = api.call("GET", f"/v1/campaigns/{campaign}/scores").json()
    assert scores["groups"][0]["score"]["counts"]["ratings"] == JOBS - 4


def test_a_thousand_ratings_fit_a_call_and_one_more_does_not(api: Api, campaign: str, settings: Settings):
    line = {"job": f"{campaign}-000000", "stars": 3, "comment": "ü" * 200}
    producer = api.key(Role.PRODUCER)

    fits = api.call("POST", "/v1/ratings", json=[line | {"rater": f"r{n}"} for n in range(1000)], headers=producer)
    too_many = api.call("POST", "/v1/ratings", json=[line] * 1001, headers=producer)

    assert (fits.status_code, fits.json()["accepted"], too_many.status_code) == (202, 1000, 422)
    assert waiting_feedback(make_app(settings)) == 1000


def test_pages_of_ratings_miss_and_repeat_nothing(api: Api, campaign: str):
    job = f"{campaign}-000000"
    for number in range(5):
        rate(api, job, Role.PRODUCER, stars=number % 5 + 1, rater=f"r{number}")
    record_kept(api)

    seen: list[str] = []
    cursor = None
    while True:
        page = api.call("GET", f"/v1/jobs/{job}/ratings", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        seen += [one["rater"] for one in page.json()["ratings"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break

    assert seen == ["r4", "r3", "r2", "r1", "r0"]


def test_a_rejected_asset_is_made_anew_once(api: Api, campaign: str):
    job = f"{campaign}-000000"

    early = api.call("POST", f"/v1/jobs/{job}/regenerate", json={})
    made = api.call("POST", f"/v1/jobs/{job}/regenerate", json={"reason": "untrue"})
    again = api.call("POST", f"/v1/jobs/{job}/regenerate", json={})

    assert [one.status_code for one in (early, made, again)] == [409, 201, 200]
    assert made.headers["location"] == f"/v1/jobs/{job}-r1"
    assert (made.json()["job"], made.json()["reason"], made.json()["state"]) == (f"{job}-r1", "untrue", "waiting")
    assert again.json()["job"] == f"{job}-r1"
    assert api.call("GET", f"/v1/jobs/{job}/ratings").json()["ratings"][0]["reason"] == "untrue"


def test_what_a_person_said_is_forgotten_and_no_record_keeps_the_name(api: Api, campaign: str):
    name = "Åsa/Berg 50%"
    rate(api, f"{campaign}-000000", Role.PRODUCER, stars=1, rater=name)
    record_kept(api)
    rate(api, f"{campaign}-000001", Role.PRODUCER, stars=1, rater=name)

    forgotten = api.call("DELETE", "/v1/raters/%C3%85sa%2FBerg%2050%25")

    assert (forgotten.status_code, forgotten.json()) == (200, {"deleted": 1})
    assert api.ledger.intake.expected() == 0
    assert api.call("GET", f"/v1/jobs/{campaign}-000000/ratings").json()["ratings"] == []
    newest = api.call("GET", "/v1/calls", params={"limit": 1}).json()["calls"][0]
    assert (newest["operation"], newest["path"]) == ("forget_rater", "/v1/raters/{name}")


def test_a_tenant_forgets_only_what_was_said_of_its_own(api: Api, campaign: str):
    rate(api, f"{campaign}-000000", Role.PRODUCER, stars=1, rater="ada")
    record_kept(api)

    forgotten = api.call("DELETE", "/v1/raters/ada", headers=api.key(Role.ADMIN, "bob"))

    assert forgotten.json() == {"deleted": 0}
    assert len(api.call("GET", f"/v1/jobs/{campaign}-000000/ratings").json()["ratings"]) == 1
