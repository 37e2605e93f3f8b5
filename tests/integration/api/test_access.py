"""Who may do what: every route with every role, found in the app itself, so that no new route is forgotten."""

import pytest

from core.settings import Settings
from schemas.access import DEFAULT_TENANT, Role

from support.calls import Api, operations, serving
from support.writer import CAMPAIGN

PUBLIC = {"get_health"}
# The least role of every other operation: a change of this list is a change of who may do what.
LEAST = {
    "get_me": Role.VIEWER,
    "get_metrics": Role.VIEWER,
    "list_models": Role.VIEWER,
    "list_styles": Role.VIEWER,
    "list_calls": Role.ADMIN,
    "list_versions": Role.VIEWER,
    "list_changes": Role.VIEWER,
    "promote_version": Role.ADMIN,
    "rollback_model": Role.ADMIN,
    "start_canary": Role.ADMIN,
    "stop_canary": Role.ADMIN,
    "plan_campaign": Role.PRODUCER,
    "submit_campaign": Role.PRODUCER,
    "list_campaigns": Role.VIEWER,
    "get_campaign": Role.VIEWER,
    "get_definition": Role.VIEWER,
    "get_progress": Role.VIEWER,
    "watch_campaign": Role.VIEWER,
    "pause_campaign": Role.PRODUCER,
    "resume_campaign": Role.PRODUCER,
    "cancel_campaign": Role.PRODUCER,
    "set_priority": Role.PRODUCER,
    "retry_dead_letters": Role.PRODUCER,
    "submit_job": Role.PRODUCER,
    "list_jobs": Role.VIEWER,
    "list_dead_letters": Role.VIEWER,
    "get_job": Role.VIEWER,
    "edit_dead_letter": Role.PRODUCER,
    "cancel_job": Role.PRODUCER,
    "retry_job": Role.PRODUCER,
    "list_assets": Role.VIEWER,
    "get_link": Role.VIEWER,
    "export_campaign": Role.VIEWER,
    "rate_job": Role.RATER,
    "compare_job": Role.RATER,
    "rate_jobs": Role.RATER,
    "list_ratings": Role.VIEWER,
    "get_scores": Role.VIEWER,
    "regenerate_job": Role.PRODUCER,
    "forget_rater": Role.ADMIN,
    "list_schedules": Role.VIEWER,
    "add_schedule": Role.PRODUCER,
    "get_schedule": Role.VIEWER,
    "change_schedule": Role.PRODUCER,
    "remove_schedule": Role.PRODUCER,
    "run_schedule": Role.PRODUCER,
    "list_runs": Role.VIEWER,
    "create_webhook": Role.ADMIN,
    "list_webhooks": Role.ADMIN,
    "delete_webhook": Role.ADMIN,
    "list_events": Role.ADMIN,
    "get_event": Role.ADMIN,
    "replay_event": Role.ADMIN,
}
# What serves every tenant is changed by the tenant that runs the factory.
OPERATORS = {"promote_version", "rollback_model", "start_canary", "stop_canary"}
BODIES: dict[str, object] = {
    "set_priority": {"priority": "normal"},
    "retry_dead_letters": {},
    "edit_dead_letter": {"changes": {"product.description": "Dark roast"}},
    "rate_job": {"stars": 4},
    "compare_job": {"other_job": "nothing-00000000-000001", "outcome": "tie"},
    "regenerate_job": {},
}
OPERATIONS = {name: (method, address) for name, method, address in operations()}


def test_every_route_has_a_least_role_or_is_public():
    assert set(OPERATIONS) == set(LEAST) | PUBLIC


def test_every_route_is_described_under_its_own_name(api: Api):
    described = api.client.get("/openapi.json").json()["paths"].values()

    names = [operation["operationId"] for methods in described for operation in methods.values()]

    assert sorted(names) == sorted(name for name, _, _ in operations())


def test_every_route_serves_its_least_role_and_better_ones_alone(api: Api):
    served: dict[str, set[Role]] = {name: set() for name in LEAST}

    for name in LEAST:
        for role in Role:
            tenant = DEFAULT_TENANT if name in OPERATORS else "ann"
            answer = api.client.request(*OPERATIONS[name], headers=api.key(role, tenant))
            if answer.status_code != 403:
                served[name].add(role)

    assert served == {name: {role for role in Role if role.may(least)} for name, least in LEAST.items()}


def test_what_serves_every_tenant_is_changed_by_no_admin_of_another_one(api: Api):
    answers = {name: api.client.request(*OPERATIONS[name], headers=api.key(Role.ADMIN, "ann")) for name in OPERATORS}

    assert {answer.status_code for answer in answers.values()} == {403}


def test_no_route_serves_anybody_without_a_key(api: Api):
    api.key()
    # As often as there are routes is more than a stranger may.
    api.opened.wrong_keys.per_minute = 1000

    answers = {name: api.client.request(*OPERATIONS[name]) for name in LEAST}

    assert {(answer.status_code, answer.headers["www-authenticate"]) for answer in answers.values()} == {
        (401, "Bearer")
    }
    assert {answer.headers["content-type"] for answer in answers.values()} == {"application/problem+json"}


def test_health_is_told_to_everybody(api: Api):
    api.key()

    assert api.client.get("/health").json() == {"is_healthy": True}


def test_on_this_machine_alone_no_key_is_needed_until_there_is_one(api: Api):
    before = api.client.get("/v1/me")
    api.key()
    after = api.client.get("/v1/me")

    assert (before.status_code, before.json()["tenant"], before.json()["role"]) == (200, "default", "admin")
    assert after.status_code == 401


def test_a_factory_whose_last_key_was_revoked_stays_closed(api: Api):
    made, _ = api.ledger.keys.create("laptop", "ann", Role.ADMIN, "test")
    api.ledger.keys.revoke(made.id, "test")

    assert api.client.get("/v1/me").status_code == 401


def test_elsewhere_a_key_is_always_needed(settings: Settings):
    with serving(settings.model_copy(update={"api_host": "0.0.0.0"})) as api:
        assert api.client.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic {key}", "{key}", "Bearer {key}x", "Bearer {key} {key}", "Bearer ' OR 1=1 --"],
)
def test_what_is_no_key_opens_nothing(api: Api, header: str):
    key = api.key()["authorization"].removeprefix("Bearer ")

    assert api.client.get("/v1/me", headers={"authorization": header.format(key=key)}).status_code == 401


def test_two_keys_in_one_call_open_nothing(api: Api):
    headers = [("authorization", api.key(role)["authorization"]) for role in (Role.VIEWER, Role.ADMIN)]

    assert api.client.get("/v1/me", headers=headers).status_code == 401


def test_a_revoked_key_opens_nothing_from_the_next_call_on(api: Api):
    key = api.key(Role.VIEWER)
    found = api.client.get("/v1/me", headers=key).json()["key"]

    api.ledger.keys.revoke(found, "test")

    assert api.client.get("/v1/me", headers=key).status_code == 401


def test_whoever_guesses_keys_is_asked_to_wait(api: Api):
    api.key()

    answers = [api.client.get("/v1/me", headers={"authorization": f"Bearer {n}"}) for n in range(31)]

    assert [answer.status_code for answer in answers] == [401] * 30 + [429]
    assert answers[-1].headers["retry-after"] == "60"


def test_a_key_has_so_many_calls_a_minute_and_another_key_its_own(settings: Settings):
    with serving(settings.model_copy(update={"api_calls_per_minute": 3})) as api:
        keys = [api.key(Role.VIEWER, tenant) for tenant in ("ann", "bob")]

        answers = [api.client.get("/v1/me", headers=keys[0]) for _ in range(4)]
        other = api.client.get("/v1/me", headers=keys[1])

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3].headers["retry-after"]) <= 20
    assert other.status_code == 200


def test_nothing_of_one_tenant_is_there_for_another(api: Api):
    campaign = api.submit(CAMPAIGN).json()["campaign"]["campaign"]
    bob = api.key(Role.ADMIN, "bob")

    own = {name: (m, a.replace("nothing-00000000", campaign)) for name, (m, a) in OPERATIONS.items() if "nothing" in a}

    answers = {name: api.client.request(*place, headers=bob, json=BODIES.get(name)) for name, place in own.items()}

    assert {(answer.status_code, answer.json()["type"]) for answer in answers.values()} == {
        (404, "urn:content-factory:unknown-id")
    }
    assert api.client.get("/v1/campaigns", headers=bob).json()["campaigns"] == []
    assert api.client.get("/v1/dead-letters", headers=bob).json()["jobs"] == []
    assert {call["actor"].split()[0] for call in api.client.get("/v1/calls", headers=bob).json()["calls"]} == {
        "admin-bob"
    }


def test_the_same_file_of_two_tenants_is_two_campaigns(api: Api):
    mine = api.submit(CAMPAIGN).json()["campaign"]["campaign"]
    theirs = api.submit(CAMPAIGN, **api.key(Role.PRODUCER, "bob")).json()["campaign"]["campaign"]

    assert mine != theirs


def test_every_changing_call_is_recorded_with_who_what_where_and_outcome(api: Api):
    campaign = api.submit(CAMPAIGN).json()["campaign"]["campaign"]
    api.call("POST", f"/v1/campaigns/{campaign}/pause")
    refused = api.client.post(f"/v1/campaigns/{campaign}/cancel", headers=api.key(Role.VIEWER))
    api.call("GET", f"/v1/campaigns/{campaign}")

    calls = api.call("GET", "/v1/calls").json()["calls"]

    assert [(call["operation"], call["status"]) for call in calls] == [
        ("cancel_campaign", 403),
        ("pause_campaign", 200),
        ("submit_campaign", 201),
    ]
    assert calls[0]["actor"].startswith("viewer-ann (")
    assert calls[0]["request_id"] == refused.headers["x-request-id"]
    assert calls[0]["path"] == f"/v1/campaigns/{campaign}/cancel"
    assert {call["address"] for call in calls} == {"testclient"}
