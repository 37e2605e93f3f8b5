"""Schedules over HTTP: added with what is wrong told by its field, changed, paused, run at once, removed."""

from typing import Any

import pytest

from schemas.access import Limits, Role

from support.calls import Api

CAMPAIGN: dict[str, Any] = {
    "name": "roast",
    "brand": {"name": "Northbeam"},
    "products": [{"sku": "NB-1", "name": "Ember Espresso"}],
    "audiences": [{"id": "commuters", "description": "people in a hurry"}],
    "deliverables": [{"kind": "copy", "channel": "google_search.headline", "variants": 3}],
}
MONDAYS = {"cron": "0 6 * * 1", "timezone": "Europe/Berlin"}


def add(api: Api, **changes: object) -> Any:
    return api.call("POST", "/v1/schedules", json={"campaign": CAMPAIGN} | MONDAYS | changes)


def test_a_schedule_has_an_address_and_shows_the_campaign_that_it_submits(api: Api):
    added = add(api, name="weekly", catch_up="one", window="22:00-06:00", priority="background")

    shown = api.call("GET", added.headers["location"]).json()

    assert added.status_code == 201
    assert added.json() == shown["schedule"]
    assert (shown["schedule"]["name"], shown["schedule"]["catch_up"], shown["schedule"]["state"]) == (
        "weekly",
        "one",
        "active",
    )
    assert '"Ember Espresso"' in shown["definition"]
    assert shown["schedule"]["created_by"].startswith("admin-ann")


def test_a_schedule_is_run_at_once_as_a_campaign_of_its_tenant_alone(api: Api):
    address = add(api).headers["location"]

    ran = api.call("POST", f"{address}/run")
    runs = api.call("GET", f"{address}/runs").json()["runs"]
    campaign = api.call("GET", f"/v1/campaigns/{ran.json()['campaign']}").json()
    bob = api.key(Role.ADMIN, "bob")

    assert (ran.status_code, ran.json()["state"], runs) == (201, "submitted", [ran.json()])
    assert (campaign["submitted_jobs"], campaign["window"], campaign["opens_at"]) == (3, "", None)
    assert api.client.get(f"/v1/campaigns/{campaign['campaign']}", headers=bob).status_code == 404
    assert api.client.get("/v1/schedules", headers=bob).json()["schedules"] == []
    for method, path in (("GET", address), ("PATCH", address), ("DELETE", address), ("POST", f"{address}/run")):
        assert api.client.request(method, path, headers=bob, json={} if method == "PATCH" else None).status_code == 404


def test_a_run_over_the_limits_of_its_tenant_waits_and_says_why(api: Api):
    api.ledger.tenants.set_limits("ann", Limits(jobs_a_day=2))
    address = add(api).headers["location"]

    ran = api.call("POST", f"{address}/run").json()

    assert (ran["state"], ran["campaign"]) == ("due", None)
    assert "may submit 2 jobs a day" in ran["reason"]


def test_a_schedule_is_changed_paused_and_goes_on(api: Api):
    address = add(api).headers["location"]
    other = CAMPAIGN | {"brand": {"name": "Southbeam"}}

    changed = api.call("PATCH", address, json={"cron": "0 7 * * 2", "campaign": other, "is_paused": True}).json()
    definition = api.call("GET", address).json()["definition"]
    resumed = api.call("PATCH", address, json={"is_paused": False}).json()
    same = api.call("PATCH", address, json={}).json()

    assert (changed["cron"], changed["timezone"], changed["state"], changed["next_at"]) == (
        "0 7 * * 2",
        "Europe/Berlin",
        "paused",
        None,
    )
    assert "Southbeam" in definition
    assert (resumed["state"], resumed["next_at"] is not None) == ("active", True)
    assert same == resumed


def test_a_removed_schedule_is_gone_and_its_campaigns_stay(api: Api):
    address = add(api).headers["location"]
    campaign = api.call("POST", f"{address}/run").json()["campaign"]

    removed = api.call("DELETE", address)

    assert removed.status_code == 204
    assert [api.call("GET", path).status_code for path in (address, f"{address}/runs")] == [404, 404]
    assert api.call("GET", f"/v1/campaigns/{campaign}").status_code == 200
    assert add(api).status_code == 201


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"cron": "0 6 * * 9"}, 422, "cron"),
        ({"cron": "soon and often"}, 422, "cron"),
        ({"timezone": "Europe/Belrin"}, 422, "timezone"),
        ({"window": "06:00-06:00"}, 422, "window"),
        ({"window": "late"}, 422, "window"),
        ({"catch_up": "some"}, 422, "catch_up"),
        ({"campaign": CAMPAIGN | {"brand": {}}}, 422, "campaign.brand.name"),
        ({"campaign": CAMPAIGN | {"budget": {"jobs": 2}}}, 422, "campaign.budget.jobs"),
        ({"campaign": CAMPAIGN | {"products": {"file": "products.csv"}}}, 422, "campaign.products.file"),
        ({"campaign": CAMPAIGN | {"locales": ["de"]}}, 422, "campaign.locales[0]"),
    ],
)
def test_what_is_wrong_is_told_by_its_field_and_nothing_is_kept(
    api: Api, changes: dict[str, object], status: int, field: str
):
    answer = add(api, **changes)

    assert (answer.status_code, [one["field"] for one in answer.json()["problems"]]) == (status, [field])
    assert api.call("GET", "/v1/schedules").json()["schedules"] == []


def test_a_name_is_given_once(api: Api):
    add(api)

    answer = add(api)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:content-factory:state")


def test_pages_of_schedules_and_runs_miss_and_repeat_nothing(api: Api):
    names = [f"weekly-{letter}" for letter in "abcde"]
    addresses = [add(api, name=name).headers["location"] for name in names]
    ran = [api.call("POST", f"{addresses[0]}/run").json()["campaign"] for _ in range(3)]

    def pages(path: str, key: str) -> list[Any]:
        seen, cursor = [], None
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = api.call("GET", path, params=params).json()
            seen += page[key]
            cursor = page["next_cursor"]
            if cursor is None:
                return seen

    assert [one["name"] for one in pages("/v1/schedules", "schedules")] == names
    assert [one["campaign"] for one in pages(f"{addresses[0]}/runs", "runs")] == ran[::-1]
