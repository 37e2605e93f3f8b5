import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from workers.checks.copy import check
from workers.models.own_words import own_words_of

LAMP = (
    "A slim brass arm reaches 42 cm over the pillow and carries a 3 watt LED at 2,700 kelvin. Because the hood narrows "
    "the beam to roughly the size of an open book, the other side of the bed stays dark. It clamps to headboards "
    "between 1 and 5 cm thick, so nobody has to drill."
)


def brief_of(
    description: str, channel: str, locale: str = "en", name: str = "Pier Reading Light", **more: str
) -> Brief:
    return Brief(
        brand=Brand(name="Slackwater Lamps"),
        product=Product(sku="S-1", name=name, description=description, **more),
        audience=Audience(id="readers", description="people who read at night"),
        channel=channel,
        locale=locale,
    )


def test_headlines_are_of_names_price_and_offer_before_what_is_said_of_the_product():
    lamp = brief_of(LAMP, "email.subject", price="79.00 GBP", offer="free returns within 60 days", name="Pier Light")
    salve = brief_of(
        "It keeps for two years. The lid is of oak, and we turn it by hand.", "email.subject", name="Hand Salve"
    )

    assert own_words_of(lamp) == (
        "Pier Light, £79.00",
        "Pier Light for £79.00",
        "Pier Light: free returns within 60 days",
        "Pier Light from Slackwater Lamps: £79.00",
    )
    assert own_words_of(salve) == (
        "Hand Salve: keeps for two years",
        "Hand Salve: The lid is of oak",
    )


def test_names_alone_are_headlines_of_advertisements_and_no_subjects():
    searched = brief_of("It keeps for two years.", "google_search.headline", name="Hand Salve")
    headline = brief_of("It keeps for two years.", "meta.headline", name="Hand Salve")
    subject = brief_of("It keeps for two years.", "email.subject", name="Hand Salve")
    same = brief_of("It keeps for two years.", "meta.headline", name="Slackwater Salve")

    assert own_words_of(searched) == ("Slackwater Lamps: Hand Salve", "Hand Salve")
    assert own_words_of(headline) == (
        "Hand Salve",
        "Hand Salve: Keeps for Two Years",
        "Hand Salve From Slackwater Lamps",
        "Slackwater Lamps: Hand Salve",
    )
    assert own_words_of(subject) == ("Hand Salve: keeps for two years",)
    assert own_words_of(same) == ("Slackwater Salve", "Slackwater Salve: Keeps for Two Years")


@pytest.mark.parametrize(
    ("price", "line"),
    [
        ("1640.00 USD", "Hand Salve, $1,640.00"),
        ("9 EUR a month", "Hand Salve, €9 a month"),
        ("from 49 GBP", "Hand Salve, from £49"),
        ("59 EUR for 90 days", "Hand Salve, €59 for 90 days"),
        ("120 SEK", "Hand Salve, 120 SEK"),
    ],
)
def test_prices_are_written_as_english_copy_does(price: str, line: str):
    found = own_words_of(brief_of("It keeps for two years.", "email.subject", name="Hand Salve", price=price))

    assert found[0] == line
    assert not any(" for from " in one or " for €59 for " in one for one in found)


def test_amounts_of_offers_and_sentences_have_the_sign_of_their_currency_too():
    told = "The tin of steel holds 50 ml of it and costs 2 GBP less when it is brought back."
    found = own_words_of(brief_of(told, "x.post", name="Hand Salve", offer="3 tins for 17.00 GBP"))

    assert found == (
        "Hand Salve: The tin of steel holds 50 ml of it and costs £2 less when it is brought back.",
        "Hand Salve: The tin of steel holds 50 ml of it and costs £2 less when it is brought back. 3 tins for £17.00.",
    )


def test_what_is_hired_has_no_bare_price():
    told = (
        "Two stands and a desk, packed in wheeled cases for the hall. Rental is Thursday to Monday, two adults in all."
    )
    found = own_words_of(brief_of(told, "email.subject", name="Stage Kit", price="185.00 USD"))

    assert not any("185" in line for line in found)


def test_equals_take_turns_and_the_better_ones_stay_in_front():
    told = "The tin of steel holds 50 ml of it and closes with a lid of turned oak. The label peels off in warm water."
    brief = brief_of(f"{told} We boil it in March beside the old weir.", "x.post", name="Hand Salve")
    first, second = own_words_of(brief), own_words_of(brief, 1)

    assert first[0] == "Hand Salve: The tin of steel holds 50 ml of it and closes with a lid of turned oak."
    assert second[0].startswith(first[0])
    assert second[0].endswith("warm water.")
    assert first != second
    assert sorted(first) == sorted(second)
    assert all("March" not in line for line in (first[0], second[0]))


def test_texts_are_sentences_two_in_a_row_and_what_stands_before_a_joint_each_named_and_with_the_offer():
    arm = "A slim brass arm reaches 42 cm over the pillow and carries a 3 watt LED at 2,700 kelvin."
    hood = (
        "Because the hood narrows the beam to roughly the size of an open book, the other side of the bed stays dark."
    )
    clamp = "It clamps to headboards between 1 and 5 cm thick"
    found = own_words_of(brief_of(LAMP, "linkedin.intro_text", offer="free returns within 60 days"))

    assert found == (
        f"Pier Reading Light: {arm}",
        f"Pier Reading Light: {arm} Free returns within 60 days.",
        f"Pier Reading Light: {hood}",
        f"Pier Reading Light: {clamp}, so nobody has to drill.",
        f"Pier Reading Light: {clamp}, so nobody has to drill. Free returns within 60 days.",
        f"Pier Reading Light: {clamp}.",
        f"Pier Reading Light: {clamp}. Free returns within 60 days.",
    )


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        # A condition stays with what depends on it, a reason with what follows, one of three with the others.
        ("If a blade breaks, the next one is free.", ["If a blade breaks, the next one is free."]),
        (
            "You can rub it into dry hands at night, so they are soft by morning.",
            ["You can rub it into dry hands at night, so they are soft by morning."],
        ),
        (
            "You can rub it in before the night, so your hands are soft by morning.",
            [
                "You can rub it in before the night, so your hands are soft by morning.",
                "You can rub it in before the night.",
            ],
        ),
        ("We boil it, the tins are filled warm, and a baker lends us the oven.", [
            "We boil it, the tins are filled warm, and a baker lends us the oven."
        ]),
        # What goes on from another sentence stands behind that one.
        ("We pour it in March. Then it rests for a year in a cellar.", [
            "We pour it in March. Then it rests for a year in a cellar."
        ]),
        # Nobody advertises what is missing or forbidden, nor a question; a second colon is one too many.
        ("The tin of 50 ml is of steel, but the lid is not.", ["The tin of 50 ml is of steel."]),
        ("The tin of steel holds 50 ml of it. The spatula of beech is sold separately.", [
            "The tin of steel holds 50 ml of it."
        ]),
        ("What is in it: olive oil, wax and thyme.", []),
        # What the next sentence limits, what to do with it, and what is too short to say what it is about.
        ("It fits tins of 31 to 60 mm with the ring of steel. Not for tins of glass.", []),
        ("The tin of steel closes tight. It fits rings of 31 to 60 mm with ease. Not for tins of glass.", []),
        ("Use it once a week at night on clean and dry hands.", []),
        ("The tin of steel holds 50 ml of it. Wipe it with a cloth.", ["The tin of steel holds 50 ml of it."]),
        ("It is too hot for most people from May to late September.", []),
        ("Machine wash at 40 degrees without softener, and dry it flat.", []),
        ("If fewer than four people enrol, we move the start date.", []),
        ("It has to be fixed to the wall behind the door with two screws.", []),
        ("The lid is of turned oak.", []),
        ("Dry hands, again and again, all winter?", []),
    ],
)  # fmt: skip
def test_what_stands_alone_is_taken_and_nothing_that_warns(told: str, taken: list[str]):
    found = own_words_of(brief_of(told, "google_search.description", name="Hand Salve"))

    assert found == tuple(f"Hand Salve: {text}" for text in taken)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("Our kettle balm is poured in small lots, beside an old weir.", "Our Kettle Balm is poured"),
        ("Kettle balm that is poured in small lots, beside an old weir.", "Kettle Balm that is poured"),
        ("The balm is poured in small lots, beside an old weir.", "The Kettle Balm is poured"),
        ("We pour the balm in small lots, beside an old weir.", "Kettle Balm: We pour the balm"),
    ],
)
def test_a_line_says_once_what_it_is_about(told: str, line: str):
    found = own_words_of(brief_of(told, "push.notification", name="Kettle Balm"))

    assert found == (f"{line} in small lots, beside an old weir.",)


@pytest.mark.parametrize("channel", ["google_search.headline", "meta.headline", "x.post", "push.notification"])
def test_every_line_passes_every_check(channel: str):
    brief = brief_of(LAMP, channel, price="79.00 GBP", offer="free returns within 60 days")

    found = own_words_of(brief)

    assert found
    assert [(line, one) for line in found for one in check(line, brief) if not one.passed] == []


def test_of_a_long_description_the_beginning_is_read():
    pages = " ".join(f"A brass arm of size {number} reaches over the pillow of the bed." for number in range(1, 32))

    found = own_words_of(brief_of(pages, "linkedin.intro_text"))

    assert "Pier Reading Light: A brass arm of size 1 reaches over the pillow of the bed." in found
    assert not any("size 13" in line for line in found)


def test_long_texts_other_languages_and_products_without_a_description_have_none():
    assert own_words_of(brief_of(LAMP, "product.description")) == ()
    assert own_words_of(brief_of(LAMP, "email.subject", locale="de")) == ()
    assert own_words_of(brief_of("", "email.subject")) == ()
