"""The outbox on SQLite and PostgreSQL: told in the transaction in which it happens, delivered until it is received."""

import time

import pytest

from core.errors import StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.leases import Failure, Lease
from core.ledger.tenants import Admission
from core.ledger.webhooks import MOST_AT_ONCE, MOST_WEBHOOKS, Attempt, Delivery
from schemas.events import EventType

from support.lines import line_campaign, line_jobs

URL = "https://example.com/hooks"
BUCKET = "copy/starter/short"


def submit(ledger: Ledger, name: str, jobs: int, tenant: str = "ann") -> None:
    campaign = line_campaign(name, products=jobs, variants=1)
    ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, "starter"), Admission(tenant, jobs))


def claim(ledger: Ledger, limit: int = 100) -> Lease:
    lease = ledger.leases.claim(BUCKET, limit, "w1")
    assert lease
    return lease


def fail_all(ledger: Ledger, lease: Lease) -> None:
    ledger.leases.finish(lease, failed=[Failure(job.id, "rejected", "no line passed", True) for job in lease.jobs])


def outcome(delivery: Delivery, status: int | None = 200) -> Attempt:
    return Attempt(delivery.webhook_id, time.time(), 0.1, status, "" if status == 200 else "broken")


def told(ledger: Ledger, tenant: str = "ann") -> list[tuple[str, str]]:
    return sorted((event.type, event.subject) for event in ledger.webhooks.page(tenant, 100))


def test_dead_letters_and_the_end_of_their_campaign_are_told(ledger: Ledger):
    ledger.webhooks.create("ann", URL, list(EventType))
    submit(ledger, "spring", 2)

    fail_all(ledger, claim(ledger))

    assert told(ledger) == [
        ("asset.failed", "spring-000000"),
        ("asset.failed", "spring-000001"),
        ("campaign.finished", "spring"),
    ]
    data = next(event.data for event in ledger.webhooks.page("ann", 9) if event.type == EventType.CAMPAIGN_FINISHED)
    assert (data["done"], data["failed"], data["submitted_jobs"]) == (0, 2, 2)


def test_a_job_that_killed_its_workers_is_told(ledger: Ledger):
    ledger.webhooks.create("ann", URL, [EventType.ASSET_FAILED])
    submit(ledger, "spring", 1)
    while (pick := ledger.leases.pick(["copy"])) is not None:
        ledger.leases.claim(pick.bucket, 1, "w1")
        ledger.leases.release(["w1"])

    assert told(ledger) == [("asset.failed", "spring-000000")]


def test_nobody_hears_of_another_tenant_or_of_what_it_did_not_ask_for(ledger: Ledger):
    ledger.webhooks.create("ann", URL, [EventType.CAMPAIGN_FINISHED])
    ledger.webhooks.create("bob", URL, list(EventType))
    submit(ledger, "spring", 1)

    fail_all(ledger, claim(ledger))

    assert told(ledger, "ann") == [("campaign.finished", "spring")]
    assert told(ledger, "bob") == []


def test_what_a_late_worker_says_is_told_to_nobody(ledger: Ledger):
    ledger.webhooks.create("ann", URL, list(EventType))
    submit(ledger, "spring", 1)
    lease = claim(ledger)
    ledger.leases.release(["w1"])

    fail_all(ledger, lease)

    assert told(ledger) == []


def test_every_webhook_of_a_tenant_has_its_own_delivery_of_one_event(ledger: Ledger):
    webhooks = {ledger.webhooks.create("ann", URL, [EventType.CAMPAIGN_FINISHED])[0].id for _ in range(2)}
    submit(ledger, "spring", 1)
    fail_all(ledger, claim(ledger))

    claimed = ledger.webhooks.claim(60)

    assert {one.webhook_id for one in claimed} == webhooks
    assert len({one.event.id for one in claimed}) == 1


@pytest.fixture
def delivery(ledger: Ledger):
    """A delivery that was claimed for the first time."""
    ledger.webhooks.create("ann", URL, [EventType.CAMPAIGN_FINISHED])
    submit(ledger, "spring", 1)
    fail_all(ledger, claim(ledger))
    (claimed,) = ledger.webhooks.claim(0.0)
    return claimed


def test_a_delivery_in_hand_is_not_claimed_again_before_its_lease_ends(ledger: Ledger, delivery: Delivery):
    (again,) = ledger.webhooks.claim(60)

    assert (again.event, again.attempt) == (delivery.event, 2)
    assert ledger.webhooks.claim(60) == []


def test_a_delivery_is_sent_until_it_is_received(ledger: Ledger, delivery: Delivery):
    ledger.webhooks.record(delivery, outcome(delivery, 500), is_delivered=False, wait_seconds=0.0)
    (second,) = ledger.webhooks.claim(0.0)
    ledger.webhooks.record(second, outcome(second), is_delivered=True, wait_seconds=0.0)

    _, [history] = ledger.webhooks.history("ann", delivery.event.id)

    assert ledger.webhooks.claim(0.0) == []
    assert (history.state, [one.status for one in history.attempts]) == ("delivered", [500, 200])


def test_the_last_attempt_that_fails_gives_a_delivery_up(ledger: Ledger, delivery: Delivery):
    ledger.webhooks.record(delivery, outcome(delivery, None), is_delivered=False, wait_seconds=None)

    assert ledger.webhooks.claim(0.0) == []
    assert ledger.webhooks.history("ann", delivery.event.id)[1][0].state == "given_up"
    assert ledger.webhooks.waiting() == 0


def test_a_late_attempt_is_history_and_changes_nothing(ledger: Ledger, delivery: Delivery):
    (second,) = ledger.webhooks.claim(60)

    ledger.webhooks.record(delivery, outcome(delivery, 500), is_delivered=False, wait_seconds=None)
    ledger.webhooks.record(second, outcome(second), is_delivered=True, wait_seconds=None)

    history = ledger.webhooks.history("ann", delivery.event.id)[1][0]
    assert (history.state, len(history.attempts)) == ("delivered", 2)


def test_an_event_is_replayed_under_its_old_id_with_all_its_tries(ledger: Ledger, delivery: Delivery):
    ledger.webhooks.record(delivery, outcome(delivery), is_delivered=True, wait_seconds=None)

    assert ledger.webhooks.replay("ann", delivery.event.id) == 1

    (again,) = ledger.webhooks.claim(60)
    assert (again.event.id, again.attempt, again.tries) == (delivery.event.id, 2, 1)
    with pytest.raises(UnknownIdError, match="of yours"):
        ledger.webhooks.replay("bob", delivery.event.id)


def test_a_deleted_webhook_is_sent_nothing_and_its_history_stays(ledger: Ledger, delivery: Delivery):
    ledger.webhooks.delete("ann", delivery.webhook_id)

    assert ledger.webhooks.claim(0.0) == []
    assert ledger.webhooks.of("ann") == []
    assert ledger.webhooks.history("ann", delivery.event.id)[1][0].state == "given_up"
    with pytest.raises(StateError, match=r"no webhook .* is served any more"):
        ledger.webhooks.replay("ann", delivery.event.id)
    with pytest.raises(UnknownIdError, match="no webhook"):
        ledger.webhooks.delete("ann", delivery.webhook_id)


def test_a_webhook_that_wants_nothing_any_more_is_shown_with_the_reason(ledger: Ledger, delivery: Delivery):
    ledger.webhooks.disable(delivery.webhook_id, "it answered 410 Gone")
    submit(ledger, "summer", 1)
    fail_all(ledger, claim(ledger))

    assert [one.disabled_reason for one in ledger.webhooks.of("ann")] == ["it answered 410 Gone"]
    assert [event.subject for event in ledger.webhooks.page("ann", 9)] == ["spring"]


def test_one_webhook_with_many_events_leaves_turns_to_others(ledger: Ledger):
    busy, _ = ledger.webhooks.create("ann", URL, [EventType.ASSET_FAILED])
    quiet, _ = ledger.webhooks.create("ann", URL, [EventType.CAMPAIGN_FINISHED])
    submit(ledger, "spring", 10)
    fail_all(ledger, claim(ledger))

    claimed = [one.webhook_id for one in ledger.webhooks.claim(60)]

    assert sorted(claimed) == sorted([busy.id] * MOST_AT_ONCE + [quiet.id])


def test_a_tenant_has_so_many_webhooks_at_most(ledger: Ledger):
    for _ in range(MOST_WEBHOOKS):
        ledger.webhooks.create("ann", URL, [EventType.ASSET_FAILED])

    with pytest.raises(StateError, match="delete one first"):
        ledger.webhooks.create("ann", URL, [EventType.ASSET_FAILED])
