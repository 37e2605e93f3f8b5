"""Jobs made of other jobs, on SQLite and PostgreSQL: they wait for their inputs, fail with them and are tried again."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import ImpossibleWorkError, StateError
from core.ledger import Ledger
from core.ledger.campaigns import CampaignState
from core.ledger.inputs import INPUT_FAILED
from core.ledger.leases import ALONE, LOSSES_ALONE_UNTIL_DEAD, LOSSES_UNTIL_ALONE, Failure, Lease, Settled
from core.storage import Storage
from producer.verify import verify
from schemas.campaigns import Kind
from schemas.jobs import Job, JobState

from support.inputs import (
    AD,
    HEADLINE,
    PICTURE,
    PRODUCT,
    a_job,
    an_ad,
    an_asset,
    bucket_of,
    claim,
    fail,
    forge,
    is_sound,
    make,
    state,
    submit,
)


@pytest.mark.parametrize("order", [(Kind.COPY, Kind.IMAGE), (Kind.IMAGE, Kind.COPY)])
def test_a_job_is_released_when_all_its_inputs_are_done_in_any_order(order: tuple[Kind, Kind], ledger: Ledger):
    submit(ledger, an_ad())
    before = claim(ledger, Kind.CREATIVE), ledger.leases.pick([Kind.CREATIVE])

    first = make(ledger, order[0])
    between = claim(ledger, Kind.CREATIVE)
    second = make(ledger, order[1])

    assert (before, between) == ((None, None), None)
    assert (first.released_kinds, second.released_kinds) == ((), (Kind.CREATIVE,))
    assert ledger.leases.pick([Kind.CREATIVE]).bucket == bucket_of(Kind.CREATIVE)
    make(ledger, Kind.CREATIVE)
    assert ledger.campaigns.status("c1").state == CampaignState.FINISHED
    assert is_sound(ledger)


def test_a_job_comes_with_its_inputs_wherever_it_is_read(ledger: Ledger):
    planned = an_ad()
    submit(ledger, planned)
    listed = {one.job.id: one.job for one in ledger.jobs.of_campaign("c1")}
    make(ledger, Kind.COPY)
    make(ledger, Kind.IMAGE)

    lease = claim(ledger, Kind.CREATIVE)

    assert lease.jobs == (planned[0],)
    assert ledger.jobs.status(AD).job == planned[0]
    assert list(listed.values()) == sorted(planned, key=lambda job: job.id)


def test_what_was_released_is_not_released_again(ledger: Ledger):
    submit(ledger, an_ad())
    make(ledger, Kind.COPY)
    make(ledger, Kind.IMAGE)
    lease = claim(ledger, Kind.CREATIVE)
    ledger.leases.finish(lease, (), [Failure(AD, "model_error", "out of luck", is_permanent=False)])
    # It waits out its own backoff, a long one.
    forge(ledger, AD, not_before=time.time() + 3600)

    ledger.leases.sweep()
    ledger.leases.sweep()

    assert claim(ledger, Kind.CREATIVE) is None
    assert ledger.jobs.status(AD).error_code == "model_error"


def test_inputs_that_end_at_the_same_moment_release_every_job(ledger: Ledger):
    submit(ledger, [job for number in range(40) for job in an_ad(f"{number:02d}")])
    leases = [claim(ledger, kind, 10) for _ in range(4) for kind in (Kind.COPY, Kind.IMAGE)]
    gate = threading.Barrier(len(leases))

    def finish(lease: Lease) -> Settled:
        gate.wait()
        return ledger.leases.finish(lease, [an_asset(job) for job in lease.jobs])

    with ThreadPoolExecutor(len(leases)) as pool:
        list(pool.map(finish, leases))

    assert len(claim(ledger, Kind.CREATIVE).jobs) == 40


def test_a_failed_input_fails_what_is_made_of_it_and_the_campaign_ends(ledger: Ledger):
    submit(ledger, an_ad())

    settled = fail(ledger, Kind.COPY, "x" * 300)
    make(ledger, Kind.IMAGE)

    letter = ledger.jobs.status(AD)
    assert settled.failed == (HEADLINE,)
    assert (letter.state, letter.error_code, letter.attempts) == (JobState.FAILED, INPUT_FAILED, 0)
    assert letter.error == f"its headline {HEADLINE} failed: {'x' * 200}; mend and retry that job, this one follows"
    assert ledger.campaigns.status("c1").state == CampaignState.FINISHED
    assert is_sound(ledger)


def test_an_input_that_kills_its_workers_fails_what_is_made_of_it(ledger: Ledger):
    submit(ledger, an_ad())
    for _ in range(LOSSES_UNTIL_ALONE):
        claim(ledger, Kind.COPY)
        ledger.leases.release(["w1"])
    for _ in range(LOSSES_ALONE_UNTIL_DEAD):
        ledger.leases.claim(bucket_of(Kind.COPY) + ALONE, 1, "w1")
        ledger.leases.release(["w1"])

    assert ledger.jobs.status(HEADLINE).error_code == "worker_lost"
    assert ledger.jobs.status(AD).error_code == INPUT_FAILED
    assert is_sound(ledger)


def test_a_cancelled_input_fails_what_is_made_of_it_for_good(ledger: Ledger):
    submit(ledger, an_ad())

    ledger.jobs.cancel(HEADLINE, "ann")

    assert ledger.jobs.status(AD).error_code == INPUT_FAILED
    with pytest.raises(
        StateError, match=f"{AD} cannot be tried again by itself: its headline {HEADLINE} was cancelled"
    ):
        ledger.jobs.retry([AD], "ann")
    assert is_sound(ledger)


def test_a_cancelled_campaign_ends_jobs_that_wait_for_inputs_too(ledger: Ledger):
    submit(ledger, an_ad())

    ended = ledger.campaigns.cancel("c1", "ann")

    assert (ended, state(ledger, AD)) == (3, JobState.CANCELLED)
    assert is_sound(ledger)


def test_a_cancel_meets_workers_that_finish_inputs_at_the_same_moment(ledger: Ledger):
    submit(ledger, [job for number in range(400) for job in an_ad(f"{number:03d}")])
    leases = [claim(ledger, kind, 50) for _ in range(4) for kind in (Kind.COPY, Kind.IMAGE)]
    gate = threading.Barrier(len(leases) + 1)

    def finish(lease: Lease) -> Settled:
        gate.wait()
        return ledger.leases.finish(lease, [an_asset(job) for job in lease.jobs])

    def cancel() -> int:
        gate.wait()
        return ledger.campaigns.cancel("c1", "ann")

    with ThreadPoolExecutor(len(leases) + 1) as pool:
        finishes = [pool.submit(finish, lease) for lease in leases]
        ended = pool.submit(cancel).result()
        done = sum(len(one.result().done) for one in finishes)

    status = ledger.campaigns.status("c1")
    assert (status.done, status.cancelled, status.open_jobs) == (done, ended, 0)
    assert done + ended == 1200
    assert is_sound(ledger)


def test_a_retried_input_takes_along_what_is_made_of_it(ledger: Ledger):
    submit(ledger, an_ad())
    fail(ledger, Kind.COPY)
    make(ledger, Kind.IMAGE)

    retried = ledger.jobs.retry([HEADLINE], "ann")

    ad = ledger.jobs.status(AD)
    assert (retried, ad.state, ad.error_code, ad.finished_at) == (1, JobState.WAITING, None, None)
    assert claim(ledger, Kind.CREATIVE) is None
    assert [(action, detail) for _, _, action, detail in ledger.campaigns.history(AD)] == [("retry", "with its inputs")]
    assert is_sound(ledger)
    make(ledger, Kind.COPY)
    assert make(ledger, Kind.CREATIVE).done == (AD,)


def test_a_job_is_not_retried_before_its_lost_input(ledger: Ledger):
    submit(ledger, an_ad())
    fail(ledger, Kind.COPY)

    with pytest.raises(StateError, match=f"its headline {HEADLINE} failed: .*; mend and retry that job"):
        ledger.jobs.retry([AD], "ann")

    assert state(ledger, AD) == JobState.FAILED


@pytest.mark.parametrize("order", [(AD, HEADLINE), (HEADLINE, AD)])
def test_a_job_and_its_input_are_retried_together(order: Sequence[str], ledger: Ledger):
    submit(ledger, an_ad())
    fail(ledger, Kind.COPY)

    retried = ledger.jobs.retry(order, "ann")

    assert retried == 2
    assert (state(ledger, HEADLINE), state(ledger, AD)) == (JobState.WAITING, JobState.WAITING)
    assert is_sound(ledger)


def test_what_lost_two_inputs_says_which_is_left_and_waits_when_both_are_retried(ledger: Ledger):
    submit(ledger, an_ad())
    fail(ledger, Kind.COPY)
    fail(ledger, Kind.IMAGE, "blank")

    ledger.jobs.retry([HEADLINE], "ann")
    left = ledger.jobs.status(AD)
    ledger.jobs.retry([PICTURE], "ann")

    assert left.state == JobState.FAILED
    assert left.error == f"its image {PICTURE} failed: blank; mend and retry that job, this one follows"
    assert state(ledger, AD) == JobState.WAITING
    assert is_sound(ledger)


def test_inputs_that_are_retried_at_the_same_moment_take_along_what_is_made_of_both(ledger: Ledger):
    submit(ledger, [job for number in range(20) for job in an_ad(f"{number:02d}")])
    fail(ledger, Kind.COPY)
    fail(ledger, Kind.IMAGE)
    gate = threading.Barrier(2)

    def retry(part: str) -> int:
        gate.wait()
        return ledger.jobs.retry([f"c1-{part}{number:02d}" for number in range(20)], "ann")

    with ThreadPoolExecutor(2) as pool:
        retried = list(pool.map(retry, ("headline", "image")))

    assert retried == [20, 20]
    assert ledger.campaigns.status("c1").waiting == 60
    assert is_sound(ledger)


def test_a_chain_fails_and_is_retried_from_end_to_end(ledger: Ledger):
    submit(ledger, [a_job("c1-page", Kind.CREATIVE, {"ad": AD}), *an_ad()])
    fail(ledger, Kind.COPY)
    make(ledger, Kind.IMAGE)
    failed = ledger.jobs.status("c1-page")

    ledger.jobs.retry([HEADLINE], "ann")

    assert f"its ad {AD} failed: its headline {HEADLINE} failed" in failed.error
    make(ledger, Kind.COPY)
    assert make(ledger, Kind.CREATIVE).done == (AD,)
    assert make(ledger, Kind.CREATIVE).done == ("c1-page",)
    assert is_sound(ledger)


def test_a_paused_campaign_releases_and_does_not_serve(ledger: Ledger):
    submit(ledger, an_ad())
    headlines, pictures = claim(ledger, Kind.COPY), claim(ledger, Kind.IMAGE)
    ledger.campaigns.pause("c1", "ann")
    for lease in (headlines, pictures):
        ledger.leases.finish(lease, [an_asset(job) for job in lease.jobs])

    while_paused = claim(ledger, Kind.CREATIVE)
    ledger.campaigns.resume("c1", "ann")

    assert while_paused is None
    assert len(claim(ledger, Kind.CREATIVE).jobs) == 1


def test_campaigns_that_wait_for_inputs_hold_up_no_other(ledger: Ledger):
    for name in ("c1", "c2"):
        submit(ledger, an_ad(campaign_id=name), name)
    make(ledger, Kind.COPY)
    claim(ledger, Kind.IMAGE, 1)
    submit(ledger, [a_job("c3-line", Kind.COPY)], "c3")
    with ledger.database.write() as connection:
        connection.exec_driver_sql("UPDATE campaigns SET served_at = 1 WHERE id <> 'c3'")
        connection.exec_driver_sql("UPDATE campaigns SET served_at = 2 WHERE id = 'c3'")

    lease = claim(ledger, Kind.COPY, 1)

    assert [job.id for job in lease.jobs] == ["c3-line"]


def test_a_submit_that_was_killed_half_way_is_completed_with_its_inputs(ledger: Ledger):
    made_of = {"headline": HEADLINE, "image": PICTURE}
    planned = [*(a_job(f"{AD}{number:04d}", Kind.CREATIVE, made_of) for number in range(2000)), *an_ad()[1:]]

    def broken() -> Iterator[Job]:
        yield from planned[:2001]
        message = "killed"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError):
        submit(ledger, broken())
    # All inputs of all these jobs are still missing.
    ledger.leases.sweep()
    submit(ledger, planned)

    assert (ledger.campaigns.status("c1").waiting, claim(ledger, Kind.CREATIVE)) == (2002, None)
    make(ledger, Kind.COPY)
    make(ledger, Kind.IMAGE)
    assert len(claim(ledger, Kind.CREATIVE, 3000).jobs) == 2000
    assert is_sound(ledger)


def test_a_job_made_of_one_that_is_not_in_its_campaign_is_refused(ledger: Ledger):
    submit(ledger, [a_job("c2-headline", Kind.COPY)], "c2")

    with pytest.raises(ImpossibleWorkError, match=f"job {AD} is made of c2-headline .headline., which campaign c1"):
        submit(ledger, [a_job(AD, Kind.CREATIVE, {"headline": "c2-headline"})])

    assert ledger.campaigns.status("c1").state == CampaignState.SUBMITTING


@pytest.mark.parametrize(("ended", "then"), [(JobState.DONE, JobState.WAITING), (JobState.FAILED, JobState.FAILED)])
def test_the_sweep_settles_what_a_worker_left_that_knew_nothing_of_inputs(
    ended: JobState, then: JobState, ledger: Ledger
):
    submit(ledger, an_ad())
    forge(ledger, HEADLINE, state=ended, error="no line passed")
    forge(ledger, PICTURE, state=JobState.DONE)
    unsound = not is_sound(ledger)

    swept = ledger.leases.sweep()

    assert unsound
    assert (state(ledger, AD), Kind.CREATIVE in swept.waiting_kinds) == (then, then == JobState.WAITING)
    assert is_sound(ledger)


def test_sweeps_look_through_all_that_waits_for_inputs(ledger: Ledger):
    made_of = {"headline": HEADLINE, "image": PICTURE}
    ads = [a_job(f"{AD}{number:04d}", Kind.CREATIVE, made_of) for number in range(1500)]
    submit(ledger, [*ads, *an_ad()[1:], *an_ad("9999")])
    forge(ledger, "c1-headline9999", state=JobState.DONE)
    forge(ledger, "c1-image9999", state=JobState.DONE)

    waiting_kinds = [Kind.CREATIVE in ledger.leases.sweep().waiting_kinds for _ in range(2)]

    assert waiting_kinds == [False, True]


@pytest.mark.parametrize(
    "forged",
    [
        {AD: {"state": JobState.DONE}},
        {HEADLINE: {"state": JobState.DONE}, PICTURE: {"state": JobState.DONE}},
        {HEADLINE: {"state": JobState.FAILED}},
        {HEADLINE: {"state": JobState.CANCELLED}, AD: {"not_before": 0.0}},
    ],
)
def test_the_oracle_finds_a_job_that_does_not_follow_its_inputs(
    forged: dict[str, dict[str, object]], ledger: Ledger, storage: Storage
):
    submit(ledger, an_ad())
    before = verify(ledger, storage, "c1")

    for job_id, values in forged.items():
        forge(ledger, job_id, **values)
    verdict = verify(ledger, storage, "c1")

    assert before.violations == []
    assert [one.target for one in verdict.violations if one.rule == "inputs first"] == [AD]


def test_pictures_and_lines_of_a_product_are_told_apart(ledger: Ledger):
    planned = an_ad()
    submit(ledger, planned)
    lines, pictures = claim(ledger, Kind.COPY), claim(ledger, Kind.IMAGE)
    ledger.leases.finish(lines, [an_asset(lines.jobs[0], "Coffee before eight")])
    ledger.leases.finish(pictures, [an_asset(pictures.jobs[0], "1080 x 1080", "f0e1d2c3b4a59687")])

    product = ("c1", PRODUCT.sku)
    written, drawn = (
        (*product, lease.jobs[0].brief.channel, lease.jobs[0].brief.audience.id) for lease in (lines, pictures)
    )
    assert ledger.assets.texts([product]) == {written: ["Coffee before eight"]}
    assert ledger.assets.likenesses([product, ("c1", "NB-2")]) == {drawn: ["f0e1d2c3b4a59687"]}
    assert ledger.assets.of_job(PICTURE).likeness == "f0e1d2c3b4a59687"


def test_the_assets_of_inputs_are_found_by_their_jobs(ledger: Ledger):
    submit(ledger, an_ad())
    make(ledger, Kind.COPY)

    found = ledger.assets.locations([HEADLINE, PICTURE])

    assert list(found) == [HEADLINE]
    assert (found[HEADLINE].location.key, found[HEADLINE].preview) == (f"campaigns/{HEADLINE}", HEADLINE)
