import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.awkward import awkwardness


def brief_of(channel: str) -> Brief:
    return Brief(
        brand=Brand(name="Lumenwick"),
        product=Product(sku="TL-1", name="Tern Desk Lamp", description="LED desk lamp with a dimmer.", price="59 EUR"),
        audience=Audience(id="students", description="students in shared flats"),
        channel=channel,
        style=Style.BENEFIT,
    )


@pytest.mark.parametrize(
    ("channel", "text", "is_awkward"),
    [
        ("meta.primary_text", "The Tern Desk Lamp from Lumenwick has a dimmer.", False),
        ("meta.primary_text", "The lamp from Lumenwick has a dimmer.", False),
        ("meta.primary_text", "The lamp has a dimmer and folds flat.", True),
        ("meta.primary_text", "59 EUR is the price of the Tern Desk Lamp.", True),
        ("meta.primary_text", "From $59 a month is what the Tern Desk Lamp costs.", True),
        ("meta.primary_text", "The Tern Desk Lamp costs 59 EUR.", False),
        ("meta.primary_text", "For students in shared flats, the Tern Desk Lamp has a dimmer.", False),
        ("meta.headline", "The Lamp With a Dimmer", False),
    ],
)
def test_what_an_editor_would_turn_round_is_awkward(channel: str, text: str, *, is_awkward: bool):
    assert (awkwardness(text, brief_of(channel)) > 0) == is_awkward
