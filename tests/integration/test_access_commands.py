"""The commands about the HTTP API and webhooks, in this process: keys, tenants, the record of calls, deliveries."""

from pathlib import Path

import pytest

from core.ledger import Ledger
from core.ledger.leases import Failure
from core.ledger.tenants import Admission
from core.settings import Settings
from schemas.access import Limits, Role
from schemas.events import EventType

from support.commands import Factory, commands
from support.lines import line_campaign, line_jobs

URL = "https://example.com/hooks"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in a home of their own."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def books(home: Path):
    opened = Ledger(Settings(home=home))
    yield opened
    opened.close()


@pytest.fixture
def factory(home: Path, capsys: pytest.CaptureFixture[str]):
    assert home.name == "home"
    return commands(capsys)


def fail_a_campaign(ledger: Ledger) -> None:
    campaign = line_campaign("spring", products=1, variants=1)
    ledger.campaigns.submit("spring", campaign, line_jobs("spring", campaign, "starter"), Admission("default", 1))
    lease = ledger.leases.claim("copy/starter/short", 1, "w1")
    assert lease
    ledger.leases.finish(lease, failed=[Failure(job.id, "rejected", "no line", True) for job in lease.jobs])


def test_a_key_is_written_once_and_opens_what_it_says(factory: Factory, books: Ledger):
    code, text, told = factory("keys", "create", "laptop", "--role", "producer", "--tenant", "ann")

    found = books.keys.find(text.strip())
    assert code == 0
    assert found
    assert (found.name, found.tenant, found.role) == ("laptop", "ann", Role.PRODUCER)
    assert "nobody can show it again" in told
    assert text.strip().split("_", 2)[2] not in repr(factory("keys", "list", "--json"))


def test_a_key_is_listed_and_revoked(factory: Factory, books: Ledger):
    _, [made], _ = factory("keys", "create", "laptop", "--role", "viewer", "--json")

    revoked = factory("keys", "revoke", made["id"])
    again = factory("keys", "revoke", made["id"])

    assert revoked[0] == 0
    assert (again[0], "revoked already" in again[2]) == (1, True)
    assert books.keys.find(made["key"]) is None
    assert [(one["id"], one["revoked_at"] is None) for one in factory("keys", "list", "--json")[1]] == [
        (made["id"], False)
    ]


@pytest.mark.parametrize("arguments", [("A B",), ("laptop", "--tenant", "../x"), ("",)])
def test_a_name_that_is_none_is_wrong_usage(factory: Factory, arguments: tuple[str, ...]):
    code, _, told = factory("keys", "create", *arguments, "--role", "viewer")

    assert code == 2
    assert "lowercase letters" in told


def test_a_tenant_gets_limits_and_is_listed_with_what_it_used(factory: Factory, books: Ledger):
    fail_a_campaign(books)

    code, text, _ = factory("tenants", "limit", "ann", "--jobs-a-day", "100")

    assert (code, text) == (0, "ann: at most 100 jobs a day, as everybody open jobs\n")
    assert books.tenants.limits("ann", Limits()) == Limits(100, None)
    listed = {one["tenant"]: one for one in factory("tenants", "list", "--json")[1]}
    assert listed["ann"]["most_jobs_a_day"] == 100
    assert (listed["default"]["jobs_today"], listed["default"]["open_jobs"]) == (1, 0)


def test_the_record_of_calls_is_shown_newest_first(factory: Factory, books: Ledger):
    first = books.calls.begin("ann", "laptop (k1)", "cancel_campaign", "/v1/campaigns/x/cancel", "10.0.0.5", "r1")
    books.calls.end(first, 409)
    books.calls.begin("bob", "ci (k2)", "submit_campaign", "/v1/campaigns", "10.0.0.6", "r2")

    _, text, _ = factory("audit")
    _, objects, _ = factory("audit", "--tenant", "ann", "--json")

    assert [line.split()[2] for line in text.splitlines()[1:]] == ["bob", "ann"]
    assert "unknown" in text.splitlines()[1]
    assert [(one["operation"], one["status"], one["address"]) for one in objects] == [
        ("cancel_campaign", 409, "10.0.0.5")
    ]


def test_a_webhook_is_added_told_shown_told_again_and_removed(factory: Factory, books: Ledger):
    _, [made], _ = factory("webhooks", "add", URL, "--type", "campaign.finished", "--json")
    fail_a_campaign(books)
    (delivery,) = books.webhooks.claim(60)
    _, [event], _ = factory("webhooks", "events", "--json")

    history = factory("webhooks", "history", event["id"])
    replayed = factory("webhooks", "replay", event["id"])
    removed = factory("webhooks", "remove", made["id"])

    assert made["secret"] == delivery.secret
    assert (event["id"], event["type"]) == (delivery.event.id, EventType.CAMPAIGN_FINISHED)
    assert f"{made['id']}  pending" in history[1]
    assert replayed[1] == f"{event['id']} goes to 1 webhook again\n"
    assert removed[0] == 0
    assert factory("webhooks", "list", "--json")[1] == []


def test_a_webhook_into_this_machine_is_refused_with_the_reason(factory: Factory):
    code, _, told = factory("webhooks", "add", "https://127.0.0.1/hooks")

    assert (code, told) == (
        1,
        "factory: 127.0.0.1 is an address of a private network: name one that anybody can reach\n",
    )


def test_the_api_for_others_needs_a_key_and_says_how_to_make_one(factory: Factory):
    code, _, told = factory("api", "--host", "0.0.0.0")

    assert code == 1
    assert "`factory keys create NAME --role admin` makes one" in told
