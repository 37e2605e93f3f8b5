"""The ledger on SQLite and on PostgreSQL: submitted whole, served fairly, settled exactly once."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from core.errors import StateError, UnknownIdError
from core.ledger import Ledger
from core.ledger.campaigns import INSERT_ROWS, CampaignState
from core.ledger.leases import ALONE, LOSSES_ALONE_UNTIL_DEAD, Failure, Lease
from schemas.assets import Asset, Location
from schemas.campaigns import Audience, Brand, Budget, Campaign, CopyDeliverable, Kind, Priority, Product
from schemas.jobs import Brief, Job, JobState

BUCKET = "copy/starter/short"
CHANNEL = "google_search.headline"
PRODUCT = Product(sku="NB-1", name="Ember Espresso")
AUDIENCE = Audience(id="commuters", description="people who need coffee before eight")
BRAND = Brand(name="Northbeam")


def a_campaign(name: str = "spring", priority: Priority = Priority.NORMAL, budget: Budget | None = None) -> Campaign:
    return Campaign(
        name=name,
        brand=BRAND,
        products=(PRODUCT,),
        audiences=(AUDIENCE,),
        deliverables=(CopyDeliverable(kind=Kind.COPY, channel=CHANNEL),),
        priority=priority,
        budget=budget or Budget(),
    )


def jobs_of(campaign_id: str, count: int, bucket: str = BUCKET) -> list[Job]:
    brief = Brief(brand=BRAND, product=PRODUCT, audience=AUDIENCE, channel=CHANNEL)
    return [
        Job(
            id=f"{campaign_id}-{number:06d}",
            campaign_id=campaign_id,
            kind=Kind.COPY,
            bucket=bucket,
            brief=brief,
            variant=number,
            seed=number,
        )
        for number in range(count)
    ]


def submit(ledger: Ledger, campaign_id: str, count: int, priority: Priority = Priority.NORMAL) -> None:
    ledger.campaigns.submit(campaign_id, a_campaign(campaign_id, priority), jobs_of(campaign_id, count))


def an_asset(job: Job, text: str = "", seconds: float = 0.5) -> Asset:
    place = Location(key="campaigns/x.jsonl", offset_bytes=0, length_bytes=1, sha256="0" * 64)
    return Asset(
        job_id=job.id,
        campaign_id=job.campaign_id,
        sku=job.brief.product.sku,
        location=place,
        manifest=place,
        content_type="text/plain",
        preview=text or job.id,
        fingerprint=hashlib.sha256((text or job.id).encode()).hexdigest(),
        model="starter",
        device_seconds=seconds,
    )


def claim(ledger: Ledger, limit: int = 100, worker: str = "w1", bucket: str = BUCKET) -> Lease:
    lease = ledger.leases.claim(bucket, limit, worker)
    assert lease is not None
    return lease


def campaigns_in(lease: Lease) -> list[str]:
    return [job.campaign_id for job in lease.jobs]


def test_a_campaign_submitted_twice_is_one(ledger: Ledger):
    first = ledger.campaigns.submit("c1", a_campaign(), jobs_of("c1", 5))
    second = ledger.campaigns.submit("c1", a_campaign(), jobs_of("c1", 5))

    status = ledger.campaigns.status("c1")
    assert (first, second) == (True, False)
    assert (status.submitted_jobs, status.waiting, status.state) == (5, 5, CampaignState.ACTIVE)


def test_a_submit_that_broke_off_serves_nothing_and_is_completed_by_the_next(ledger: Ledger):
    def broken() -> Sequence[Job]:
        yield from jobs_of("c1", 2500)
        message = "killed"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        ledger.campaigns.submit("c1", a_campaign(), broken())
    served = ledger.leases.pick([Kind.COPY])
    ledger.campaigns.submit("c1", a_campaign(), jobs_of("c1", 3000))

    assert served is None
    assert ledger.campaigns.status("c1").waiting == 3000


def test_a_claim_takes_the_oldest_jobs_up_to_the_batch_size(ledger: Ledger):
    submit(ledger, "c1", 5)

    lease = claim(ledger, limit=3)

    assert [job.variant for job in lease.jobs] == [0, 1, 2]
    assert lease.jobs[0].brief.product == PRODUCT
    assert ledger.campaigns.status("c1").leased == 3


def test_an_interactive_campaign_goes_before_a_normal_one_before_background(ledger: Ledger):
    submit(ledger, "background", 2, Priority.BACKGROUND)
    submit(ledger, "normal", 2)
    submit(ledger, "interactive", 2, Priority.INTERACTIVE)

    lease = ledger.leases.claim(BUCKET, 3, "w1")

    assert sorted(campaigns_in(lease)) == ["interactive", "interactive", "normal"]


def test_equal_campaigns_share_a_batch_equally_whatever_their_size(ledger: Ledger):
    submit(ledger, "giant", 200)
    submit(ledger, "tiny", 3)

    lease = claim(ledger, limit=8)

    assert campaigns_in(lease).count("giant") == 5
    assert campaigns_in(lease).count("tiny") == 3


def test_the_campaign_served_longest_ago_decides_the_next_bucket(ledger: Ledger):
    ledger.campaigns.submit("a", a_campaign("a"), jobs_of("a", 10, "copy/starter/short"))
    ledger.campaigns.submit("b", a_campaign("b"), jobs_of("b", 10, "copy/starter/long"))

    picked = []
    for _ in range(4):
        pick = ledger.leases.pick([Kind.COPY])
        picked.append(pick.bucket)
        claim(ledger, limit=2, bucket=pick.bucket)

    assert picked == ["copy/starter/short", "copy/starter/long"] * 2


def test_two_workers_never_hold_the_same_job(ledger: Ledger):
    submit(ledger, "c1", 60)

    def take(worker: int) -> list[str]:
        held: list[str] = []
        while lease := ledger.leases.claim(BUCKET, 4, f"w{worker}"):
            held += [job.id for job in lease.jobs]
        return held

    with ThreadPoolExecutor(6) as pool:
        taken = [job_id for held in pool.map(take, range(6)) for job_id in held]

    # A worker whose rivals hold every row at that moment may go home early; nothing is taken twice.
    assert len(taken) == len(set(taken))
    left = ledger.campaigns.status("c1")
    assert left.leased == len(taken)
    assert left.waiting == 60 - len(taken)


def test_a_finished_job_has_one_asset_and_ends_its_campaign(ledger: Ledger):
    submit(ledger, "c1", 2)
    lease = claim(ledger)

    settled = ledger.leases.finish(lease, [an_asset(job) for job in lease.jobs])

    status = ledger.campaigns.status("c1")
    assert len(settled.done) == 2
    assert (status.done, status.state, status.spent_device_seconds) == (2, CampaignState.FINISHED, 1.0)
    assert [one.asset.job_id for one in ledger.assets.of_campaign("c1")] == [job.id for job in lease.jobs]


def test_a_late_worker_changes_nothing(ledger: Ledger):
    submit(ledger, "c1", 2)
    late = claim(ledger, worker="slow")
    ledger.leases.release(["slow"])
    prompt = claim(ledger, worker="fast")
    ledger.leases.finish(prompt, [an_asset(job) for job in prompt.jobs])

    settled = ledger.leases.finish(
        late, [an_asset(late.jobs[0], "another text")], [Failure(late.jobs[1].id, "late", "late", is_permanent=True)]
    )

    assert (settled.done, settled.failed, settled.retried) == ((), (), ())
    assert ledger.campaigns.status("c1").done == 2
    assert ledger.assets.of_job(late.jobs[0].id).preview == late.jobs[0].id


def test_a_text_that_the_campaign_holds_already_is_not_taken_again(ledger: Ledger):
    submit(ledger, "c1", 2)
    lease = claim(ledger)

    settled = ledger.leases.finish(lease, [an_asset(job, "the same line") for job in lease.jobs])

    status = ledger.campaigns.status("c1")
    assert (len(settled.done), len(settled.retried)) == (1, 1)
    assert (status.done, status.waiting, status.state) == (1, 1, CampaignState.ACTIVE)


def test_a_transient_failure_waits_and_becomes_a_dead_letter_at_the_cap(ledger: Ledger):
    submit(ledger, "c1", 1)
    outcomes = []
    for _ in range(5):
        with ledger.database.write() as connection:
            connection.exec_driver_sql("UPDATE jobs SET not_before = 0")
        lease = claim(ledger)
        failed = [Failure(lease.jobs[0].id, "model_error", "out of luck", is_permanent=False)]
        outcomes.append(ledger.leases.finish(lease, (), failed))

    (letter,) = ledger.jobs.dead_letters("c1")
    assert [len(outcome.retried) for outcome in outcomes] == [1, 1, 1, 1, 0]
    assert (letter.error_code, letter.error, letter.errors) == ("model_error", "out of luck", 5)
    assert len(ledger.jobs.failures(letter.job.id)) == 5


def test_a_job_that_failed_waits_out_its_backoff(ledger: Ledger):
    submit(ledger, "c1", 1)
    lease = claim(ledger)
    ledger.leases.finish(lease, (), [Failure(lease.jobs[0].id, "x", "y", is_permanent=False)])

    assert ledger.leases.pick([Kind.COPY]) is None
    assert ledger.leases.claim(BUCKET, 1, "w1") is None


def test_an_expired_lease_waits_again_and_one_that_is_renewed_does_not(ledger: Ledger):
    submit(ledger, "c1", 2)
    kept, lost = claim(ledger, 1), claim(ledger, 1)
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET lease_until = 1 WHERE state = 'leased'")
    ledger.leases.renew([kept.token])

    swept = ledger.leases.sweep()

    assert (swept.returned, swept.dead, swept.waiting_kinds) == (1, 0, (Kind.COPY,))
    assert ledger.jobs.status(lost.jobs[0].id).state == JobState.WAITING
    assert ledger.jobs.status(kept.jobs[0].id).state == JobState.LEASED


def test_a_job_that_loses_its_worker_runs_alone_and_then_is_given_up(ledger: Ledger):
    submit(ledger, "c1", 2)
    for _ in range(2):
        claim(ledger, worker="w1")
        ledger.leases.release(["w1"])
    sizes, lost = [], ""
    for _ in range(LOSSES_ALONE_UNTIL_DEAD):
        lease = ledger.leases.claim(BUCKET + ALONE, 16, "w1")
        sizes.append(len(lease.jobs))
        lost = lease.jobs[0].id
        ledger.leases.release(["w1"])

    (letter,) = ledger.jobs.dead_letters("c1")
    assert sizes == [1] * LOSSES_ALONE_UNTIL_DEAD
    assert (letter.job.id, letter.error_code) == (lost, "worker_lost")
    assert ledger.campaigns.status("c1").waiting == 1


def test_work_given_back_was_never_claimed(ledger: Ledger):
    submit(ledger, "c1", 3)
    lease = claim(ledger)

    ledger.leases.give_back(lease)

    again = claim(ledger)
    assert set(again.attempts.values()) == {1}
    assert len(again.jobs) == 3


def test_a_paused_campaign_is_not_served_and_a_resumed_one_is(ledger: Ledger):
    submit(ledger, "c1", 3)

    ledger.campaigns.pause("c1", "ann")
    while_paused = ledger.leases.pick([Kind.COPY]), ledger.leases.claim(BUCKET, 3, "w1")
    ledger.campaigns.resume("c1", "ann")

    assert while_paused == (None, None)
    assert len(claim(ledger).jobs) == 3
    assert [action for _, _, action, _ in ledger.campaigns.history("c1")] == ["pause", "resume"]


def test_a_cancel_ends_waiting_and_leased_jobs_and_nothing_else(ledger: Ledger):
    submit(ledger, "c1", 4)
    submit(ledger, "c2", 2)
    done = claim(ledger, 2)
    ledger.leases.finish(done, [an_asset(job) for job in done.jobs if job.campaign_id == "c1"])
    ledger.leases.release(["w1"])
    held = claim(ledger, 2)

    ended = ledger.campaigns.cancel("c1", "ann")
    late = ledger.leases.finish(held, [an_asset(job) for job in held.jobs if job.campaign_id == "c1"])

    status = ledger.campaigns.status("c1")
    assert (ended, late.done) == (3, ())
    assert (status.done, status.cancelled, status.open_jobs) == (1, 3, 0)
    assert ledger.campaigns.status("c2").open_jobs == 2
    assert ledger.campaigns.cancel("c1", "ann") == 0


def test_a_spent_budget_pauses_its_campaign_alone(ledger: Ledger):
    ledger.campaigns.submit("c1", a_campaign(budget=Budget(device_seconds=1.0)), jobs_of("c1", 5))
    submit(ledger, "c2", 4)
    while ledger.campaigns.status("c1").state == CampaignState.ACTIVE:
        lease = claim(ledger, 2)
        ledger.leases.finish(lease, [an_asset(job, seconds=0.5) for job in lease.jobs])

    status = ledger.campaigns.status("c1")
    assert (status.state, status.done, status.state_reason) == ("paused", 2, "its budget of device seconds is spent")
    ledger.campaigns.resume("c1", "ann")
    assert ledger.campaigns.status("c1").state == CampaignState.ACTIVE


def test_a_dead_letter_is_edited_and_retried(ledger: Ledger):
    submit(ledger, "c1", 1)
    lease = claim(ledger)
    ledger.leases.finish(lease, (), [Failure(lease.jobs[0].id, "rejected", "no line", is_permanent=True)])
    brief = lease.jobs[0].brief.model_copy(update={"product": PRODUCT.model_copy(update={"description": "Dark"})})

    ledger.jobs.edit(lease.jobs[0].id, brief, "ann")
    retried = ledger.jobs.retry([lease.jobs[0].id], "ann")

    again = claim(ledger)
    assert retried == 1
    assert again.jobs[0].brief.product.description == "Dark"
    assert ledger.campaigns.status("c1").state == CampaignState.ACTIVE


def test_a_dead_letter_of_a_cancelled_campaign_is_not_retried(ledger: Ledger):
    submit(ledger, "c1", 2)
    lease = claim(ledger, 1)
    ledger.leases.finish(lease, (), [Failure(lease.jobs[0].id, "rejected", "no line", is_permanent=True)])
    ledger.campaigns.cancel("c1", "ann")

    with pytest.raises(StateError, match="is cancelled"):
        ledger.jobs.retry([lease.jobs[0].id], "ann")


def test_a_single_job_is_cancelled_once(ledger: Ledger):
    submit(ledger, "c1", 2)

    answers = [ledger.jobs.cancel("c1-000000", "ann") for _ in range(2)]

    assert answers == [True, False]
    assert ledger.campaigns.status("c1").cancelled == 1


def test_a_limit_found_on_a_device_is_remembered_for_it_and_the_bucket_for_a_while(ledger: Ledger):
    ledger.leases.set_batch_limit("cuda H200", BUCKET, 8)
    ledger.leases.set_batch_limit("cuda H200", BUCKET, 4)

    assert ledger.leases.batch_limit("cuda H200", BUCKET, 60) == 4
    assert ledger.leases.batch_limit("cuda H200", BUCKET, 0) is None
    assert ledger.leases.batch_limit("cpu", BUCKET, 60) is None


def test_a_campaign_is_found_by_name_or_start_of_its_id(ledger: Ledger):
    submit(ledger, "spring-roast-1111", 1)
    submit(ledger, "spring-roast-2222", 1)

    assert ledger.campaigns.find("spring-roast-2") == "spring-roast-2222"
    with pytest.raises(UnknownIdError, match="fits several"):
        ledger.campaigns.find("spring")
    with pytest.raises(UnknownIdError, match="there is no campaign"):
        ledger.campaigns.find("autumn")


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda ledger: ledger.campaigns.resume("done", "ann"), "is finished"),
        (lambda ledger: ledger.campaigns.cancel("done", "ann"), "nothing is left"),
        (lambda ledger: ledger.jobs.edit("done-000000", jobs_of("x", 1)[0].brief, "ann"), "only a failed one"),
    ],
)
def test_what_a_state_forbids_is_said(ledger: Ledger, act: Callable[[Ledger], None], says: str):
    submit(ledger, "done", 1)
    lease = claim(ledger)
    ledger.leases.finish(lease, [an_asset(lease.jobs[0])])

    with pytest.raises(StateError, match=says):
        act(ledger)


def test_several_processes_may_open_an_empty_ledger_at_once(ledger: Ledger):
    submit(ledger, "c1", 1)
    gate = threading.Barrier(4)

    def migrate() -> str:
        gate.wait()
        ledger.database.migrate()
        return ledger.campaigns.status("c1").name

    with ThreadPoolExecutor(4) as pool:
        names = [future.result() for future in [pool.submit(migrate) for _ in range(4)]]

    assert names == ["c1"] * 4


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_the_planner_knows_of_very_many_new_jobs_before_the_first_is_picked(ledger: Ledger):
    submit(ledger, "many", INSERT_ROWS)

    with ledger.database.read() as connection:
        # -1 until somebody looked: then all jobs are sorted for every claim, since an index seems not worth it.
        known = connection.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'jobs'")).scalar()

    assert known == INSERT_ROWS
