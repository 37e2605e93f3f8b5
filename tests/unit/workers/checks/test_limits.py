import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.copy import check, repair
from workers.checks.limits import cut_compounds, dropped_bounds, dropped_conditions, dropped_rates, half_told


def brief_of(description: str, offer: str | None = None) -> Brief:
    return Brief(
        brand=Brand(name="Brightfold"),
        product=Product(sku="B-1", name="Counter Two", description=description, offer=offer),
        audience=Audience(id="shops", description="small shops"),
        channel="google_search.description",
        style=Style.DETAIL,
    )


@pytest.mark.parametrize(
    ("told", "text", "is_dropped"),
    [
        ("A ladder gets you a new pair if you send the old one.", "A ladder gets you a new pair.", True),
        ("A ladder gets you a new pair if you send the old one.", "Send the old one, and get a new pair.", False),
        ("Covers the keys for one year, unless you sand them.", "Covers the keys for one year.", True),
        (
            "Covers the keys for one year, unless you sand them.",
            "Covers keys for one year, unless you sand them.",
            False,
        ),
        ("If the line fails for six hours, that day is free.", "That day is free with Counter Two.", True),
        ("Finds iron from 0.8 mm, depending on the food.", "Finds iron from 0.8 mm.", True),
        ("Finds iron from 0.8 mm, depending on the food.", "Finds iron from 0.8 mm, depending on the food.", False),
        (
            "If the line fails for six hours, that day is free.",
            "When the line fails for six hours, that day is free.",
            False,
        ),
        ("Lifts the lid when it is hot and lowers it again when it cools.", "Lifts the lid when it is hot.", False),
        ("You swap it when the child grows, up to once a month.", "You swap it when the child grows.", False),
        ("Reads probes, then proposes when to water each block.", "Reads probes.", False),
        ("Counter Two beeps when the lid is open. It counts notes.", "Counter Two counts notes.", False),
        ("Olive soap not only for hands. Cedar oil.", "Olive soap with cedar oil.", False),
        ("The shop opens daily from eight until six.", "The shop opens daily from eight.", False),
        ("Runs for ten hours; returns to its dock when the battery is low.", "Runs for ten hours.", False),
    ],
)
def test_a_fact_keeps_its_condition(told: str, text: str, *, is_dropped: bool):
    assert bool(dropped_conditions(text, brief_of(told))) == is_dropped


def test_the_condition_of_an_offer_is_one_too():
    brief = brief_of("Counts notes.", offer="free second tray when two counters ship together")

    assert dropped_conditions("Counter Two comes with a free second tray.", brief)


@pytest.mark.parametrize(
    ("told", "text", "dropped"),
    [
        ("Pays 4.1% on balances up to $10,000.", "Pays 4.1% on $10,000.", "up to $10,000"),
        ("Pays 4.1% on balances up to $10,000.", "Pays 4.1% on up to $10,000.", ""),
        ("Shears about 25 sheep a charge.", "Shears 25 sheep a charge.", "about 25"),
        # Which of both is meant, nobody can tell.
        ("Up to 6 cars, and 6 vans.", "Takes 6 vans.", ""),
        ("Holds up to 25 litres.", "Holds 250 litres.", ""),
        ("Holds up to 25 litres.", "Holds at most 25 litres.", ""),
        ("Weighs more than 25 kg.", "Weighs over 25 kg.", ""),
        ("Weighs more than 25 kg.", "Weighs up to 25 kg.", "more than 25"),
        ("Free shipping over 30 EUR.", "Free shipping over €30.", ""),
        ("Free shipping over 30 EUR.", "Free shipping for €30.", "over 30"),
        ("Straps that go over two shoulders.", "Straps for two shoulders.", ""),
        ("Beans from two farms in Peru.", "Two farms in Peru grow the beans.", ""),
    ],
)
def test_a_number_keeps_what_bounds_it(told: str, text: str, dropped: str):
    assert dropped_bounds(text, brief_of(told)) == dropped


@pytest.mark.parametrize(
    ("told", "text", "dropped"),
    [
        ("Counts 1,000 notes a minute.", "A counter for 1,000 notes.", "1,000 notes a minute"),
        ("Counts 1,000 notes a minute.", "It counts 1,000 notes every minute.", ""),
        ("The rope weighs 63 g per metre.", "The rope weighs 63 g.", "63 g per metre"),
        ("Hire it for 12 GBP a day.", "Hire it for £12.", "12 GBP a day"),
        ("Hire it for 12 GBP a day.", "Hire it for £12 a day.", ""),
        ("Two days aboard a 27-foot sloop.", "Two days aboard the 27-foot sloop.", ""),
        ("It has two straps a child can close.", "It has two straps.", ""),
    ],
)
def test_an_amount_keeps_what_it_is_counted_by(told: str, text: str, dropped: str):
    assert dropped_rates(text, brief_of(told)) == dropped


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("A paper screen for you.", "paper-like screen"),
        ("A paper-like screen for you.", ""),
        ("A screen like paper.", ""),
        ("A rain cover.", ""),
    ],
)
def test_a_compound_keeps_the_part_that_limits_it(text: str, cut: str):
    assert cut_compounds(text, brief_of("A paper-like screen. A rain-proof cover, and a rain cover.")) == cut


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("One barista for up to 80 guests and two for you.", "and two for you"),
        ("One barista for up to 80 guests and two for up to 150.", ""),
        ("A game for two, three or four.", ""),
        ("A game with cards for children between six and ten.", ""),
    ],
)
def test_a_pair_is_told_whole(text: str, half: str):
    told = "One barista for up to 80 guests and two for up to 150. Cards for children between six and ten."

    assert half_told(text, brief_of(told)) == half


def test_what_a_long_text_says_elsewhere_is_not_missing():
    brief = brief_of("A ladder gets you a new pair if you send the old one. Wool tights in black and grey.")
    text = "Wool tights in black and grey. A ladder gets you a new pair. For that you send the old one."

    assert "gets you a new pair" in repair(text, brief.model_copy(update={"channel": "product.description"}))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("conditions", "Counter Two brings a new tray within three days."),
        ("bounds", "Counter Two counts 900 notes of any kind."),
        ("rates", "Counter Two weighs notes at 12 seconds."),
        ("compounds", "Counter Two has a glass lid that is easy to clean."),
    ],
)
def test_every_line_is_held_to_them(rule: str, text: str):
    brief = brief_of(
        "Counts up to 900 notes of any kind. Weighs notes at 12 seconds a bundle. A glass-like lid. "
        "Counter Two brings a new tray within three days if the old one breaks."
    )

    assert rule in {one.name for one in check(text, brief) if not one.passed}
