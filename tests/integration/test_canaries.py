"""What people think of both sides of a canary, on SQLite and PostgreSQL, and what follows from it."""

import itertools
import time

import pytest

from core.ledger import Ledger
from core.ledger.leases import Lease
from core.ledger.promotions import Action, Order, Serving
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.versions import SHIPPED, name_of_version
from workers.canaries import judge_canaries

from support.rated import a_rating, an_asset, job_id, make_assets, message, rate
from support.versions import MODEL, a_version, version_id

CHALLENGER = version_id(1)
SHIPPED_NAME = f"{MODEL}@0a1b2c3d"


@pytest.fixture
def tried(ledger: Ledger) -> Serving:
    """A canary on a model that nobody had changed."""
    ledger.versions.register(a_version(1))
    return ledger.promotions.start_canary(
        CHALLENGER, 0.5, ledger.promotions.serving(Kind.COPY, MODEL), Order("ada", "new")
    )


def make(ledger: Ledger, count: int, campaign: str = "spring") -> None:
    """Make so many lines, those with even numbers by the challenger."""
    made_by = itertools.cycle([name_of_version(MODEL, CHALLENGER), SHIPPED_NAME])
    make_assets(ledger, count, campaign=campaign, is_done=False)
    lease = ledger.leases.claim("copy/starter+house/short", count, "w@test#1")
    assert isinstance(lease, Lease)
    named = [an_asset(job, f"Line of {job.id}").model_copy(update={"model": next(made_by)}) for job in lease.jobs]
    ledger.leases.finish(lease, named)


def test_each_rating_is_one_answer_of_the_side_that_made_the_asset(ledger: Ledger, tried: Serving):
    make(ledger, 4)

    rate(
        ledger,
        [
            a_rating(0, approves=True, stars=1),
            a_rating(0, rater="bo", stars=5),
            a_rating(2, stars=3),
            a_rating(1, approves=False),
            a_rating(3, rater="cy", stars=2),
        ],
    )

    champion, challenger = ledger.canaries.answers(tried)
    assert (challenger.units, challenger.sizes, challenger.totals) == (2, 3, 2.5)
    assert (champion.units, champion.sizes, champion.totals) == (2, 2, 0.25)


def test_what_was_taken_back_says_nothing_of_either_side_and_nothing_is_learnt_from_it(ledger: Ledger, tried: Serving):
    make(ledger, 2)
    rate(ledger, [a_rating(0, stars=5, at=1.0), a_rating(1, stars=2)])

    rate(ledger, [a_rating(0, is_withdrawn=True, at=2.0)])

    champion, challenger = ledger.canaries.answers(tried)
    assert (champion.sizes, challenger.sizes) == (1, 0)
    assert [one.job_id for one in ledger.opinions.of_model(Kind.COPY, MODEL).ratings] == [job_id(1)]
    assert ledger.opinions.news(Kind.COPY, MODEL, 0, 10).ratings == 1


def test_a_comparison_of_both_sides_is_half_an_answer_of_each(ledger: Ledger, tried: Serving):
    make(ledger, 5)

    rate(
        ledger,
        [
            message({"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "better"}),
            message({"type": "comparison", "job_id": job_id(3), "other_job_id": job_id(2), "outcome": "tie"}),
            # Of one side: says nothing of which side is better.
            message({"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(4), "outcome": "better"}),
        ],
    )

    champion, challenger = ledger.canaries.answers(tried)
    assert (challenger.sizes, challenger.totals) == (1.0, 0.75)
    assert (champion.sizes, champion.totals) == (1.0, 0.25)


def test_what_was_made_before_or_by_another_model_does_not_count(ledger: Ledger):
    make(ledger, 2, "winter")
    ledger.versions.register(a_version(1))
    ledger.versions.register(a_version(1, model="starter", kind=Kind.IMAGE))
    on_copy, on_images = (
        ledger.promotions.start_canary(version_id(1, kind), 0.5, ledger.promotions.serving(kind, model), Order("a", ""))
        for kind, model in ((Kind.COPY, MODEL), (Kind.IMAGE, "starter"))
    )
    make(ledger, 2, "spring")

    rate(ledger, [message({"type": "rating", "job_id": job_id(0, name), "stars": 5}) for name in ("winter", "spring")])

    assert [one.sizes for one in ledger.canaries.answers(on_copy)] == [0, 1]
    assert [one.sizes for one in ledger.canaries.answers(on_images)] == [0, 0]


@pytest.mark.parametrize(
    ("liked", "action", "champion"),
    [("challenger", Action.PROMOTE, CHALLENGER), ("champion", Action.STOP_CANARY, SHIPPED)],
)
def test_ratings_promote_what_is_better_and_stop_what_is_worse(
    ledger: Ledger, tried: Serving, liked: str, action: Action, champion: str
):
    make(ledger, 60)
    is_liked = {"challenger": 0, "champion": 1}[liked]

    rate(ledger, [a_rating(number, approves=number % 2 == is_liked or number % 10 == 0) for number in range(59)])
    judge_canaries(ledger, Settings(canary_least_ratings=30))
    before = ledger.promotions.serving(Kind.COPY, MODEL)
    rate(ledger, [a_rating(59, approves=is_liked == 1)])
    judge_canaries(ledger, Settings(canary_least_ratings=30))

    change = ledger.promotions.history(Kind.COPY, MODEL)[-1]
    # With 29 ratings on one side it went on.
    assert before == tried
    assert (change.action, change.champion, change.challenger, change.actor) == (action, champion, "", "canary")
    assert "30 ratings of the champion, 30 of the challenger" in change.why


def test_a_canary_that_nobody_decides_is_stopped_in_the_end(ledger: Ledger, tried: Serving):
    patient, impatient = (Settings(canary_longest_days=days) for days in (1.0, 1e-9))

    judge_canaries(ledger, patient)
    assert ledger.promotions.serving(Kind.COPY, MODEL) == tried
    judge_canaries(ledger, impatient)

    change = ledger.promotions.history(Kind.COPY, MODEL)[-1]
    assert (change.action, change.at <= time.time()) == (Action.STOP_CANARY, True)
    assert "undecided" in change.why


def test_where_there_are_referees_nobody_else_decides_a_canary(ledger: Ledger, tried: Serving):
    make(ledger, 60)
    said = [a_rating(number, approves=number % 2 == 0) for number in range(60)]
    hostile = [a_rating(number, rater=f"foe {n}", approves=number % 2 == 1) for number in range(60) for n in range(3)]
    rate(ledger, [*said, *hostile])

    judge_canaries(ledger, Settings(referees="nobody, other/ada"))
    before = ledger.promotions.serving(Kind.COPY, MODEL)
    judge_canaries(ledger, Settings(referees="ada"))

    change = ledger.promotions.history(Kind.COPY, MODEL)[-1]
    assert before == tried
    assert (change.action, change.champion) == (Action.PROMOTE, CHALLENGER)
    assert change.why.endswith("30 ratings of the champion, 30 of the challenger, by referees alone")


def test_of_comparisons_of_both_sides_only_those_of_referees_count(ledger: Ledger, tried: Serving):
    make(ledger, 2)
    compared = {"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1)}
    rate(ledger, [message({**compared, "outcome": "better"}, "bo"), message({**compared, "outcome": "worse"}, "foe")])

    champion, challenger = ledger.canaries.answers(tried, frozenset({("default", "bo")}))

    assert (challenger.sizes, challenger.totals) == (0.5, 0.5)
    assert (champion.sizes, champion.totals) == (0.5, 0.0)
