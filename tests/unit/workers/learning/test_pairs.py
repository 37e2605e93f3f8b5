"""Pairs: within a brief first, else within a product, never across the split, and enough of them or a clear word."""

from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.learning.pairs import Pair, pairs_of, what_is_missing
from workers.learning.snapshot import Snapshot, take

from support.heard import MODEL, answer, heard, lines_of

RULES = curriculum()


def snapshot(products: int, variants: int) -> Snapshot:
    lines = lines_of(products, variants)
    said = [answer(line, rater, approves=line.job.variant % 2 == 0) for line in lines for rater in ("ada", "bo")]
    return take(heard(lines, said), Kind.COPY, MODEL, RULES)


def sides(taken: Snapshot) -> tuple[list[Pair], list[Pair]]:
    return pairs_of(taken, RULES.snapshot, held_out=False), pairs_of(taken, RULES.snapshot, held_out=True)


def test_every_pair_is_of_one_product_with_the_better_one_first():
    training, held_out = sides(snapshot(12, 4))

    assert {pair.better.product == pair.worse.product for pair in (*training, *held_out)} == {True}
    assert min(pair.better.liking - pair.worse.liking for pair in (*training, *held_out)) >= RULES.snapshot.least_gap


def test_no_product_is_on_both_sides():
    training, held_out = sides(snapshot(40, 2))

    assert {pair.better.product for pair in training}.isdisjoint(pair.better.product for pair in held_out)
    assert held_out != []


def test_no_asset_is_in_more_pairs_than_it_may_be():
    training, _ = sides(snapshot(3, 20))
    names = [one.job_id for pair in training for one in (pair.better, pair.worse)]

    assert max(names.count(name) for name in names) == RULES.snapshot.most_pairs_of_one


def test_a_line_without_a_partner_of_its_brief_is_paired_within_its_product():
    lines = lines_of(12, 2)
    channels = ("google_search.headline", "email.subject")
    moved = [
        type(line)(
            line.job.model_copy(
                update={"brief": line.job.brief.model_copy(update={"channel": channels[line.job.variant]})}
            ),
            line.text,
        )
        for line in lines
    ]
    said = [answer(line, rater, approves=line.job.variant == 0) for line in moved for rater in ("ada", "bo")]

    training, held_out = sides(take(heard(moved, said), Kind.COPY, MODEL, RULES))

    assert len(training) + len(held_out) == 12
    assert {(pair.better.brief.channel, pair.worse.brief.channel) for pair in training} == {channels}


def test_too_little_is_named_with_what_there_is_and_the_way_out():
    training, held_out = sides(snapshot(4, 2))

    text = what_is_missing(training, held_out, 8, RULES.needs)

    assert f"8 of {RULES.needs.opinions} assets with an opinion that counts" in text
    assert "rate more assets" in text


def test_referees_are_blamed_only_for_what_there_is_too_little_of_to_judge_by():
    training, held_out = sides(snapshot(80, 6))
    few = held_out[: RULES.needs.held_out_pairs - 1]
    of_one = [held_out[0]] * RULES.needs.held_out_pairs

    told = [what_is_missing(training, judged, 480, RULES.needs, 3) for judged in (few, of_one)]

    assert all(text.endswith("only those of FACTORY_REFEREES are heard, and 3 of them count so far") for text in told)
    assert "REFEREES" not in what_is_missing(training[:1], held_out, 480, RULES.needs, 3)
    assert "REFEREES" not in what_is_missing(training, few, 480, RULES.needs)


def test_enough_is_enough():
    training, held_out = sides(snapshot(80, 6))

    assert what_is_missing(training, held_out, 480, RULES.needs) == ""
