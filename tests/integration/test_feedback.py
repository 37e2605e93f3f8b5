"""Feedback in the ledger, on SQLite and PostgreSQL: kept once, in any order; tallied; deleted when asked."""

import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.ledger import Ledger
from core.ledger.ratings import KeptRating
from core.ledger.tallies import Standing
from core.settings import Settings
from core.tables import ratings, strata, tallies
from schemas.ratings import Feedback
from workers.feedback import record

from support.rated import a_rating, job_id, make_assets, message, rate


def counting(ledger: Ledger, number: int = 0) -> list[KeptRating]:
    return [one for one in ledger.ratings.of_job(job_id(number)) if one.is_current]


def tally(ledger: Ledger, number: int = 0) -> dict[str, object]:
    with ledger.database.read() as connection:
        row = connection.execute(select(tallies).where(tallies.c.job_id == job_id(number))).mappings().one()
    return dict(row)


def derived(ledger: Ledger) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return all tallies and strata; sums of fractions to as many digits as the order of adding leaves alone."""
    with ledger.database.read() as connection:
        assets = [dict(row) for row in connection.execute(select(tallies).order_by(tallies.c.job_id)).mappings()]
        groups = [dict(row) for row in connection.execute(select(strata)).mappings()]
    rounded = [{k: round(v, 6) + 0.0 if isinstance(v, float) else v for k, v in row.items()} for row in groups]
    return assets, sorted(rounded, key=lambda row: str([row["kind"], row["audience_id"], row["style"]]))


def test_a_later_rating_of_a_person_replaces_the_former_one_and_the_history_stays(ledger: Ledger):
    make_assets(ledger, 1)

    rate(ledger, [a_rating(stars=2, at=1000.0)])
    rate(ledger, [a_rating(stars=5, at=2000.0), a_rating(stars=4, rater="bo")])

    assert [(one.rater, one.stars) for one in counting(ledger)] == [("bo", 4), ("ada", 5)]
    assert len(ledger.ratings.of_job(job_id(0))) == 3
    assert (tally(ledger)["stars_count"], tally(ledger)["stars_sum"]) == (2, 9)


def test_a_message_that_comes_twice_changes_nothing(ledger: Ledger):
    make_assets(ledger, 1)
    once = a_rating(stars=3)
    rate(ledger, [once])
    before = derived(ledger)

    (again,) = ledger.intake.record([once])
    (within, copy) = ledger.intake.record([two := a_rating(stars=4, rater="bo"), two])

    assert (again.is_new, again.refusal) == (False, "")
    assert within.is_new
    assert not copy.refusal
    assert before[0][0]["ratings"] == 1
    assert tally(ledger)["ratings"] == 2


def test_a_message_that_was_overtaken_is_history_at_once(ledger: Ledger):
    make_assets(ledger, 1)

    rate(ledger, [a_rating(stars=5, at=2000.0)])
    rate(ledger, [a_rating(stars=1, at=1000.0)])

    assert [one.stars for one in counting(ledger)] == [5]
    assert [one.stars for one in ledger.ratings.of_job(job_id(0))] == [1, 5]


def test_the_last_yes_or_no_says_whether_an_asset_is_accepted(ledger: Ledger):
    make_assets(ledger, 1)
    standings = [ledger.ratings.standing(job_id(0))]

    for content in ({"approves": False, "reason": "untrue"}, {"approves": True}, {"stars": 1}):
        rate(ledger, [a_rating(rater=f"rater {len(standings)}", at=1000.0 + len(standings), **content)])
        standings.append(ledger.ratings.standing(job_id(0)))

    assert standings == [Standing.OPEN, Standing.REJECTED, Standing.APPROVED, Standing.APPROVED]
    assert ledger.ratings.last_reason(job_id(0)) == "untrue"


def test_a_pair_is_one_pair_whoever_is_named_first(ledger: Ledger):
    make_assets(ledger, 2)
    first, second = job_id(0), job_id(1)

    rate(ledger, [message({"type": "comparison", "job_id": first, "other_job_id": second, "outcome": "better"})])
    rate(
        ledger,
        [
            message({"type": "comparison", "job_id": second, "other_job_id": first, "outcome": "better"}, at=2000.0),
            message({"type": "comparison", "job_id": first, "other_job_id": second, "outcome": "tie"}, rater="bo"),
        ],
    )

    assert [tally(ledger, 0)[name] for name in ("wins", "losses", "ties")] == [0, 1, 1]
    assert [tally(ledger, 1)[name] for name in ("wins", "losses", "ties")] == [1, 0, 1]


def test_results_of_days_add_up_and_those_of_the_same_day_replace(ledger: Ledger):
    make_assets(ledger, 1)

    def results(day: str, clicks: int, at: float) -> Feedback:
        numbers = {"impressions": 100, "clicks": clicks, "conversions": 0.5}
        return message({"type": "results", "job_id": job_id(0), "source": "google-ads", "day": day} | numbers, at=at)

    rate(ledger, [results("2026-11-01", 3, 1000.0), results("2026-11-02", 4, 1000.0)])
    rate(ledger, [results("2026-11-02", 9, 2000.0)])

    assert [tally(ledger)[name] for name in ("impressions", "clicks", "conversions")] == [200, 12, 1.0]


REFUSED = [
    (a_rating(7, stars=3), "job_id: there is no asset of a job 'spring-000007'"),
    (
        a_rating(0, stars=3).model_copy(update={"tenant": "another"}),
        "job_id: there is no asset of a job 'spring-000000'",
    ),
    (a_rating(0, stars=3, at=9e9), "at: is "),
    (a_rating(0, approves=False, reason="ugly"), "reason: there is no reason 'ugly' for copy: one of off-brand"),
    (
        message({"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "tie"}),
        "other_job_id: is of another kind: copy and image cannot be compared",
    ),
]


@pytest.mark.parametrize(("wrong", "expected"), REFUSED)
def test_what_cannot_be_recorded_is_refused_alone(wrong: Feedback, expected: str, ledger: Ledger):
    make_assets(ledger, 1, images=1)

    refused, recorded = ledger.intake.record([wrong, a_rating(0, stars=4)])

    assert refused.refusal.startswith(expected)
    assert recorded.is_new
    assert ledger.intake.why_not(wrong).startswith(expected.partition(" ")[0])
    assert len(counting(ledger)) == 1


def test_a_job_that_is_not_done_cannot_be_rated(ledger: Ledger):
    make_assets(ledger, 1, is_done=False)

    (refused,) = ledger.intake.record([a_rating(0, stars=1)])

    assert "there is no asset of a job 'spring-000000'" in refused.refusal


def test_people_who_rate_at_once_are_all_counted(ledger: Ledger):
    make_assets(ledger, 3)
    batches = [[a_rating(number, f"rater {who}", stars=3) for number in (0, 1, 2)] for who in range(24)]
    dice = random.Random(1)
    for batch in batches:
        dice.shuffle(batch)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda batch: rate(ledger, batch), batches))

    assert [tally(ledger, number)["stars_sum"] for number in (0, 1, 2)] == [72, 72, 72]
    assert sum(row["stars_sum"] for row in derived(ledger)[1]) == 216


def test_one_message_sent_by_two_at_once_is_recorded_once(ledger: Ledger):
    make_assets(ledger, 1)
    messages = [a_rating(0, f"rater {who}", stars=5) for who in range(20)]

    with ThreadPoolExecutor(4) as threads:
        receipts = list(threads.map(lambda one: ledger.intake.record([one])[0], messages * 2))

    assert sum(one.is_new for one in receipts) == 20
    assert tally(ledger)["stars_count"] == 20


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any-order")


CONTENTS = st.one_of(
    st.builds(lambda stars: {"stars": stars}, st.integers(1, 5)),
    st.builds(lambda approves: {"approves": approves}, st.booleans()),
    st.just({"approves": False, "reason": "off-brand"}),
)
MESSAGES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["ada", "bo"]), st.integers(0, 3), CONTENTS), min_size=1, max_size=12
)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(MESSAGES, st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_of_messages_changes_what_counts(
    shared_folder: Path, empty_ledger: Path, said: list[tuple[int, str, int, dict[str, object]]], dice: random.Random
):
    messages = [
        a_rating(number, who, float(at), id=f"message-{place:04d}", **content)
        for place, (number, who, at, content) in enumerate(said)
    ]
    shuffled = messages + messages[: len(messages) // 2]
    dice.shuffle(shuffled)
    found = []
    for name, order in (("in-order", messages), ("shuffled", shuffled)):
        for file in shared_folder.glob(f"{name}.db*"):
            file.unlink()
        shutil.copy(empty_ledger, shared_folder / f"{name}.db")
        ledger = Ledger(Settings(ledger_url=f"sqlite:///{shared_folder / name}.db"))
        make_assets(ledger, 3)
        for one in order:
            ledger.intake.record([one])
        counted = [(one.job_id, one.rater, one.stars, one.approves, one.reason) for one in ledger.ratings.all()]
        found.append((sorted(counted, key=str), derived(ledger)))
        ledger.close()

    assert found[0] == found[1]


def test_whoever_wants_to_be_forgotten_is_and_a_message_that_comes_again_changes_nothing(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(1, "bo", stars=5)])
    without_ada = derived(ledger)
    said = a_rating(0, "ada", stars=1, comment="never again")
    pair = {"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "worse"}
    rate(ledger, [said, a_rating(1, "ada", stars=1), message(pair)])
    ledger.intake.refuse("reason: unknown", '{"rater": "ada"}', "default", "ada")

    deleted = ledger.intake.forget("default", "ada", "admin")
    ledger.intake.record([said])

    with ledger.database.read() as connection:
        names = set(connection.execute(select(ratings.c.rater)).scalars())
    assert deleted == 3
    assert names == {"bo"}
    assert ledger.intake.refusals(10) == []
    assert tally(ledger, 1)["stars_sum"] == 5
    assert sum(row["stars_sum"] for row in derived(ledger)[1]) == sum(row["stars_sum"] for row in without_ada[1])
    assert [detail for _, _, _, detail in ledger.campaigns.history("ratings")] == ["3 ratings of a person"]


def test_what_was_refused_of_a_person_is_forgotten_with_the_rest(ledger: Ledger):
    make_assets(ledger, 1)
    wrong = a_rating(0, "ada", stars=3).model_dump(mode="json")
    # One breaks the rules of the message, one those of the ledger.
    record(ledger, wrong | {"at": -1})
    record(ledger, wrong | {"content": wrong["content"] | {"job_id": "nobody"}})
    record(ledger, wrong | {"rater": "bo", "at": -1})
    before = len(ledger.intake.refusals(10))

    ledger.intake.forget("default", "ada", "admin")

    assert before == 3
    assert ['"bo"' in one.message for one in ledger.intake.refusals(10)] == [True]


def test_a_forgotten_person_may_rate_again(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(0, "ada", stars=1)])
    ledger.intake.forget("default", "ada", "admin")

    rate(ledger, [a_rating(0, "ada", at=900.0, stars=4)])

    assert [one.stars for one in counting(ledger)] == [4]


def test_what_was_sent_is_sent_again_as_it_was_until_it_is_recorded_or_refused(ledger: Ledger):
    make_assets(ledger, 1)
    good, wrong, other = a_rating(0, stars=3), a_rating(9, stars=3), a_rating(0, "bo", stars=2)
    ledger.intake.expect([good, wrong, other])

    early, late, again = ledger.intake.overdue(60), ledger.intake.overdue(-1), ledger.intake.overdue(60)
    for body in late:
        record(ledger, body)

    assert (early, again) == ([], [])
    assert {body["id"] for body in late} == {good.id, wrong.id, other.id}
    assert late[0] in [one.model_dump(mode="json") for one in (good, wrong, other)]
    assert ledger.intake.expected() == 0
    assert len(ledger.intake.refusals(10)) == 1


def test_what_is_on_its_way_is_forgotten_as_well(ledger: Ledger):
    make_assets(ledger, 1)
    said = a_rating(0, "ada", stars=3)
    ledger.intake.expect([said])

    ledger.intake.forget("default", "ada", "admin")
    ledger.intake.record([said])

    assert ledger.intake.expected() == 0
    assert ledger.ratings.of_job(job_id(0)) == []


def test_a_refusal_is_kept_once_and_can_be_read_whatever_it_holds(ledger: Ledger):
    for _ in range(2):
        ledger.intake.refuse("comment: has a NUL", '{"comment": "a\0b\ud800"}', "default", "ada")

    (refusal,) = ledger.intake.refusals(10)

    assert refusal.reason == "comment: has a NUL"
    assert refusal.message == '{"comment": "a\\0b\\ud800"}'
