"""Tenants and keys in the ledger, on SQLite and PostgreSQL: what belongs to one is nobody else's, and limits hold."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import QuotaError, ReusedKeyError, StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.tenants import Admission
from schemas.access import Limits, Role
from schemas.campaigns import Campaign
from schemas.jobs import Job

from support.lines import line_campaign, line_jobs


def planned(name: str, jobs: int) -> tuple[Campaign, list[Job]]:
    campaign = line_campaign(name, products=jobs, variants=1)
    return campaign, list(line_jobs(name, campaign, model="starter"))


def submit(ledger: Ledger, name: str, jobs: int, tenant: str, limits: Limits | None = None) -> bool:
    return ledger.campaigns.submit(name, *planned(name, jobs), Admission(tenant, jobs, limits))


def test_a_tenant_finds_its_own_campaigns_and_jobs_and_no_others(ledger: Ledger):
    submit(ledger, "mine", 2, "ann")
    submit(ledger, "theirs", 2, "bob")

    found = ledger.campaigns.page("ann", 10)

    assert [one.id for one in found] == ["mine"]
    ledger.campaigns.require("ann", "mine")
    ledger.jobs.require("ann", "mine-000000")
    with pytest.raises(UnknownIdError, match="no campaign 'theirs' of yours"):
        ledger.campaigns.require("ann", "theirs")
    with pytest.raises(UnknownIdError, match="no job 'theirs-000000' of yours"):
        ledger.jobs.require("ann", "theirs-000000")


def test_a_campaign_that_is_there_is_not_taken_over_by_another_tenant(ledger: Ledger):
    submit(ledger, "spring", 2, "ann")

    with pytest.raises(StateError, match="the id spring is taken"):
        submit(ledger, "spring", 2, "bob")

    assert ledger.campaigns.page("bob", 10) == []


def test_more_jobs_than_a_day_allows_are_refused_and_nothing_is_left_of_them(ledger: Ledger):
    submit(ledger, "first", 3, "ann", Limits(jobs_a_day=5))

    with pytest.raises(QuotaError, match=r"may submit 5 jobs a day .* has submitted 3: 3 more are too many") as refused:
        submit(ledger, "second", 3, "ann", Limits(jobs_a_day=5))

    assert 0 < refused.value.retry_after_seconds <= 86_400
    assert [one.id for one in ledger.campaigns.page("ann", 10)] == ["first"]
    assert submit(ledger, "third", 2, "ann", Limits(jobs_a_day=5))


def test_the_limit_of_open_jobs_has_room_again_when_some_are_done(ledger: Ledger):
    submit(ledger, "first", 4, "ann", Limits(open_jobs=5))
    with pytest.raises(QuotaError, match="may have 5 open jobs and has 4") as refused:
        submit(ledger, "second", 2, "ann", Limits(open_jobs=5))
    ledger.campaigns.cancel("first", "ann")

    assert submit(ledger, "second", 2, "ann", Limits(open_jobs=5))
    assert refused.value.retry_after_seconds == 60


def test_one_tenant_at_its_limit_does_not_bind_another(ledger: Ledger):
    submit(ledger, "mine", 5, "ann", Limits(jobs_a_day=5))

    assert submit(ledger, "theirs", 5, "bob", Limits(jobs_a_day=5))


def test_limits_of_a_tenant_go_before_those_of_everybody(ledger: Ledger):
    ledger.tenants.set_limits("ann", Limits(jobs_a_day=2))

    assert ledger.tenants.limits("ann", Limits(9, 8)) == Limits(2, 8)
    assert ledger.tenants.limits("bob", Limits(9, 8)) == Limits(9, 8)
    with pytest.raises(QuotaError):
        submit(ledger, "spring", 3, "ann", Limits(9, 8))


def test_the_same_campaign_again_is_no_new_work_for_the_limits(ledger: Ledger):
    submit(ledger, "spring", 5, "ann", Limits(jobs_a_day=5))

    again = submit(ledger, "spring", 5, "ann", Limits(jobs_a_day=5))

    assert again is False


def test_submits_at_once_never_pass_the_limit_together(ledger: Ledger):
    def attempt(number: int) -> bool:
        try:
            return submit(ledger, f"c{number}", 3, "ann", Limits(jobs_a_day=7))
        except QuotaError:
            return False

    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(attempt, range(5)))

    assert sum(taken) == 2
    assert ledger.tenants.usage("ann").jobs_today == 6


def test_two_submits_of_one_campaign_at_once_make_it_once(ledger: Ledger):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: submit(ledger, "spring", 50, "ann", Limits(jobs_a_day=60)), range(4)))

    status = ledger.campaigns.status("spring")
    assert sum(made) == 1
    assert (status.submitted_jobs, status.waiting) == (50, 50)


def test_a_key_is_found_by_its_text_alone(ledger: Ledger):
    made, text = ledger.keys.create("laptop", "ann", Role.PRODUCER, "root")

    assert ledger.keys.find(text) == made
    assert [
        ledger.keys.find(wrong) for wrong in ("", text[:-1], text + "x", text.upper(), f"cf_{made.id}_" + "A" * 43)
    ] == [None] * 5


def test_no_table_holds_the_text_of_a_key(ledger: Ledger):
    _, text = ledger.keys.create("laptop", "ann", Role.PRODUCER, "root")

    with ledger.database.read() as connection:
        rows = [connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in ("keys", "actions")]

    assert text.split("_", 2)[2] not in repr(rows)


def test_a_revoked_key_opens_nothing_and_counts_as_one_that_was(ledger: Ledger):
    made, text = ledger.keys.create("laptop", "ann", Role.PRODUCER, "root")
    assert (ledger.keys.any(), ledger.keys.any_valid()) == (True, True)

    ledger.keys.revoke(made.id, "root")

    assert ledger.keys.find(text) is None
    assert (ledger.keys.any(), ledger.keys.any_valid()) == (True, False)
    with pytest.raises(StateError, match="revoked already"):
        ledger.keys.revoke(made.id, "root")
    with pytest.raises(UnknownIdError, match="no key 'nobody'"):
        ledger.keys.revoke("nobody", "root")


def test_an_idempotency_key_stands_for_one_thing_of_one_tenant(ledger: Ledger):
    ledger.calls.remember("ann", "k1", "this")
    ledger.calls.remember("ann", "k1", "this")
    ledger.calls.remember("bob", "k1", "that")

    with pytest.raises(ReusedKeyError, match="make a new one for each new call"):
        ledger.calls.remember("ann", "k1", "that")


def test_calls_are_kept_with_their_outcome_and_one_that_broke_off_without(ledger: Ledger):
    first = ledger.calls.begin("ann", "laptop (k1)", "cancel_campaign", "/v1/campaigns/x/cancel", "127.0.0.1", "r1")
    ledger.calls.end(first, 200)
    ledger.calls.begin("bob", "ci (k2)", "submit_campaign", "/v1/campaigns", "127.0.0.1", "r2")

    told = [(call.tenant, call.operation, call.status) for call in ledger.calls.newest_first(10)]

    assert told == [("bob", "submit_campaign", None), ("ann", "cancel_campaign", 200)]
    assert [call.tenant for call in ledger.calls.newest_first(10, "ann")] == ["ann"]


def test_a_job_of_another_campaign_is_a_stranger_even_with_a_name_that_begins_alike(ledger: Ledger):
    submit(ledger, "spring", 1, "ann")
    submit(ledger, "spring-1", 1, "bob")

    assert ledger.jobs.strangers("spring", ["spring-000000", "spring-1-000000"]) == ["spring-1-000000"]
