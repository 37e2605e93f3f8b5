from collections.abc import Callable

import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.copy import check, fingerprint, is_near_duplicate, repair

BriefOf = Callable[..., Brief]


@pytest.fixture
def brief_of() -> BriefOf:
    """Return a maker of one coffee brief; a test names what it changes."""

    def make(channel: str = "google_search.description", **changes: object) -> Brief:
        product = {
            "sku": "NB-1",
            "name": "Ember Espresso",
            "description": "Dark espresso roast, whole beans. Notes of cocoa and brown sugar. 250 g bag.",
            "price": "14.90 EUR",
            "offer": "free shipping over 30 EUR",
        }
        brand = {"name": "Northbeam Coffee", "banned_words": ("smoky", "last chance")}
        return Brief(
            brand=Brand.model_validate(brand),
            product=Product.model_validate(product | changes.pop("product", {})),  # type: ignore[operator]
            audience=Audience(
                id="commuters", description=str(changes.get("audience", "people who need coffee before eight"))
            ),
            channel=channel,
            style=Style(changes.get("style", "benefit")),
            locale=str(changes.get("locale", "en")),
        )

    return make


def failed(text: str, brief: Brief) -> set[str]:
    return {result.name for result in check(text, brief) if not result.passed}


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("google_search.headline", "Cocoa, Brown Sugar, Espresso"),
        ("google_search.description", "Dark espresso roast with notes of cocoa and brown sugar. 250 g for 14.90 EUR."),
        ("push.notification", "Before eight? Put some Ember Espresso on and take your time with it."),
        ("meta.primary_text", "Get free shipping over 30 EUR and put Ember Espresso, a dark roast, on your table."),
        ("email.subject", "Notes of cocoa before eight"),
    ],
)
def test_a_line_that_says_only_what_the_brief_says_passes(brief_of: BriefOf, channel: str, text: str):
    assert failed(text, brief_of(channel)) == set()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("length", "Dark espresso roast. " * 6),
        ("length", "Dark roast."),
        ("ending", "Dark espresso roast with notes of cocoa and"),
        ("ending", "Dark espresso roast with notes of cocoa and brown sugar, and then it…"),
        ("halves", "Dark espresso roast in one bag for commuters and two for you."),
        ("halves", "Notes of cocoa in the left bag and the right one."),
        ("prices", "Dark espresso roast, whole beans. It costs 250 g of cocoa."),
        ("placeholders", "Dark espresso roast with notes of [flavor] and brown sugar."),
        ("placeholders", "Brand: Northbeam Coffee. Dark espresso roast for you."),
        ("characters", "Dark espresso roast!! Notes of cocoa and brown sugar!!"),
        ("characters", "Dark espresso roast, notes of cocoa. #coffee before eight."),
        ("repeats", "Notes of cocoa, notes of cocoa, and dark espresso roast."),
        ("language", "Dunkle Bohnen mit feinen Aromen von Kakao, frisch und warm."),
        ("banned_words", "Dark espresso roast with smoky notes of cocoa and sugar."),
        ("banned_words", "Last chance for a dark espresso roast before eight."),
        ("unsafe", "Dark espresso roast. Notes of cocoa and brown sugar, damn."),
        ("numbers", "Dark espresso roast, whole beans. Try a 500 g bag of it."),
        ("numbers", "Dark espresso roast, whole beans, in a 250 ml bag."),
        ("numbers", "Three dark espresso roasts with notes of cocoa and sugar."),
        ("numbers", "Dark espresso roast with notes of cocoa for $14.90 a bag."),
        ("offers", "Dark espresso roast with notes of cocoa. Free beans for you."),
        ("offers", "Dark espresso roast with notes of cocoa. Free shipping too."),
        ("offers", "Dark espresso roast with notes of cocoa at a discount."),
        ("claims", "The best dark espresso roast with notes of cocoa."),
        ("claims", "Guaranteed dark espresso roast with notes of cocoa."),
        ("times", "Dark espresso roast with notes of cocoa every morning."),
        ("times", "Dark espresso roast with cocoa, at your door overnight."),
        ("negations", "Dark espresso roast with notes of cocoa and no sugar."),
        ("negations", "Dark espresso roast. The beans do not taste of sugar."),
        ("names", "Northbean Coffee has a dark espresso roast with cocoa."),
        ("names", "A dark espresso roast from northbeam coffee for you."),
        ("names", "A dark espresso roast with cocoa from our Northbeam Coffee."),
        ("capitals", "Dark espresso roast from Peru with notes of cocoa."),
        ("grounding", "Dark espresso roast with notes of hazelnut and cocoa."),
        ("grounding", "Silky dark espresso with a velvety note of cocoa."),
        ("real_words", "Dark espressoness with notes of cocoa and brown sugar."),
        ("pairs", "Dark espresso roast of brown beans before eight."),
        ("prepositions", "Dark espresso roast with notes cocoa and brown sugar."),
        ("repeats", "A decaffeinated decaf with notes of cocoa and sugar."),
        ("product", "Take your time at the table before you go to the door."),
        ("grammar", "Dark espresso roast with a notes of of cocoa and sugar."),
        ("roles", "Dark espresso roast. It is the coffee that needs you."),
        ("grammar", "A dark- roast of espresso with cocoa and brown sugar."),
        ("repeats", "Dark espresso roast for 14.90 EUR a bag, 14.90 EUR a cup."),
        ("grammar", "A dark espresso roast for a headphones with cocoa in it."),
        ("grammar", "A espresso roast with notes of cocoa and brown sugar."),
        ("grammar", "Dark espresso roast, roasted by a FM of cocoa and sugar."),
        ("product", "Ember Espresso by Northbeam Coffee, Ember Espresso."),
    ],
)
def test_each_rule_refuses_what_it_is_there_for(brief_of: BriefOf, rule: str, text: str):
    assert rule in failed(text, brief_of())


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("Tern Desk Lamp", "The Tern Desk has notes of cocoa and brown sugar in it.", {"names"}),
        ("Dark roast in a bag", "The Dark roast has notes of cocoa and brown sugar.", set()),
        ("Ember Roast, 250 g", "Ember Roast has notes of cocoa and brown sugar in it.", set()),
    ],
)
def test_a_product_keeps_its_noun(brief_of: BriefOf, name: str, text: str, wrong: set[str]):
    assert failed(text, brief_of(product={"name": name})) & {"names"} == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("A sleep doctor sign the report for you.", {"endings"}),
        ("A sleep doctor signs the report for you.", set()),
        ("It has two users with 100 reading each.", {"endings"}),
        ("Carry it by the battery.", {"endings"}),
        ("It has two user profiles.", set()),
        ("Take the report with it.", set()),
        ("The report is what doctors sign.", set()),
        ("Lights roast whole beans for you.", {"endings"}),
        ("A light roast whole beans.", {"endings"}),
        ("A light roast whole beans from Peru.", {"endings"}),
        ("A bag of light roast whole beans.", set()),
        ("The doctor lights roast fires.", set()),
        ("Keeps coffee hot for you.", set()),
    ],
)
def test_a_word_keeps_the_ending_that_the_brief_gives_it(brief_of: BriefOf, text: str, wrong: set[str]):
    told = (
        "A sleep doctor signs the report. Two users with 100 readings each. Powered by the batteries with its own "
        "case. Light roast whole beans. Two walls keep coffee hot."
    )

    assert failed(text, brief_of(product={"description": told})) & {"endings"} == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("The Harbour Light Roast light roast tastes of peach.", {"repeats"}),
        ("The Harbour Light Roast light is for people who brew.", {"repeats"}),
        ("A light roast of Harbour Light Roast, with peach.", {"repeats"}),
        ("Harbour Light Roast is a roast that tastes of peach.", set()),
        ("A light roast that tastes of peach.", set()),
    ],
)
def test_a_product_is_named_or_told_of(brief_of: BriefOf, text: str, wrong: set[str]):
    brief = brief_of(product={"name": "Harbour Light Roast", "description": "A light roast that tastes of peach."})

    assert failed(text, brief) & {"repeats"} == wrong


def test_a_unit_is_nothing_that_somebody_does(brief_of: BriefOf):
    brief = brief_of(product={"description": "Steel mug that holds 350 ml. Dark espresso roast, notes of cocoa."})

    assert failed("350 ml of dark espresso roast with notes of cocoa.", brief) == set()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Wrapped in paper, the bar lathers in hard water.", None),
        ("The bar wraps in paper and lathers in hard water.", "roles"),
        ("The bar counts days for people who come home after six.", None),
        ("The bar and its days are counted after six at home.", "roles"),
        ("The bar lathers in hard water before six at home.", "times"),
    ],
)
def test_nothing_does_what_is_done_to_it_and_after_is_not_before(brief_of: BriefOf, text: str, rule: str | None):
    description = "Soap bar that counts days. Wrapped in paper. Lathers in hard water."
    brief = brief_of(product={"name": "Pine Bar", "description": description, "offer": None})
    audience = brief.audience.model_copy(update={"description": "people who come home after six"})

    wrong = failed(text, brief.model_copy(update={"audience": audience}))

    assert ({"roles", "times"} & wrong) == ({rule} if rule else set())


FORMS = "Fill in forms on a tablet, get the customer's signature on the screen and print them before you leave. "


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Fill in forms on a tablet and get the customer's signature on the screen.", None),
        ("Before you leave, get the customer's signature on the screen of a tablet.", None),
        ("Our best-selling pad has forms from 640 EUR on a screen.", None),
        ("Slate Pad fills in forms on a tablet and on the screen.", "roles"),
        ("Get forms on a tablet with your signature on the screen.", "roles"),
        ("People need forms on a tablet with the screen of Slate Pad.", "roles"),
        ("Before you leave, we remind you of the next inspection.", "clauses"),
        ("The best-selling pad is a tablet with forms on a screen.", "claims"),
        ("Slate Pad is a tablet with forms on a screen for 640 EUR.", "prices"),
        ("From 640 EUR is what you print on a tablet.", "prices"),
    ],
)
def test_who_does_it_whose_it_is_and_what_it_is_tied_to_stay(brief_of: BriefOf, text: str, rule: str | None):
    description = FORMS + "We remind you of the next inspection. Our best-selling pad."
    product = {"name": "Slate Pad", "description": description, "price": "from 640 EUR", "offer": None}

    wrong = failed(text, brief_of(product=product))

    assert wrong & {"roles", "clauses", "claims", "prices"} == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("The truck washes your cans at the curb.", None),
        ("You wash your cans at the curb with a truck.", "roles"),
        ("You wait at the curb, and a truck washes your cans.", None),
        ("You get new cans from the truck.", None),
        ("Your driver empties the cans at the curb.", "roles"),
        ("Our driver empties the cans at the curb.", None),
        ("Your truck washes cans at the curb.", None),
        ("You order cans at the curb.", None),
        ("The lid of the Slate Truck drops the cans when a sensor sees them.", "roles"),
        ("The lid of the Slate Truck opens at the curb.", None),
    ],
)
def test_what_one_does_in_the_brief_no_other_does_in_a_line(brief_of: BriefOf, text: str, rule: str | None):
    told = (
        "A truck washes your cans at the curb. Its lid opens. You wait at home. A sensor at the back drops the cans. "
    )
    told += "A driver empties the cans. Orders before noon come today. The truck gets you new cans."
    product = {"name": "Slate Truck", "description": told, "offer": None}

    assert failed(text, brief_of(product=product)) & {"roles"} == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Dark espresso roast, ground by hand. Notes of cocoa.", "roles"),
        ("Dark espresso roast for people who brew coffee by hand.", None),
    ],
)
def test_how_the_audience_does_things_says_nothing_of_the_product(brief_of: BriefOf, text: str, rule: str | None):
    brief = brief_of(audience="people who brew coffee by hand")

    assert failed(text, brief) & {"roles"} == ({rule} if rule else set())


def test_a_question_without_a_question_mark_is_off_style(brief_of: BriefOf):
    brief = brief_of(style="question")

    assert failed("Dark espresso roast with notes of cocoa and brown sugar.", brief) == {"style"}
    assert failed("Coffee before eight? Try a dark espresso roast with cocoa.", brief) == set()


def test_a_failed_check_says_what_was_found(brief_of: BriefOf):
    results = {result.name: result for result in check("Dark espresso roast in a 500 g bag.", brief_of())}

    assert results["numbers"].detail == "500 g"
    assert results["length"].detail == ""


def test_other_languages_are_checked_for_form_and_numbers_only(brief_of: BriefOf):
    brief = brief_of(locale="de")

    assert failed("Dunkle Bohnen mit Noten von Kakao, 250 g in der Packung.", brief) == set()
    assert failed("Dunkle Bohnen mit Noten von Kakao, 500 g in der Packung.", brief) == {"numbers"}
    assert failed("All of the beans have the taste that you like in the morning.", brief) == {"language"}


@pytest.mark.parametrize(
    ("name", "raw", "mended"),
    [
        ("Wide ironing board", "Lock the Wide ironing board with a key.", "Lock the wide ironing board with a key."),
        ("Wide ironing board", "Wide ironing board with a lock. Wide.", "Wide ironing board with a lock. Wide."),
        ("Hand-woven rug", "It is a Hand-woven rug of wool.", "It is a hand-woven rug of wool."),
        ("Bath towel", "It is a towel, woven in Bath.", "It is a towel, woven in Bath."),
        ("Northbeam towel", "It is a towel from Northbeam Coffee.", "It is a towel from Northbeam Coffee."),
        ("Cotswold walking weekend", "Book the Cotswold walking weekend.", "Book the Cotswold walking weekend."),
        ("Ember Espresso", "Drink the ember espresso.", "Drink the Ember Espresso."),
    ],
)
def test_repair_writes_a_phrase_small_that_serves_as_a_name_and_names_as_the_brief_does(
    brief_of: BriefOf, name: str, raw: str, mended: str
):
    product = {"name": name, "description": "Woven of cotton in Bath."}

    assert repair(raw, brief_of("push.notification", product=product)) == mended


@pytest.mark.parametrize(
    ("channel", "raw", "mended"),
    [
        ("google_search.headline", '"dark roast with notes of cocoa."', "Dark Roast With Notes of Cocoa"),
        ("google_search.headline", "Ember espresso,  250 g", "Ember Espresso, 250 g"),
        ("google_search.headline", "250 G bag of dark roast", "250 g Bag of Dark Roast"),
        ("push.notification", "Dark roast is $14.90 EUR a bag.", "Dark roast is 14.90 EUR a bag."),
        ("push.notification", "Try an ember espresso with cocoa.", "Try an Ember Espresso with cocoa."),
        ("email.subject", "Notes of cocoa before eight.", "Notes of cocoa before eight"),
        ("push.notification", "dark roast , with notes of cocoa .", "Dark roast, with notes of cocoa."),
        (
            "push.notification",
            "Dark espresso roast, notes of cocoa. It's a “roast”",
            "Dark espresso roast, notes of cocoa.",
        ),
    ],
)
def test_repair_mends_what_needs_no_judgement(brief_of: BriefOf, channel: str, raw: str, mended: str):
    assert repair(raw, brief_of(channel)) == mended
    assert repair(mended, brief_of(channel)) == mended


def test_repair_drops_sentences_of_a_long_text_that_fail_when_enough_is_left(brief_of: BriefOf):
    good = "Ember Espresso is a dark roast with notes of cocoa and brown sugar. You get whole beans in a 250 g bag."
    more = "A bag costs 14.90 EUR. Try it before eight, when the coffee is still on its way to the table."
    text = f"{good} It wins awards all over Italy. {more}"

    assert repair(text, brief_of("product.description")) == f"{good} {more}"


def test_lines_of_nearly_the_same_words_are_duplicates():
    taken = ["Dark espresso roast with notes of cocoa."]

    assert is_near_duplicate("A dark espresso roast with notes of cocoa!", taken)
    assert not is_near_duplicate("Grind some Ember before eight.", taken)
    assert not is_near_duplicate("Grind some Ember before eight.", [])


def test_fingerprints_ignore_case_and_marks():
    assert fingerprint("Dark Roast, 14.90 EUR!") == fingerprint("dark roast 14.90 eur")
    assert fingerprint("Dark roast") != fingerprint("Dark roasts")


@pytest.mark.parametrize(
    ("price", "text", "wrong"),
    [
        ("14.90 EUR", "Ember Espresso, €14.90", set()),
        ("14.90 EUR", "Ember Espresso, £14.90", {"numbers"}),
        ("14.90 EUR", "Ember Espresso, €14.95", {"numbers"}),
        ("14.90 EUR", "Ember Espresso, €4.90", {"numbers"}),
        ("1640.00 USD", "Ember Espresso, $1,640.00", set()),
        ("1640.00 USD", "Ember Espresso, $1640.00", set()),
        ("from 49 GBP", "Ember Espresso, £49", {"prices"}),
        ("from 49 GBP", "Ember Espresso, from £49", set()),
    ],
)
def test_a_price_may_be_told_with_the_sign_of_its_currency(brief_of: BriefOf, price: str, text: str, wrong: set[str]):
    assert failed(text, brief_of("email.subject", product={"price": price})) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Ember Espresso, 74 USD", {"prices"}),
        ("Weekly hire of Ember Espresso, 74 USD", set()),
        ("Ember Espresso for the hall", set()),
    ],
)
def test_the_price_of_what_is_hired_says_so(brief_of: BriefOf, text: str, wrong: set[str]):
    product = {"description": "Machine for the hall. Weekly hire, cups beside it.", "price": "74 USD", "offer": None}

    assert failed(text, brief_of("email.subject", product=product)) == wrong


@pytest.mark.parametrize(("channel", "wrong"), [("google_search.headline", set()), ("email.subject", {"product"})])
def test_a_name_alone_is_a_headline_of_an_advertisement_and_no_subject(
    brief_of: BriefOf, channel: str, wrong: set[str]
):
    assert failed("Ember Espresso", brief_of(channel)) == wrong
    assert failed("Ember Espresso from Northbeam Coffee", brief_of(channel)) - {"length"} == wrong
    assert failed("Ember 400 Espresso", brief_of(channel, product={"name": "Ember 400 Espresso"})) == wrong
