"""Beginnings of lines: what may follow, where a line may end, and that no line which passes its checks is kept out."""

import re

import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.beginnings import Beginnings
from workers.checks.copy import check


def brief_for(channel: str) -> Brief:
    return Brief(
        brand=Brand(name="Northbeam Coffee", banned_words=("smoky",)),
        product=Product(
            sku="NB-1",
            name="Ember Espresso",
            description="Dark espresso roast, whole beans. Notes of cocoa and brown sugar. 250 g bag.",
            price="14.90 EUR",
            offer="free shipping over 30 EUR",
        ),
        audience=Audience(id="commuters", description="people who need coffee before eight"),
        channel=channel,
        style=Style.BENEFIT,
    )


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        ("google_search.headline", "Cocoa, Brown Sugar, Espresso"),
        ("google_search.description", "Dark espresso roast with notes of cocoa and brown sugar. 250 g for 14.90 EUR."),
        ("meta.primary_text", "Get free shipping over 30 EUR and put Ember Espresso, a dark roast, on your table."),
        ("email.subject", "Notes of cocoa before eight"),
        ("push.notification", "Ember Espresso is a dark roast. A 250 g bag costs 14.90 EUR."),
    ],
)
def test_a_line_that_passes_its_checks_can_be_written_token_by_token(channel: str, line: str):
    brief = brief_for(channel)
    beginnings = Beginnings(brief)
    pieces = re.findall(r" ?[A-Za-z]{1,4}|[A-Za-z]+|\s?\d|.", line)

    allowed = [beginnings.may_continue("".join(pieces[:i]), piece) for i, piece in enumerate(pieces)]

    assert all(result.passed for result in check(line, brief))
    assert "".join(pieces) == line
    assert all(allowed), [piece for piece, may in zip(pieces, allowed, strict=True) if not may]
    assert beginnings.may_end(line)


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("A bag of 25", "1"),
        ("A bag of 250 g for 14", " EUR"),
        ("The bag weighs 250", "."),
        ("Notes of van", "illa"),
        ("Notes of cocoa, smoky", " and"),
        ("The the", " beans"),
        ("Free", " coffee for"),
        ("The best", " beans"),
        ("Beans for", " $"),
        ("Dark roast", " \u2615"),
        ("Dark espresso roast with notes of cocoa and brown sugar, whole beans in a bag for your table at", " eight"),
    ],
)
def test_what_no_later_word_can_mend_is_not_begun(text: str, piece: str):
    assert not Beginnings(brief_for("google_search.description")).may_continue(text, piece)


@pytest.mark.parametrize(
    "text", ["Dark roast.", "Dark espresso roast with notes of cocoa and", "A bag of 250 cups for you."]
)
def test_a_line_does_not_end_too_early_or_in_the_middle(text: str):
    assert not Beginnings(brief_for("google_search.description")).may_end(text)


def test_a_whole_line_without_room_for_another_sentence_ends():
    beginnings = Beginnings(brief_for("google_search.description"))
    line = "Dark espresso roast with notes of cocoa and brown sugar. 250 g for 14.90 EUR."

    assert beginnings.may_end(line)
    assert not beginnings.may_continue(line, " Beans")
    assert beginnings.may_continue(line[:56], " Beans")
