"""Campaigns over HTTP: rules and errors of the command line, one campaign for one body, pages and ETags that hold."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.broker import make_app, waiting_tickets
from core.settings import Settings
from core.storage import Storage
from producer.api.opened import STREAMS_AT_ONCE
from producer.campaigns import read
from schemas.access import Limits, Role
from schemas.campaigns import Kind

from support.calls import YAML, Api, serving
from support.writer import CAMPAIGN, JOBS, write_all, write_batch


def submitted(api: Api, text: str = CAMPAIGN) -> str:
    return str(api.submit(text).json()["campaign"]["campaign"])


def test_a_campaign_is_submitted_once_and_its_workers_are_rung(api: Api, settings: Settings):
    first, second = api.submit(CAMPAIGN), api.submit(CAMPAIGN)

    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["is_new"], second.json()["is_new"]) == (True, False)
    assert first.headers["location"] == f"/v1/campaigns/{first.json()['campaign']['campaign']}"
    assert first.json()["campaign"]["waiting"] == JOBS
    assert waiting_tickets(make_app(settings), Kind.COPY) == 2


def test_without_keys_the_api_and_the_command_line_make_the_same_campaign(api: Api, tmp_path: Path):
    (tmp_path / "campaign.yaml").write_text(CAMPAIGN)

    answer = api.client.post("/v1/campaigns", content=CAMPAIGN, headers=YAML)

    assert answer.json()["campaign"]["campaign"] == read(tmp_path / "campaign.yaml").id


def test_a_campaign_in_json_is_the_one_in_yaml(api: Api):
    campaign = submitted(api)
    definition = api.call("GET", f"/v1/campaigns/{campaign}/definition").json()

    again = api.call("POST", "/v1/campaigns", json=definition)

    assert (again.status_code, again.json()["campaign"]["campaign"]) == (200, campaign)


def test_every_mistake_is_told_with_field_line_and_column(api: Api):
    answer = api.submit(CAMPAIGN.replace("audiences", "audience").replace("meta.headline", "meta.headlin"))

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:content-factory:campaign")
    assert [(one["line"], one["column"], one["field"]) for one in problem["problems"]] == [
        (1, 1, "audiences"),
        (6, 1, "audience"),
        (12, 27, "deliverables[3].channel"),
    ]
    assert "did you mean 'audiences'?" in problem["problems"][1]["message"]


def test_a_budget_that_is_too_small_is_told_with_its_line_and_nothing_is_begun(api: Api):
    answer = api.submit(CAMPAIGN + "budget: {jobs: 5}\n")

    (fault,) = answer.json()["problems"]
    assert (answer.status_code, fault["line"], fault["field"]) == (422, 13, "budget.jobs")
    assert "makes 16 jobs and may make 5" in fault["message"]
    assert api.call("GET", "/v1/campaigns").json()["campaigns"] == []


def test_a_language_that_nobody_writes_is_refused(api: Api):
    answer = api.submit(CAMPAIGN + "locales: [fi]\n")

    assert answer.json()["type"] == "urn:content-factory:impossible-work"
    assert "does not write 'fi'" in answer.json()["problems"][0]["message"]


def test_a_plan_counts_and_starts_nothing(api: Api):
    answer = api.call("POST", "/v1/plans?workers=4&device=cpu&price=2", content=CAMPAIGN, headers=YAML)

    assert (answer.status_code, answer.json()["jobs"], answer.json()["workers"]) == (200, JOBS, 4)
    assert api.call("GET", "/v1/campaigns").json()["campaigns"] == []


def test_an_idempotency_key_repeats_a_call_and_refuses_another(api: Api):
    first = api.submit(CAMPAIGN, **{"idempotency-key": "one"})
    again = api.submit(CAMPAIGN, **{"idempotency-key": "one"})
    other = api.submit(CAMPAIGN + "seed: 2\n", **{"idempotency-key": "one"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 422)
    assert first.json()["campaign"] == again.json()["campaign"]
    assert other.json()["type"] == "urn:content-factory:reused-key"


def test_a_body_that_was_refused_does_not_use_up_its_idempotency_key(api: Api):
    api.submit("name: X", **{"idempotency-key": "one"})

    assert api.submit(CAMPAIGN, **{"idempotency-key": "one"}).status_code == 201


def test_many_submits_at_once_make_one_campaign(api: Api):
    api.key()
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.submit(CAMPAIGN, **{"idempotency-key": "one"}), range(6)))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    (campaign,) = api.call("GET", "/v1/campaigns").json()["campaigns"]
    assert (campaign["submitted_jobs"], campaign["waiting"]) == (JOBS, JOBS)


def test_a_tenant_at_its_limit_is_told_when_to_come_again(api: Api):
    api.ledger.tenants.set_limits("ann", Limits(jobs_a_day=20))
    submitted(api)

    refused = api.submit(CAMPAIGN + "seed: 2\n")

    assert (refused.status_code, refused.json()["type"]) == (429, "urn:content-factory:quota")
    assert "16 more are too many" in refused.json()["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert api.call("GET", "/v1/me").json()["jobs_today"] == JOBS


def test_the_limits_of_the_settings_bind_who_has_none_of_its_own(settings: Settings):
    with serving(settings.model_copy(update={"tenant_open_jobs": 10})) as api:
        assert api.submit(CAMPAIGN).status_code == 429


def test_a_campaign_is_paused_resumed_made_urgent_and_cancelled(api: Api):
    path = f"/v1/campaigns/{submitted(api)}"

    answers = [
        api.call("POST", f"{path}/pause").json()["state"],
        api.call("POST", f"{path}/pause").json()["state"],
        api.call("POST", f"{path}/resume").json()["state"],
        api.call("PUT", f"{path}/priority", json={"priority": "interactive"}).json()["priority"],
        api.call("POST", f"{path}/cancel").json()["ended_jobs"],
        api.call("POST", f"{path}/cancel").json()["ended_jobs"],
    ]
    late = [api.call("POST", f"{path}/pause"), api.call("PUT", f"{path}/priority", json={"priority": "normal"})]

    assert answers == ["paused", "paused", "active", "interactive", JOBS, 0]
    assert [answer.status_code for answer in late] == [409, 409]
    assert "only one that is active can pause" in late[0].json()["detail"]


def test_dead_letters_are_tried_again_all_or_some(api: Api, storage: Storage):
    campaign = submitted(api)
    write_all(api.ledger, storage, failing=lambda job: job.variant > 0)
    failed = [one["job"] for one in api.call("GET", f"/v1/campaigns/{campaign}/jobs?state=failed").json()["jobs"]]

    some = api.call("POST", f"/v1/campaigns/{campaign}/retry", json={"jobs": failed[:2]})
    rest = api.call("POST", f"/v1/campaigns/{campaign}/retry", json={})
    stranger = api.call("POST", f"/v1/campaigns/{campaign}/retry", json={"jobs": ["other-000000"]})

    assert (some.json()["retried"], rest.json()["retried"]) == (2, len(failed) - 2)
    assert (stranger.status_code, stranger.json()["detail"]) == (
        404,
        f"job other-000000 is none of campaign {campaign}",
    )


def test_pages_hold_every_campaign_once_while_new_ones_come(api: Api):
    before = {submitted(api, CAMPAIGN + f"seed: {number}\n") for number in range(7)}
    seen: list[str] = []
    cursor = ""
    for number in range(10, 20):
        page = api.call("GET", f"/v1/campaigns?limit=2{cursor}").json()
        seen += [one["campaign"] for one in page["campaigns"]]
        submitted(api, CAMPAIGN + f"seed: {number}\n")
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert len(seen) == len(set(seen))
    assert set(seen) == before


def test_a_list_can_be_asked_for_one_state(api: Api):
    paused, _ = submitted(api), submitted(api, CAMPAIGN + "seed: 2\n")
    api.call("POST", f"/v1/campaigns/{paused}/pause")

    found = api.call("GET", "/v1/campaigns?state=paused").json()["campaigns"]

    assert [one["campaign"] for one in found] == [paused]


@pytest.mark.parametrize("cursor", ["x", "bm90IGpzb24", "W10", "WzEsIDJd", "WyJcdTAwMDAiXQ", "Wy4uLg", "[]", "%00"])
def test_a_cursor_that_is_none_is_refused_by_its_name(api: Api, cursor: str):
    for address in ("/v1/campaigns", "/v1/dead-letters", "/v1/events"):
        answer = api.call("GET", f"{address}?cursor={cursor}")

        assert (answer.status_code, [one["field"] for one in answer.json()["problems"]]) == (422, ["cursor"])


def test_who_has_an_answer_already_is_not_sent_it_again_until_it_changes(api: Api):
    path = f"/v1/campaigns/{submitted(api)}"
    tag = api.call("GET", path).headers["etag"]

    same = api.call("GET", path, headers={"if-none-match": f'"other", W/{tag}'})
    api.call("POST", f"{path}/pause")
    changed = api.call("GET", path, headers={"if-none-match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert changed.headers["cache-control"] == "private, no-cache"


def test_progress_counts_by_channel_and_shows_the_newest(api: Api, storage: Storage):
    campaign = submitted(api)
    write_batch(api.ledger, storage, limit=5)

    progress = api.call("GET", f"/v1/campaigns/{campaign}/progress").json()

    assert progress["campaign"]["done"] == len(progress["newest"]) == 5
    assert sum(channel["done"] + channel["waiting"] for channel in progress["channels"]) == JOBS
    assert progress["seconds_left"] > 0


def events_of(text: str) -> list[tuple[str, object]]:
    """Return name and data of each event of a stream."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "data" in block]


def test_a_stream_tells_every_change_and_ends_with_the_campaign(api: Api, storage: Storage):
    campaign = submitted(api)
    headers = api.key(Role.VIEWER)
    with (
        ThreadPoolExecutor(1) as pool,
        api.client.stream("GET", f"/v1/campaigns/{campaign}/watch", headers=headers) as stream,
    ):
        pool.submit(write_all, api.ledger, storage)
        told = events_of("".join(stream.iter_text()))

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in told[:1] + told[-1:]] == ["progress", "end"]
    assert told[-1][1] == {"state": "finished"}
    assert told[-2][1]["campaign"]["done"] == JOBS


def test_a_stream_of_a_paused_campaign_ends_at_once(api: Api):
    campaign = submitted(api)
    api.call("POST", f"/v1/campaigns/{campaign}/pause")

    told = events_of(api.call("GET", f"/v1/campaigns/{campaign}/watch").text)

    assert [name for name, _ in told] == ["progress", "end"]


def test_a_stream_too_many_is_refused_before_it_begins_and_ended_ones_give_their_place_back(api: Api):
    campaign = submitted(api)
    api.call("POST", f"/v1/campaigns/{campaign}/pause")
    path = f"/v1/campaigns/{campaign}/watch"
    ended = {api.call("GET", path).status_code for _ in range(STREAMS_AT_ONCE + 1)}

    with ExitStack() as held:
        for _ in range(STREAMS_AT_ONCE):
            held.enter_context(api.opened.streams.taken("streams"))
        refused = api.call("GET", path)

    assert ended == {200}
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
