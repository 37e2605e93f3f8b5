"""What ratings of a campaign add up to, on SQLite and PostgreSQL."""

import pytest

from core.ledger import Ledger
from core.ledger.scores import GroupScore
from core.ledger.tallies import Standing
from schemas.campaigns import Kind

from support.rated import a_rating, job_id, make_assets, message, rate


def group(ledger: Ledger, by: str, name: str, kind: Kind = Kind.COPY) -> GroupScore:
    (found,) = [one for one in ledger.scores.groups("spring") if (one.by, one.kind, one.name) == (by, kind, name)]
    return found


def test_a_campaign_is_scored_by_kind_channel_audience_and_style(ledger: Ledger):
    make_assets(ledger, 6, images=2)
    rate(ledger, [a_rating(number, who, stars=5 - number % 2 * 3) for number in range(6) for who in ("ada", "bo")])
    rate(ledger, [a_rating(6, approves=True), a_rating(7, approves=False, reason="ugly")])

    names = [(one.by, one.kind, one.name) for one in ledger.scores.groups("spring")]

    assert [name for name in names if name[1] == Kind.COPY] == [
        ("kind", "copy", "copy"),
        ("channel", "copy", "google_search.headline"),
        ("audience", "copy", "commuters"),
        ("audience", "copy", "home"),
        ("style", "copy", "benefit"),
        ("style", "copy", "detail"),
    ]
    assert ("style", "image", "") not in names
    # Those for commuters have the even numbers.
    assert group(ledger, "audience", "commuters").score.stars.value > 4
    assert group(ledger, "audience", "home").score.stars.value < 3
    assert group(ledger, "kind", "image", Kind.IMAGE).score.approval.value == pytest.approx(0.5)
    assert group(ledger, "kind", "copy").score.counts["ratings"] == 12
    assert group(ledger, "kind", "copy").score.approval is None


def test_the_reasons_of_rejections_that_count_are_counted(ledger: Ledger):
    make_assets(ledger, 3)
    rate(ledger, [a_rating(number, approves=False, reason="untrue") for number in range(3)])
    rate(ledger, [a_rating(0, at=2000.0, approves=False, reason="off-brand"), a_rating(1, at=2000.0, approves=True)])

    assert ledger.scores.reasons("spring") == {"off-brand": 1, "untrue": 1}


def test_the_best_assets_come_first_and_one_good_rating_is_not_enough(ledger: Ledger):
    make_assets(ledger, 4)
    rate(ledger, [a_rating(0, f"rater {who}", stars=5 - who % 5 // 4) for who in range(20)])
    rate(ledger, [a_rating(1, stars=5)])
    rate(ledger, [a_rating(number, f"rater {who}", stars=1 + who % 3) for number in (2, 3) for who in range(6)])

    best = ledger.scores.of_assets("spring", 2)
    worst = ledger.scores.of_assets("spring", 2, worst=True)

    assert [one.job_id for one in best] == [job_id(0), job_id(1)]
    assert {one.job_id for one in worst} == {job_id(2), job_id(3)}
    assert best[1].score.stars.value < best[0].score.stars.value
    assert best[0].score == ledger.scores.of_asset(job_id(0)).score


def test_an_asset_tells_its_standing_comparisons_and_clicks(ledger: Ledger):
    make_assets(ledger, 2)
    rate(ledger, [a_rating(0, approves=False, reason="other")])
    pair = {"type": "comparison", "job_id": job_id(0), "other_job_id": job_id(1), "outcome": "better"}
    shown = {"type": "results", "job_id": job_id(0), "source": "meta", "impressions": 1000, "clicks": 20}
    rate(ledger, [message(pair), message(shown)])

    found = ledger.scores.of_asset(job_id(0))

    assert found.standing == Standing.REJECTED
    assert (found.score.counts["wins"], found.score.counts["clicks"]) == (1, 20)
    assert found.score.click_rate.low < 0.02 < found.score.click_rate.high
    assert ledger.scores.of_asset(job_id(1)).score.counts["losses"] == 1


def test_what_nobody_rated_has_no_score(ledger: Ledger):
    make_assets(ledger, 1)

    assert ledger.scores.groups("spring") == []
    assert ledger.scores.of_asset(job_id(0)) is None


def test_all_campaigns_together_are_scored_by_the_same_groups(ledger: Ledger):
    for campaign in ("spring", "summer"):
        make_assets(ledger, 2, campaign=campaign)
        content = {"type": "rating", "job_id": job_id(0, campaign), "stars": 4}
        rate(ledger, [message(content)])

    (whole,) = [one for one in ledger.scores.groups() if one.by == "kind"]

    assert whole.score.counts["ratings"] == 2
