"""Assets as people look through them, on SQLite and PostgreSQL: filtered, paged, with what this person said of each."""

import random

from core.ledger import Ledger
from core.ledger.gallery import Viewer, Wanted
from core.ledger.pairs import Pair
from core.ledger.tallies import Standing
from producer.rate import taken_back
from schemas.campaigns import Kind
from schemas.ratings import Rating

from support.rated import CAMPAIGN, a_rating, job_id, make_assets, message, rate

ADA, BO = Viewer("default", "ada"), Viewer("default", "bo")
ALL = Wanted()


def seen(ledger: Ledger, wanted: Wanted = ALL, viewer: Viewer = ADA, limit: int = 100, after: str = "") -> list[str]:
    """Return the numbers of the assets of a page."""
    return [one.delivered.asset.job_id[-2:] for one in ledger.gallery.page(CAMPAIGN, wanted, viewer, limit, after)]


def test_pages_follow_each_other_in_the_order_of_the_plan(ledger: Ledger):
    make_assets(ledger, 3, images=2)
    make_assets(ledger, 1, campaign="other")

    first = seen(ledger, limit=2)
    rest = seen(ledger, after=job_id(1))

    assert (first, rest) == (["00", "01"], ["02", "03", "04"])


def test_each_filter_leaves_what_it_names_and_the_count_says_how_many(ledger: Ledger):
    make_assets(ledger, 3, images=2)
    rate(ledger, [a_rating(0, approves=True), a_rating(3, approves=False, rater="bo")])
    filters = {
        Wanted(kind=Kind.IMAGE): ["03", "04"],
        Wanted(channel="google_search.headline"): ["00", "01", "02"],
        Wanted(audience_id="home"): ["01", "03"],
        Wanted(sku="NB-1"): ["00", "01", "02", "03", "04"],
        Wanted(sku="NB-2"): [],
        Wanted(standing=Standing.APPROVED): ["00"],
        Wanted(standing=Standing.REJECTED): ["03"],
        Wanted(standing=Standing.OPEN): ["01", "02", "04"],
        Wanted(only_unrated=True): ["01", "02", "03", "04"],
        Wanted(only_unrated=True, but_not=(job_id(2),), kind=Kind.COPY): ["01"],
    }

    found = {wanted: seen(ledger, wanted) for wanted in filters}

    assert found == filters
    assert {wanted: ledger.gallery.count(CAMPAIGN, wanted, ADA) for wanted in filters} == {
        wanted: len(numbers) for wanted, numbers in filters.items()
    }


def test_everybody_sees_what_he_said_himself(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(stars=2, at=1.0), a_rating(stars=4, comment="crisp", at=2.0), a_rating(stars=1, rater="bo")])

    mine, theirs, nobodys = (ledger.gallery.one(job_id(0), viewer).mine for viewer in (ADA, BO, Viewer("other", "ada")))

    assert mine
    assert (mine.stars, mine.comment) == (4, "crisp")
    assert theirs
    assert theirs.stars == 1
    assert nobodys is None


def test_the_one_before_is_the_last_that_fits(ledger: Ledger):
    make_assets(ledger, 2, images=2)

    before = ledger.gallery.before(CAMPAIGN, Wanted(kind=Kind.COPY), ADA, job_id(3))

    assert before
    assert before.delivered.asset.job_id == job_id(1)
    assert ledger.gallery.before(CAMPAIGN, ALL, ADA, job_id(0)) is None


def test_the_choices_are_what_there_is(ledger: Ledger):
    make_assets(ledger, 2, images=1)

    choices = ledger.gallery.choices(CAMPAIGN)

    assert choices.kinds == (Kind.COPY, Kind.IMAGE)
    assert choices.channels == ("google_search.headline", "instagram.square")
    assert (choices.audiences, choices.products) == (("commuters", "home"), ("NB-1",))


def test_a_rating_that_is_withdrawn_counts_no_more_and_stays_in_the_history(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(stars=5, approves=True, at=1.0), a_rating(stars=3, rater="bo")])

    rate(ledger, [a_rating(is_withdrawn=True, at=2.0)])

    score = ledger.scores.of_asset(job_id(0))
    assert score
    assert (score.standing, score.score.counts["ratings"], score.score.counts["stars_sum"]) == (Standing.OPEN, 1, 3)
    assert seen(ledger, Wanted(only_unrated=True)) == ["00"]
    assert [one.is_withdrawn for one in ledger.ratings.of_job(job_id(0)) if one.rater == "ada"] == [False, True]
    assert [one.rater for one in ledger.ratings.all(with_history=True)] == ["ada", "bo"]


def test_taking_back_the_first_rating_withdraws_it_and_a_later_one_brings_back_the_former(ledger: Ledger):
    make_assets(ledger, 1)
    first = a_rating(stars=2, comment="dull", at=1.0)
    second = a_rating(approves=False, reason="untrue", at=2.0)
    rate(ledger, [first, second, a_rating(stars=1, rater="bo", at=1.5)])

    back = [taken_back(ledger, "default", "ada", job_id(0), one.id) for one in (second, first)]

    assert back == [Rating(job_id=job_id(0), stars=2, comment="dull"), Rating(job_id=job_id(0), is_withdrawn=True)]


def test_taking_back_what_is_not_recorded_yet_brings_back_what_is(ledger: Ledger):
    make_assets(ledger, 1)
    rate(ledger, [a_rating(stars=2)])

    back = taken_back(ledger, "default", "ada", job_id(0), "f" * 32)

    assert back == Rating(job_id=job_id(0), stars=2)


def test_what_is_on_its_way_is_known_of_its_sender_alone(ledger: Ledger):
    make_assets(ledger, 2)
    mine, theirs = a_rating(0, stars=3), a_rating(1, stars=3, rater="bo")

    ledger.intake.expect([mine, theirs])

    assert ledger.intake.on_their_way("default", "ada") == [mine]
    assert ledger.intake.on_their_way("other", "ada") == []


def test_every_pair_of_one_product_and_channel_comes_once(ledger: Ledger):
    make_assets(ledger, 3, images=2)
    found = []

    while pair := ledger.pairs.next(CAMPAIGN, ADA):
        found.append((int(pair.job_id[-2:]), int(pair.other_job_id[-2:])))
        outcome = random.choice(["better", "worse", "tie"])
        sides = {"job_id": pair.other_job_id, "other_job_id": pair.job_id}
        rate(ledger, [message({"type": "comparison", "outcome": outcome} | sides)])

    assert found == [(0, 1), (0, 2), (1, 2), (3, 4)]
    assert (ledger.pairs.compared(CAMPAIGN, ADA), ledger.pairs.compared(CAMPAIGN, BO)) == (4, 0)


def test_pairs_go_on_after_one_and_leave_out_what_is_rejected_or_on_its_way(ledger: Ledger):
    make_assets(ledger, 4)
    rate(ledger, [a_rating(1, approves=False, rater="bo")])
    first, second = Pair(job_id(0), job_id(2)), Pair(job_id(0), job_id(3))

    assert ledger.pairs.next(CAMPAIGN, ADA) == first
    assert ledger.pairs.next(CAMPAIGN, ADA, after=first) == second
    assert ledger.pairs.next(CAMPAIGN, ADA, but_not=[first, second]) == Pair(job_id(2), job_id(3))
    assert ledger.pairs.next(CAMPAIGN, ADA, after=Pair(job_id(2), job_id(3))) is None
