"""Styles that ratings choose, on SQLite and PostgreSQL: chosen once, with what was known then, by people of the own."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.exc import ProgrammingError

from core.errors import LedgerError
from core.ledger import Ledger
from core.ledger.leases import Failure
from core.settings import Settings
from core.tables import campaigns
from producer.regenerate import regenerate
from schemas.jobs import JobState
from schemas.styles import Style

from support.rated import an_asset
from support.styled import BUCKET, assert_recorded, campaign_text, claim, counted, like, make, submit
from support.waiting import wait_until

Opening = Callable[..., Ledger]


@pytest.fixture
def opened(ledger_url: str, tmp_path: Path) -> Iterator[Opening]:
    """Open the ledger as another process would, which has read nothing of it, with other settings."""
    others: list[Ledger] = []

    def open_another(**changes: object) -> Ledger:
        others.append(Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url, **changes)))
        return others[-1]

    yield open_another
    for other in others:
        other.close()


def all_jobs(ledger: Ledger, campaign_id: str) -> list[str]:
    return [one.job.id for one in ledger.jobs.page(campaign_id, 1000)]


def learnt(ledger: Ledger, liked: Style, **submitted: str) -> None:
    """Have a campaign made whose readers like one style."""
    submit(ledger, campaign_text("before", products=20), **submitted)
    model = submitted.get("model")
    like(ledger, make(ledger, bucket=f"copy/{model}/short" if model else BUCKET), liked)


def test_a_claim_chooses_a_style_and_keeps_what_was_known(ledger: Ledger):
    submit(ledger, campaign_text())

    made = make(ledger)

    assert_recorded(ledger, made)
    assert len(made) == 40
    assert set(counted(made)) == {Style.BENEFIT, Style.DETAIL}
    assert {job.open_styles for job in made} == {()}


def test_ratings_reach_the_jobs_that_are_claimed_later_and_no_others(ledger: Ledger, opened: Opening):
    submit(ledger, campaign_text(products=40))
    early = make(ledger, 60)
    like(ledger, early, Style.DETAIL)

    late = make(opened(), 100)

    assert_recorded(ledger, [*early, *late])
    assert 0.3 < counted(early)[Style.DETAIL] / 60 < 0.7
    assert counted(late)[Style.DETAIL] / 100 > 0.85


def test_what_people_like_in_one_campaign_is_written_in_the_next(ledger: Ledger, opened: Opening):
    learnt(ledger, Style.BENEFIT)

    submit(ledger, campaign_text("after"))

    assert counted(make(opened()))[Style.BENEFIT] / 40 > 0.8


@pytest.mark.parametrize("others", [{"tenant": "others"}, {"model": "starter"}])
def test_ratings_of_another_tenant_or_model_choose_nothing(ledger: Ledger, opened: Opening, others: dict[str, str]):
    learnt(ledger, Style.BENEFIT, **others)

    submit(ledger, campaign_text("after"))
    (job, *_) = make(opened())

    known = ledger.styles.of_job(job.id).known
    assert [(arm.answers, arm.share) for arm in known.arms] == [(0, 0.5), (0, 0.5)]


def test_what_was_said_long_ago_counts_less(ledger: Ledger, opened: Opening):
    learnt(ledger, Style.BENEFIT)
    with ledger.database.write() as connection:
        connection.execute(update(campaigns).values(created_at=campaigns.c.created_at - 30 * 86_400))
    submit(ledger, campaign_text("after", products=1))

    (job, *_) = make(opened(bandit_half_life_days=10.0), 1)
    (forgetful,) = {sum(arm.answers for arm in ledger.styles.of_job(job.id).known.arms)}
    (job, *_) = make(opened(bandit_half_life_days=30.0), 1)
    (mindful,) = {sum(arm.answers for arm in ledger.styles.of_job(job.id).known.arms)}

    # Three half-lives, and one, of some forty answers for each of two audiences.
    assert 0 < forgetful < mindful


def test_a_job_that_lost_its_worker_keeps_its_style_whatever_was_said_meanwhile(opened: Opening):
    ledger = opened(lease_seconds=0.2)
    submit(ledger, campaign_text())
    lost = claim(ledger).jobs
    learnt(opened(), Style.BENEFIT)

    wait_until(lambda: ledger.leases.sweep().returned, 20, "the end of the lease")
    again = make(opened())

    assert [(job.id, job.brief.style) for job in again] == [(job.id, job.brief.style) for job in lost]
    assert_recorded(ledger, again)


def test_what_is_given_back_keeps_its_style(ledger: Ledger, opened: Opening):
    submit(ledger, campaign_text())
    lease = claim(ledger)

    learnt(ledger, Style.DETAIL)

    ledger.leases.give_back(lease)

    assert [job.brief.style for job in claim(opened()).jobs] == [job.brief.style for job in lease.jobs]


def test_a_dead_letter_that_is_tried_again_keeps_its_style(ledger: Ledger, opened: Opening):
    submit(ledger, campaign_text(products=3))
    lease = claim(ledger)
    dead = [Failure(job.id, "rejected", "no line passed the checks", is_permanent=True) for job in lease.jobs]
    ledger.leases.finish(lease, (), dead)
    learnt(ledger, Style.DETAIL)

    ledger.jobs.retry([job.id for job in lease.jobs], "ada")

    assert [job.brief.style for job in make(opened())] == [job.brief.style for job in lease.jobs]


def test_a_claim_that_cannot_choose_counts_against_no_job(ledger: Ledger):
    submit(ledger, campaign_text(products=1))
    with ledger.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE choices RENAME TO choices_elsewhere")

    with pytest.raises((LedgerError, ProgrammingError)):
        claim(ledger)

    held = ledger.leases.holders()
    with ledger.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE choices_elsewhere RENAME TO choices")
    assert held == []
    assert set(claim(ledger).attempts.values()) == {1}


def test_a_late_worker_chooses_nothing(ledger: Ledger):
    campaign_id = submit(ledger, campaign_text(products=2))
    planned = [ledger.jobs.status(job_id).job for job_id in all_jobs(ledger, campaign_id)]

    kept = ledger.styles.settle("a lease that has ended", planned)

    assert kept == ()
    assert [ledger.styles.of_job(job.id) for job in planned] == [None] * 8
    assert_recorded(ledger, make(ledger))


def test_the_same_campaign_submitted_again_changes_no_choice(ledger: Ledger, opened: Opening):
    submit(ledger, campaign_text())
    made = make(ledger, 25)
    learnt(opened(), Style.BENEFIT)

    submit(opened(), campaign_text())

    assert_recorded(ledger, made)


def test_workers_that_claim_at_once_choose_once_for_each_job(ledger: Ledger):
    campaign_id = submit(ledger, campaign_text(products=30))

    def work(_: int) -> list[str]:
        made = []
        while lease := ledger.leases.claim(BUCKET, 5, "w@test#1"):
            ledger.leases.finish(lease, [an_asset(job, f"Line of {job.id}") for job in lease.jobs])
            made += [job.id for job in lease.jobs]
        return made

    with ThreadPoolExecutor(4) as workers:
        made = Counter(job_id for part in workers.map(work, range(4)) for job_id in part)

    assert set(made.values()) == {1}
    assert len(made) == 120
    assert_recorded(ledger, [ledger.jobs.status(job_id).job for job_id in all_jobs(ledger, campaign_id)])


def test_no_style_is_given_up(ledger: Ledger, opened: Opening):
    learnt(ledger, Style.BENEFIT)
    submit(ledger, campaign_text("after", products=100))

    made = make(opened(bandit_least_share=0.2))

    assert counted(made)[Style.DETAIL] / 400 > 0.14


def test_switched_off_variants_walk_through_the_styles_and_nothing_is_recorded(opened: Opening):
    ledger = opened(bandit="off")
    submit(ledger, campaign_text(products=3, variants=4))

    made = make(ledger)

    assert [job.brief.style for job in made] == [Style.BENEFIT, Style.DETAIL] * 12
    assert [ledger.styles.of_job(job.id) for job in made] == [None] * 24


def test_what_was_begun_while_it_was_off_stays_as_it_was_planned(opened: Opening):
    off = opened(bandit="off")
    submit(off, campaign_text(products=3, variants=4))
    planned = {job.id: job.brief.style for job in claim(off, 12).jobs}
    off.leases.release(["w@test#1"])

    made = {job.id: job for job in make(opened())}

    assert {job_id: made[job_id].brief.style for job_id in planned} == planned
    assert sum(off.styles.of_job(job_id) is not None for job_id in made) == 12


@pytest.mark.parametrize(
    ("styles", "expected"),
    [("", [Style.BENEFIT, Style.DETAIL]), ("[question, moment]", [Style.QUESTION, Style.MOMENT])],
)
def test_campaigns_that_do_not_ask_for_it_walk_as_before(
    ledger: Ledger, opened: Opening, styles: str, expected: list[Style]
):
    learnt(ledger, Style.BENEFIT)
    submit(ledger, campaign_text("after", products=2, styles=styles))

    made = make(opened())

    assert [job.brief.style for job in made] == expected * 4
    assert [ledger.styles.of_job(job.id) for job in made] == [None] * 8


@pytest.mark.parametrize(("reason", "styles"), [("untrue", 1), ("off-audience", 2)])
def test_a_line_that_is_made_anew_keeps_its_style_unless_the_reason_speaks_of_it(
    ledger: Ledger, reason: str, styles: int
):
    submit(ledger, campaign_text(products=1))
    (old, *_) = make(ledger)

    made = regenerate(ledger, old.id, reason, "ada")
    (new,) = make(ledger)

    assert made.style == new.brief.style
    assert len({new.brief.style, old.brief.style}) == styles
    assert ledger.styles.of_job(new.id) is None
    assert ledger.jobs.status(new.id).state == JobState.DONE


def test_a_line_of_named_styles_is_made_anew_in_the_next_of_them(ledger: Ledger):
    submit(ledger, campaign_text(products=1, styles="[question, moment]"))
    (old, *_) = make(ledger)

    made = regenerate(ledger, old.id, "untrue", "ada")

    assert (old.brief.style, made.style) == (Style.QUESTION, Style.MOMENT)
