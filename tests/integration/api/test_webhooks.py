"""Webhooks over HTTP: made with a secret that is shown once, told what happens, with a history and a replay."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.storage import Storage
from producer.webhooks.deliver import deliver_due
from schemas.access import Role

from support.calls import Api
from support.receiver import receiving
from support.writer import CAMPAIGN, write_all

URL = "https://example.com/hooks"


def test_a_secret_is_shown_when_its_webhook_is_made_and_never_again(api: Api):
    made = api.call("POST", "/v1/webhooks", json={"url": URL}).json()
    listed = api.call("GET", "/v1/webhooks")

    assert made["secret"].startswith("whsec_")
    assert listed.json()["webhooks"] == [made["webhook"]]
    assert made["secret"] not in listed.text
    assert made["webhook"]["types"] == ["asset.failed", "campaign.finished", "schedule.failed", "version.promoted"]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://a:b@example.com/",
        "file:///etc/passwd",
        "x",
    ],
)
def test_an_address_that_nothing_may_be_sent_to_is_refused_by_its_field(api: Api, url: str):
    answer = api.call("POST", "/v1/webhooks", json={"url": url})

    assert (answer.status_code, [one["field"] for one in answer.json()["problems"]]) == (422, ["url"])
    assert api.call("GET", "/v1/webhooks").json()["webhooks"] == []


def test_what_happens_is_told_shown_and_told_again(api: Api, storage: Storage):
    insider = api.opened.settings.model_copy(update={"webhook_private_addresses": True})
    with receiving() as receiver, ThreadPoolExecutor(2) as pool:
        webhook, _ = api.ledger.webhooks.create("ann", receiver.url, ["campaign.finished"])
        campaign = api.submit(CAMPAIGN).json()["campaign"]["campaign"]
        write_all(api.ledger, storage, failing=lambda job: job.variant == 2)
        deliver_due(api.ledger.webhooks, insider, pool)
        (event,) = api.call("GET", "/v1/events").json()["events"]
        path = f"/v1/events/{event['event']}"
        once = api.call("GET", path).json()["deliveries"]
        replayed = api.call("POST", f"{path}/replay")
        deliver_due(api.ledger.webhooks, insider, pool)
        twice = api.call("GET", path).json()["deliveries"]

    assert (event["type"], event["subject"], event["data"]["failed"]) == ("campaign.finished", campaign, 2)
    assert (replayed.status_code, replayed.json()["deliveries"]) == (202, 1)
    assert receiver.ids == [event["event"]] * 2
    assert [(one["webhook"], one["state"], len(one["attempts"])) for one in once] == [(webhook.id, "delivered", 1)]
    assert [attempt["status"] for attempt in twice[0]["attempts"]] == [204, 204]


def test_a_webhook_that_is_deleted_is_gone(api: Api):
    webhook = api.call("POST", "/v1/webhooks", json={"url": URL}).json()["webhook"]["webhook"]

    answers = [api.call("DELETE", f"/v1/webhooks/{webhook}").status_code for _ in range(2)]

    assert answers == [204, 404]
    assert api.call("GET", "/v1/webhooks").json()["webhooks"] == []


def test_events_of_one_tenant_are_none_of_another(api: Api, storage: Storage):
    api.call("POST", "/v1/webhooks", json={"url": URL})
    api.submit(CAMPAIGN)
    write_all(api.ledger, storage)
    (event,) = api.call("GET", "/v1/events").json()["events"]
    bob = api.key(Role.ADMIN, "bob")

    assert api.client.get("/v1/events", headers=bob).json()["events"] == []
    assert api.client.get(f"/v1/events/{event['event']}", headers=bob).status_code == 404
    assert api.client.post(f"/v1/events/{event['event']}/replay", headers=bob).status_code == 404
