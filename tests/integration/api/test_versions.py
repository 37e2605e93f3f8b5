"""Versions over HTTP: everybody may look, admins of who runs the factory change what serves, on what they have seen."""

from typing import Any

import pytest

from schemas.access import DEFAULT_TENANT, Role
from schemas.campaigns import Kind

from support.calls import Api
from support.versions import MODEL, a_version, version_id

FIRST, SECOND = version_id(1), version_id(2)
ADDRESS = f"/v1/models/{MODEL}"


@pytest.fixture
def registered(api: Api) -> Api:
    """A factory with two versions that passed the gate and one that did not."""
    for number, is_passed in ((1, True), (2, True), (3, False)):
        api.ledger.versions.register(a_version(number, is_passed=is_passed))
    return api


def order(api: Api, path: str, **body: Any) -> Any:
    """Order something as an admin of who runs the factory."""
    return api.call("POST", f"{ADDRESS}/{path}", json=body, headers=api.key(Role.ADMIN, DEFAULT_TENANT))


def test_versions_say_where_they_stand(registered: Api):
    order(registered, "promote", version=FIRST, why="reads better")
    order(registered, "canary", version=SECOND, share=0.25, why="new")

    found = registered.call("GET", f"{ADDRESS}/versions", headers=registered.key(Role.VIEWER)).json()["versions"]
    (model,) = [one for one in registered.call("GET", "/v1/models").json()["models"] if one["model"] == MODEL]

    assert [(one["version"], one["state"]) for one in found] == [
        (FIRST, "champion"),
        (SECOND, "challenger"),
        (version_id(3), "refused"),
    ]
    assert found[0]["verdict"]["bound"] == 0.1
    assert (model["champion"], model["challenger"], model["share"]) == (FIRST, SECOND, 0.25)


def test_what_is_ordered_is_done_and_told_in_the_history(registered: Api):
    answers = [
        order(registered, "promote", version=FIRST, why="reads better"),
        order(registered, "canary", version=SECOND, share=0.25, why="try it"),
        order(registered, "canary/stop", why="seen enough"),
        order(registered, "rollback", why="reads worse"),
    ]

    history = [
        registered.call("GET", f"{ADDRESS}/history?limit=3", headers=registered.key(Role.VIEWER, tenant)).json()
        for tenant in (DEFAULT_TENANT, "ann")
    ]

    assert [(one.status_code, one.json()["champion"], one.json()["challenger"]) for one in answers] == [
        (200, FIRST, ""),
        (200, FIRST, SECOND),
        (200, FIRST, ""),
        (200, "", ""),
    ]
    assert [(one["number"], one["action"], one["why"]) for one in history[0]["changes"]] == [
        (4, "rollback", "reads worse"),
        (3, "stop-canary", "seen enough"),
        (2, "start-canary", "try it"),
    ]
    # Who runs the factory is nobody else's business.
    assert [one["actor"].split()[0] for one in history[0]["changes"]] == ["admin-default"] * 3
    assert [one["actor"] for one in history[1]["changes"]] == [""] * 3


def test_what_somebody_changed_since_it_was_seen_is_not_changed_again(registered: Api):
    order(registered, "promote", version=FIRST, why="mine", seen=0)

    late = [
        order(registered, "promote", version=SECOND, why="mine", seen=0),
        order(registered, "rollback", why="mine", seen=0),
        order(registered, "canary", version=SECOND, share=0.5, why="mine", seen=0),
    ]

    assert {(one.status_code, one.json()["type"]) for one in late} == {(409, "urn:content-factory:state")}
    assert "somebody else has just changed" in late[0].json()["detail"]
    assert order(registered, "promote", version=SECOND, why="mine", seen=1).json()["champion"] == SECOND


def test_what_cannot_serve_is_refused_with_the_reason(registered: Api):
    registered.ledger.versions.register(a_version(1, model="starter", kind=Kind.IMAGE))

    refused = [
        order(registered, "promote", version=version_id(3), why="please"),
        order(registered, "promote", version=version_id(9), why="please"),
        order(registered, "promote", version=version_id(1, Kind.IMAGE), why="please"),
        order(registered, "rollback", why="please"),
        order(registered, "canary", version=FIRST, share=1.0, why="please"),
        order(registered, "promote", version=FIRST, why=""),
        order(registered, "promote", version=FIRST, why="two\nlines"),
    ]

    assert [one.status_code for one in refused] == [409, 404, 404, 409, 422, 422, 422]
    assert "did not pass the gate" in refused[0].json()["detail"]
    assert [one["field"] for one in refused[4].json()["problems"]] == ["share"]


def test_an_admin_of_another_tenant_looks_and_changes_nothing(registered: Api):
    ann = registered.key(Role.ADMIN, "ann")

    refused = [
        registered.call("POST", f"{ADDRESS}/{path}", json={"version": FIRST, "share": 0.5, "why": "mine"}, headers=ann)
        for path in ("promote", "rollback", "canary", "canary/stop")
    ]

    assert {one.status_code for one in refused} == {403}
    assert "an admin of the tenant 'default'" in refused[0].json()["detail"]
    assert registered.ledger.promotions.history(Kind.COPY, MODEL) == []


def test_a_model_of_several_kinds_wants_one_named_and_one_with_slashes_is_found(api: Api):
    for kind in (Kind.IMAGE, Kind.MUSIC):
        api.ledger.versions.register(a_version(1, model="org/starter", kind=kind))
    operator = api.key(Role.ADMIN, DEFAULT_TENANT)

    listed = api.call("GET", "/v1/models/org%2Fstarter/versions").json()["versions"]
    unclear = api.call("POST", "/v1/models/org/starter/rollback", json={"why": "x"}, headers=operator)
    clear = api.call("POST", "/v1/models/org/starter/rollback", json={"why": "x", "kind": "image"}, headers=operator)

    assert [one["kind"] for one in listed] == ["image", "music"]
    assert (unclear.status_code, "image, music" in unclear.json()["detail"]) == (404, True)
    assert (clear.status_code, "nothing to go back to" in clear.json()["detail"]) == (409, True)
