"""What is put beside each other when old lines are compared with new ones."""

from producer.loop.people import Length, LengthTaste
from producer.loop.steps import Line, compare, win_rate
from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style

SHORT = LengthTaste(Length.SHORT, {})


def a_line(text: str, sku: str = "T-1", variant: int = 0, channel: str = "email.subject") -> Line:
    brief = Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku=sku, name="Blend"),
        audience=Audience(id="home", description="at home"),
        channel=channel,
        style=Style.BENEFIT,
    )
    return Line(f"job-{text}", brief, variant, text, "starter@1")


def test_lines_of_the_same_brief_and_variant_are_pairs_whatever_their_order():
    old = [a_line("long one"), a_line("long two", variant=1), a_line("long three", sku="T-2")]
    new = [a_line("three", sku="T-2"), a_line("one")]

    pairs = [(one.old.text, one.new.text) for one in compare(old, new, SHORT)]

    assert pairs == [("long three", "three"), ("long one", "one")]


def test_a_line_whose_other_was_not_made_is_in_no_pair():
    assert compare([a_line("old")], [a_line("new", channel="meta.headline"), a_line("new", variant=1)], SHORT) == []


def test_the_win_rate_counts_ties_half():
    old = [a_line("aaaa"), a_line("aaaa", variant=1), a_line("aaaa", variant=2), a_line("aaaa", variant=3)]
    new = [a_line("aa"), a_line("aa", variant=1), a_line("bbbb", variant=2), a_line("aaaaaa", variant=3)]

    assert win_rate(compare(old, new, SHORT)) == 0.625


def test_of_nothing_compared_neither_wins():
    assert win_rate([]) == 0.5
