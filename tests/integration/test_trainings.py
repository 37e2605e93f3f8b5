"""Trainings in the ledger, on SQLite and PostgreSQL: one at a time, and taken up again; and what is learnt from."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import UnknownIdError
from core.ledger import Ledger
from core.ledger.trainings import MOST_POINTS, Claim, StoredSnapshot, thinned
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.learning import TrainingState, curriculum
from workers.learning.held import Held, StoppedError
from workers.learning.snapshot import take

from support.learners import add_product, rated_world
from support.rated import a_rating, job_id, make_assets, message, rate
from support.upgrades import NextVersion, renaming
from support.waiting import wait_until

MODEL = "starter+house"
SNAPSHOT = StoredSnapshot("snapshots/copy/x.jsonl", "0" * 64, 10, 7, 0, 0.5)


def claimed(ledger: Ledger) -> Claim:
    ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")
    claim = ledger.trainings.claim(Kind.COPY, MODEL, "w@test#1")
    assert claim is not None
    return claim


def impatient(ledger_url: str, tmp_path: Path) -> Ledger:
    """Return a ledger whose leases end at once."""
    return Ledger(Settings(home=tmp_path / "home", ledger_url=ledger_url, lease_seconds=0.05))


def test_a_model_has_one_open_training_whoever_asks_how_often(ledger: Ledger):
    with ThreadPoolExecutor(4) as people:
        asked = list(people.map(lambda n: ledger.trainings.ask(Kind.COPY, MODEL, f"person {n} asked"), range(8)))

    assert len({training.id for training, _ in asked}) == 1
    assert sum(is_new for _, is_new in asked) == 1
    assert len(ledger.trainings.newest()) == 1


def test_of_many_workers_one_gets_the_training(ledger: Ledger):
    ledger.trainings.ask(Kind.COPY, MODEL, "ada asked for it")

    with ThreadPoolExecutor(4) as workers:
        claims = list(workers.map(lambda n: ledger.trainings.claim(Kind.COPY, MODEL, f"w{n}"), range(8)))

    assert sum(claim is not None for claim in claims) == 1
    assert ledger.trainings.waiting() == []


def test_a_training_whose_lease_ended_is_taken_up_and_its_former_worker_changes_nothing(
    ledger_url: str, tmp_path: Path
):
    ledger = impatient(ledger_url, tmp_path)
    former = claimed(ledger)
    wait_until(ledger.trainings.waiting, 10, "the end of the lease")

    again = ledger.trainings.claim(Kind.COPY, MODEL, "other@test#2")

    assert again is not None
    assert (again.training.id, again.training.attempts) == (former.training.id, 2)
    assert not ledger.trainings.report(former, "training", 1, 2, [])
    assert not ledger.trainings.keep_snapshot(former, SNAPSHOT, "")
    assert not ledger.trainings.finish(former, TrainingState.FAILED, "late")
    assert ledger.trainings.of_id(former.training.id).state == TrainingState.OPEN
    ledger.close()


def test_a_report_holds_the_lease_and_shows_how_far_it_is(ledger: Ledger):
    claim = claimed(ledger)

    told = ledger.trainings.report(claim, "training", 3, 10, [{"step": 3, "loss": 0.5}])

    seen = ledger.trainings.of_id(claim.training.id)
    assert told
    assert (seen.stage, seen.step, seen.steps, seen.losses) == ("training", 3, 10, ({"step": 3, "loss": 0.5},))
    assert ledger.trainings.claim(Kind.COPY, MODEL, "other@test#2") is None


def test_a_finished_training_makes_room_for_the_next_one(ledger: Ledger):
    first = claimed(ledger)
    ledger.trainings.keep_snapshot(first, SNAPSHOT, "")

    ended = ledger.trainings.finish(first, TrainingState.SKIPPED, "too little")
    _, is_new = ledger.trainings.ask(Kind.COPY, MODEL, "bo asked for it")

    seen = ledger.trainings.of_id(first.training.id)
    assert ended
    assert is_new
    assert (seen.state, seen.message, seen.snapshot) == (TrainingState.SKIPPED, "too little", SNAPSHOT)
    assert [one.state for one in ledger.trainings.newest(Kind.COPY, MODEL)] == [
        TrainingState.OPEN,
        TrainingState.SKIPPED,
    ]


def test_what_is_given_back_waits_at_once_and_the_attempt_does_not_count(ledger: Ledger):
    claim = claimed(ledger)

    ledger.trainings.give_back(claim)

    again = ledger.trainings.claim(Kind.COPY, MODEL, "other@test#2")
    assert again is not None
    assert again.training.attempts == 1


def test_a_training_in_hand_is_left_when_the_ledger_becomes_newer(ledger: Ledger, tmp_path: Path):
    claim = claimed(ledger)
    following = NextVersion(ledger.database, tmp_path, renaming("trainings", "stage"))
    following.migrate()

    with Held(ledger.trainings, claim, threading.Event()) as held:
        held.begin("snapshot")
        with pytest.raises(StoppedError, match="newer version"):
            held.end_if_stopped()

    following.go_back()
    assert ledger.trainings.of_id(claim.training.id).state == TrainingState.OPEN


def test_a_training_that_is_not_there_is_named(ledger: Ledger):
    with pytest.raises(UnknownIdError, match="no training nothing"):
        ledger.trainings.of_id("nothing")


def test_of_many_losses_some_are_left_out_and_never_the_last():
    points = [{"step": float(number)} for number in range(1, 1002)]

    some = thinned(points)

    assert len(some) <= MOST_POINTS + 1
    assert some[-1] == {"step": 1001.0}
    assert thinned(points[:50]) == points[:50]


def test_what_counts_is_heard_of_one_model_and_nothing_of_another(ledger: Ledger):
    make_assets(ledger, 2, images=1)
    add_product(ledger, "other", 0, 1)
    rate(
        ledger,
        [
            a_rating(0, stars=2),
            a_rating(0, stars=4, at=2000.0),
            a_rating(1, rater="bo", approves=True),
            a_rating(2, approves=False),
            message({"type": "rating", "job_id": "spring-000-000000", "approves": True}),
            message({"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "better"}),
        ],
    )

    heard = ledger.opinions.of_model(Kind.COPY, MODEL)

    assert [(one.job_id, one.person[1], one.stars, one.approves) for one in heard.ratings] == [
        (job_id(0), "ada", 4, None),
        (job_id(1), "bo", None, True),
    ]
    assert [(one.job_id, one.other_job_id, one.better_job_id) for one in heard.comparisons] == [
        (job_id(0), job_id(1), job_id(0))
    ]
    assert list(heard.assets) == [job_id(0), job_id(1)]
    assert heard.assets[job_id(1)].text == f"Line of {job_id(1)}"


def test_a_model_whose_name_only_begins_alike_is_another_model(ledger: Ledger):
    add_product(ledger, "model_1", 0, 2)
    add_product(ledger, "modelx1", 1, 2)
    rate(ledger, [message({"type": "rating", "job_id": f"spring-{p:03d}-000000", "stars": 3}) for p in (0, 1)])

    assert list(ledger.opinions.of_model(Kind.COPY, "model_1").assets) == ["spring-000-000000"]


def test_news_are_what_was_said_after_a_rating(ledger: Ledger):
    make_assets(ledger, 3)
    rate(ledger, [a_rating(0, stars=5), a_rating(1, approves=True)])
    last = ledger.opinions.of_model(Kind.COPY, MODEL).last_rating_id
    rate(
        ledger, [a_rating(2, approves=True), a_rating(2, rater="bo", approves=False), a_rating(1, rater="bo", stars=1)]
    )

    news = ledger.opinions.news(Kind.COPY, MODEL, last, 100)

    assert (news.ratings, news.answers, news.approvals) == (3, 2, 1)
    assert ledger.opinions.news(Kind.COPY, MODEL, last, 2).ratings == 2


def test_both_databases_give_the_same_snapshot(ledger: Ledger, tmp_path: Path):
    other = Ledger(Settings(home=tmp_path / "other"))
    for one in (ledger, other):
        rated_world(one, MODEL, products=8, variants=4)

    taken = [take(one.opinions.of_model(Kind.COPY, MODEL), Kind.COPY, MODEL, curriculum()) for one in (ledger, other)]

    other.close()
    assert taken[0].to_bytes() == taken[1].to_bytes()
    assert len(taken[0].opinions) > 24


def test_deleted_pictures_are_not_learnt_from_and_deleted_lines_are(ledger: Ledger):
    made = make_assets(ledger, 1, images=2)
    rate(ledger, [a_rating(number, approves=True) for number in range(3)])
    compared = {"type": "comparison", "job_id": made[1].id, "other_job_id": made[2].id, "outcome": "better"}
    rate(ledger, [message(compared)])
    pictures, lines = (Kind.IMAGE, "starter"), (Kind.COPY, MODEL)
    before = [len(ledger.opinions.of_model(*one).assets) for one in (pictures, lines)]

    ledger.retention.cleared(made[0].campaign_id, time.time(), "tidy")

    heard = ledger.opinions.of_model(*pictures)
    assert before == [2, 1]
    assert (heard.assets, heard.ratings, heard.comparisons) == ({}, (), ())
    assert len(ledger.opinions.of_model(*lines).assets) == 1
