import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.copy import check
from workers.checks.cuts import bare_part, cut_short, one_of_choices, stood_in


def brief_of(description: str) -> Brief:
    return Brief(
        brand=Brand(name="Brightfold"),
        product=Product(sku="B-1", name="Kettle Tipper", description=description),
        audience=Audience(id="hands", description="people with arthritis in their hands"),
        channel="google_search.description",
        style=Style.DETAIL,
    )


@pytest.mark.parametrize(
    ("told", "text", "cut"),
    [
        ("The app deducts flour as each batch is logged.", "The app deducts flour as each batch. It is free.", ""),
        ("The app deducts flour as each batch is logged.", "The app deducts flour.", "deducts flour"),
        ("Five plants a meter; lifted by hand.", "Five plants.", "five plants"),
        ("Runs for 40 hours or 15 in the cold.", "Runs for 40 hours.", "40 hours"),
        ("Runs for 40 hours or 15 in the cold.", "Runs for 40 hours or 15 in the cold.", ""),
        ("Deducts flour as logged. It also deducts flour.", "Deducts flour.", ""),
        ("A bottle of this syrup. This syrup is sweet.", "A bottle of this syrup.", ""),
        ("Weighs packs on the belt, up to 180 a minute.", "Weighs packs on the belt.", ""),
        ("Weighs packs.", "Packs.", ""),
    ],
)
def test_a_sentence_does_not_end_in_the_middle_of_a_clause(told: str, text: str, cut: str):
    assert cut_short(text, brief_of(told)) == cut


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
    ],
)
def test_choices_are_told_all_or_not_at_all(told: str, text: str, *, is_partly_told: bool):
    assert bool(one_of_choices(text, brief_of(told))) == is_partly_told


@pytest.mark.parametrize(
    ("told", "text", "found"),
    [
        ("An air jet removes packs outside the limits.", "Weighs packs, and an air jet removes them.", "removes them"),
        ("Reads uploaded contracts, and sends a list.", "Upload your contracts, and Brightfold reads them.", ""),
        ("A crew seals the walls within two weeks.", "A surveyor comes, and a crew seals it.", "seals it"),
        ("A nurse picks it up.", "A nurse picks it up.", ""),
        ("A nurse comes.", "A nurse visits them.", ""),
    ],
)
def test_a_pronoun_stands_for_what_the_line_names(told: str, text: str, found: str):
    assert stood_in(text, brief_of(told)) == found


@pytest.mark.parametrize(
    ("text", "is_bare"),
    [
        ("A cradle for people with arthritis", True),
        ("Cradle for people with arthritis in their hands", True),
        ("A kettle tipper for people with arthritis", False),
        ("A steel cradle for people with arthritis", False),
        ("A cradle for your kettle", False),
        ("One cradle for you", False),
        ("A cradle of steel", False),
    ],
)
def test_one_word_and_a_reader_is_no_line(text: str, *, is_bare: bool):
    assert bool(bare_part(text, brief_of("A cradle of coated steel wire."))) == is_bare


def test_these_are_checks_of_every_english_line():
    failed = {
        one.name
        for one in check("The display turns yellow.", brief_of("The display turns yellow, red or green."))
        if not one.passed
    }

    assert "choices" in failed
    assert {"cuts", "pronouns", "bare"} <= {one.name for one in check("A line.", brief_of("A line."))}
