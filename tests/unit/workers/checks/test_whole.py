import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.copy import check
from workers.checks.whole import bare_part, cut_off, one_of_choices, stood_in, told_readers


def brief_of(description: str, channel: str = "google_search.description") -> Brief:
    return Brief(
        brand=Brand(name="Brightfold"),
        product=Product(sku="B-1", name="Kettle Tipper", description=description),
        audience=Audience(id="hands", description="people with arthritis in their hands"),
        channel=channel,
        style=Style.DETAIL,
    )


@pytest.mark.parametrize(
    ("told", "text", "is_partly_told"),
    [
        ("The display turns yellow, red or green.", "The display turns yellow.", True),
        ("The display turns yellow, red or green.", "The display turns yellow, red or green.", False),
        ("The display turns yellow, red or green.", "The display shows the weight.", False),
        ("A list of what to move, mend, paint or store.", "A list of what to move.", True),
        ("Keys come out without solder, and you choose quiet, soft or loud.", "Keys come out without solder.", False),
        ("A pot for two, three or four.", "A pot for two.", False),
        ("Charge by kettle, sun or cable.", "The Kettle Tipper holds your kettle.", False),
        ("Yellow, red and green lamps.", "Yellow lamps.", False),
        ("A dark roast coffee, whole bean or ground.", "A dark roast coffee.", False),
        ("Ready in minutes, hot or iced.", "Ready in minutes.", False),
        ("Keeps hot for hours, rain or shine.", "Keeps hot for hours.", False),
        ("Holds 250 g, whole or ground.", "Holds 250 g.", False),
        ("Open it with the code, day or night.", "A day costs 1 EUR.", False),
        ("Needs no water, soil, or sunlight.", "It needs no water.", False),
    ],
)
def test_choices_are_told_all_or_not_at_all(told: str, text: str, *, is_partly_told: bool):
    assert bool(one_of_choices(text, brief_of(told))) == is_partly_told


@pytest.mark.parametrize(
    ("told", "text", "found"),
    [
        ("An air jet removes packs outside the limits.", "Weighs packs, and an air jet removes them.", "removes them"),
        ("An air jet removes packs outside the limits.", "Packs outside the limits? A jet removes them.", ""),
        ("An air jet removes packs of fish.", "Weighs packs, and an air jet removes them.", ""),
        ("A jet removes packs outside the limits and removes labels.", "Packs, and a jet removes them.", ""),
        ("Removes mail older than a year. It removes it.", "Your mail? It removes it.", ""),
        ("A nurse comes.", "A nurse visits them.", ""),
    ],
)
def test_what_is_done_to_some_is_not_done_to_all_of_them(told: str, text: str, found: str):
    assert stood_in(text, brief_of(told)) == found


@pytest.mark.parametrize(
    ("text", "is_bare"),
    [
        ("A cradle for people with arthritis", True),
        ("The cradle for people with arthritis in their hands.", True),
        ("A kettle tipper for people with arthritis", False),
        ("A steel cradle for people with arthritis", False),
        ("A cradle for your kettle", False),
        ("One cradle for you", False),
        ("A cradle of steel", False),
        ("A cradle for people with arthritis?", False),
        ("Arthritis in your hands", True),
        ("Arthritis in your hands?", False),
    ],
)
def test_a_reader_with_one_word_or_none_is_no_line(text: str, *, is_bare: bool):
    assert bool(bare_part(text, brief_of("A cradle of coated steel wire."))) == is_bare


def test_these_are_checks_of_every_english_line():
    failed = {
        one.name
        for one in check("The display turns yellow.", brief_of("The display turns yellow, red or green."))
        if not one.passed
    }

    assert "choices" in failed
    assert {"pronouns", "bare"} <= {one.name for one in check("A line.", brief_of("A line."))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A Kettle Tipper for people with arthritis in their hands", ""),
        ("A Kettle Tipper for people with arthritis", "for people with arthritis"),
        ("A Kettle Tipper for People", "for People"),
        ("The tipper is for people with arthritis in their hands.", "is for people with arthritis in their hands."),
        ("The tipper is for kettles.", ""),
        ("A tipper for your kettle", ""),
        ("A tipper for arthritis", ""),
        ("For people with arthritis, a tipper of steel", ""),
    ],
)
def test_readers_are_told_whole_and_never_as_what_the_product_is_for(text: str, found: str):
    assert told_readers(text, brief_of("A cradle of coated steel wire.")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Three stools that take up the floor space.", "floor space of"),
        ("Three stools that take up the floor space of one.", ""),
        ("Its drawers hold plates. Three stools take up the floor space.", "floor space of"),
        ("The stools are of solid beech.", ""),
        ("A step for a plant.", ""),
    ],
)
def test_no_text_ends_where_the_brief_goes_on_to_limit_it(text: str, found: str):
    told = (
        "Three stools that take up the floor space of one, of solid beech with pads. Not of solid beech, the feet. "
        "Use one as a step for a plant."
    )

    assert cut_off(text, brief_of(told)) == found
    assert cut_off(text, brief_of(told, "email.subject")) == ""
