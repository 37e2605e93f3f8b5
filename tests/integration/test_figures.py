"""Figures of the factory on SQLite and PostgreSQL: what waits, what was made, what is late."""

import time
from pathlib import Path

from sqlalchemy import update

from core.ledger import Ledger
from core.ledger.figures import SETTLED_SECONDS, Backlog, Made, Opinions
from core.ledger.leases import Failure, Lease
from core.ledger.promotions import Order
from core.settings import Settings
from core.tables import assets, campaigns, jobs
from producer.api.figures import render
from schemas.campaigns import Kind
from schemas.events import EventType
from schemas.jobs import JobState

from support.rated import CAMPAIGN, a_rating, finish_waiting, make_assets, rate
from support.scheduled import Factory, without_broker
from support.versions import MODEL, a_version

HOUR = 3600.0


def claim(ledger: Ledger, limit: int) -> Lease:
    pick = ledger.leases.pick([Kind.COPY])
    assert pick
    lease = ledger.leases.claim(pick.bucket, limit, "w@test#1")
    assert lease
    return lease


def age(ledger: Ledger, seconds: float, campaign: str = CAMPAIGN) -> None:
    """Have the jobs of a campaign wait for as long."""
    with ledger.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.campaign_id == campaign).values(created_at=time.time() - seconds))


def test_jobs_are_counted_by_kind_and_state_and_failed_ones_by_reason(ledger: Ledger):
    make_assets(ledger, 6, images=2, is_done=False)
    lease = claim(ledger, 3)
    ledger.leases.finish(lease, failed=[Failure(lease.jobs[0].id, "rejected", "a secret line", True)])

    found = ledger.figures.snapshot()

    assert found.jobs == {
        (Kind.COPY, JobState.WAITING): 3,
        (Kind.COPY, JobState.LEASED): 2,
        (Kind.COPY, JobState.FAILED): 1,
        (Kind.IMAGE, JobState.WAITING): 2,
    }
    assert found.dead_letters == {(Kind.COPY, "rejected"): 1}
    assert {kind: one.count for kind, one in found.claimable.items()} == {Kind.COPY: 3, Kind.IMAGE: 2}


def test_the_oldest_job_that_could_be_claimed_says_how_long_the_queue_is(ledger: Ledger):
    make_assets(ledger, 2, is_done=False)
    make_assets(ledger, 1, campaign="autumn", is_done=False)
    age(ledger, HOUR)

    waited = ledger.figures.snapshot().claimable[Kind.COPY]

    assert waited.count == 3
    assert HOUR <= waited.oldest_seconds < HOUR + 60


def test_what_nobody_may_claim_does_not_wait(ledger: Ledger):
    make_assets(ledger, 2, is_done=False)
    make_assets(ledger, 2, campaign="autumn", is_done=False)
    age(ledger, HOUR)
    age(ledger, HOUR, "autumn")
    ledger.campaigns.pause(CAMPAIGN, "ada")
    with ledger.database.write() as connection:
        connection.execute(update(campaigns).where(campaigns.c.id == "autumn").values(opens_at=time.time() + HOUR))

    found = ledger.figures.snapshot()

    assert found.claimable == {}
    assert found.jobs[Kind.COPY, JobState.WAITING] == 4


def test_a_campaign_that_was_closed_waits_since_it_opened(ledger: Ledger):
    make_assets(ledger, 2, is_done=False)
    age(ledger, HOUR)
    with ledger.database.write() as connection:
        connection.execute(update(campaigns).values(opens_at=time.time() - 10))

    assert ledger.figures.snapshot().claimable[Kind.COPY].oldest_seconds < 60


def test_assets_and_device_seconds_are_counted_once_however_often_somebody_looks(ledger: Ledger):
    made = make_assets(ledger, 4)
    with ledger.database.write() as connection:
        connection.execute(
            update(assets)
            .where(assets.c.job_id == made[0].id)
            .values(created_at=time.time() - 2 * SETTLED_SECONDS, model="starter@copy-20261126-0a1b2c3d")
        )

    seen = [ledger.figures.snapshot() for _ in range(3)]
    make_assets(ledger, 1, images=1, campaign="autumn")
    later = ledger.figures.snapshot()

    assert [one.made for one in seen] == [{(Kind.COPY, "starter"): Made(4, 0.4)}] * 3
    assert {key: one.assets for key, one in later.made.items()} == {
        (Kind.COPY, "starter"): 5,
        (Kind.IMAGE, "starter"): 1,
    }
    assert round(later.spent_device_seconds, 6) == 0.6


def test_ratings_trainings_and_canaries_are_seen(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, approves=True), a_rating(1, approves=False), a_rating(1, "bo", stars=2)])
    ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    version = a_version()
    ledger.versions.register(version)
    ledger.promotions.start_canary(version.id, 0.1, ledger.promotions.serving(Kind.COPY, MODEL), Order("ada", "better"))

    found = ledger.figures.snapshot()

    assert found.opinions == {Kind.COPY: Opinions(3, 1, 1)}
    assert found.open_trainings == {Kind.COPY: 1}
    assert [one.challenger for one in found.canaries] == [version.id]


def test_what_is_on_its_way_is_counted(ledger: Ledger):
    ledger.webhooks.create("default", "https://example.com/hooks", list(EventType))
    make_assets(ledger, 1)
    ledger.intake.expect([a_rating(0, stars=4)])

    found = ledger.figures.snapshot()

    assert (found.outbox.count, found.inbox.count) == (1, 1)


def test_a_schedule_that_nobody_looks_at_is_late(ledger: Ledger, ledger_url: str, tmp_path: Path):
    factory = Factory(without_broker(tmp_path / "home", ledger_url), ledger)
    schedule = factory.add("0 6 * * 1", "2026-11-27 12:00")
    factory.come_due(schedule, time.time() + HOUR)
    before = ledger.figures.snapshot().late_schedules
    factory.come_due(schedule, time.time() - HOUR)

    late = ledger.figures.snapshot().late_schedules

    assert before == Backlog(0, 0.0)
    assert late.count == 1
    assert HOUR <= late.oldest_seconds < HOUR + 60


def test_nothing_that_somebody_typed_is_on_the_page(ledger: Ledger, tmp_path: Path):
    ledger.webhooks.create("default", "https://hooks.example.com/?token=hush", list(EventType))
    ledger.keys.create("ops", "ann", "admin", "test")
    make_assets(ledger, 3, is_done=False)
    lease = claim(ledger, 1)
    ledger.leases.finish(lease, failed=[Failure(lease.jobs[0].id, "Hush, a code", "hush", True)])
    finish_waiting(ledger)
    rate(ledger, [a_rating(1, rater="hush@example.com", stars=4, comment="hush")])

    page = render(ledger.figures.snapshot(), Settings(home=tmp_path)).decode()

    words = ("hush", "Hush", "Ember", "Northbeam", "commuters", CAMPAIGN, "ann", "ops", "example.com", "w@test")
    assert [word for word in words if word in page] == []
    assert 'factory_dead_letters{kind="copy",reason="other"} 1.0' in page
