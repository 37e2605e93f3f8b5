"""What stands where, what is left out where there is little room, and what is said when nothing helps."""

from dataclasses import replace

import pytest

from core.errors import CompositionError
from schemas.layouts import layouts
from schemas.pictures import picture_channels
from workers.models.creative.arrange import Arrangement, Texts, arrange

TEXTS = Texts("Slow mornings, freshly roasted", "Order now", "Northbeam Coffee", None)


def arranged(channel: str, layout: str, texts: Texts = TEXTS) -> Arrangement:
    return arrange(layouts()[layout], picture_channels()[channel], texts)


def parts_of(plan: Arrangement) -> tuple[bool, bool, bool]:
    return bool(plan.brand), bool(plan.picture), bool(plan.action)


def test_a_mobile_banner_keeps_a_headline_of_eleven_pixels_and_drops_the_brand_first():
    short = arranged("iab.mobile_banner", "spotlight", Texts("Sip slow", "Order now", "Northbeam", None))
    longer = arranged("iab.mobile_banner", "spotlight")

    assert parts_of(short) == (True, True, True)
    assert parts_of(longer) == (False, True, True)
    assert [plan.headline.setting.size / plan.scale >= 11 for plan in (short, longer)] == [True, True]


def test_no_more_is_left_out_than_needed():
    action = "Download the free buying guide now"

    plan = arranged("iab.leaderboard", "spotlight", Texts("Sip slow", action, "Northbeam", None))

    assert parts_of(plan) == (True, True, False)


def test_words_take_the_room_of_what_was_left_out():
    with_button = arranged("iab.leaderboard", "spotlight")
    without = arranged("iab.leaderboard", "spotlight", Texts(TEXTS.headline, "", TEXTS.brand, None))

    assert without.headline.setting.size > with_button.headline.setting.size


@pytest.mark.parametrize("channel", picture_channels())
@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("action", ["Order now", ""])
def test_nothing_stands_on_anything_else(channel: str, layout: str, action: str):
    plan = arranged(channel, layout, replace(TEXTS, action=action))
    name = plan.brand.name.box if plan.brand and plan.brand.name else None
    boxes = [box for box in (name, plan.headline.box, plan.action and plan.action.box, plan.picture) if box]

    for number, box in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert not box.meets(other)


def test_a_card_is_as_high_as_the_words_on_it():
    short = arranged("instagram.square", "card", Texts("Sip slow", "Order now", "Northbeam", None))
    longer = arranged("instagram.square", "card")

    assert short.panel is not None
    assert longer.panel is not None
    assert short.panel.height < longer.panel.height
    assert longer.panel.top < longer.headline.box.top < longer.headline.box.bottom < longer.panel.bottom


def test_a_headline_that_cannot_be_read_is_refused_with_a_length_that_can():
    headline = " ".join(["Every cup is roasted in small batches by people who care."] * 4)

    with pytest.raises(CompositionError, match=r"headline of 231 characters cannot be read in IAB mobile .*about \d+$"):
        arranged("iab.mobile_banner", "spotlight", Texts(headline, "Order now", "Northbeam", None))


def test_a_word_that_is_too_long_is_named():
    with pytest.raises(
        CompositionError, match="the word 'Unternehmensberatungsgesellschaft' of the headline is too long"
    ):
        arranged("iab.wide_skyscraper", "split", Texts("Unternehmensberatungsgesellschaft", "", "Kodo", None))


@pytest.mark.parametrize(
    ("channel", "role", "texts"),
    [
        ("iab.wide_skyscraper", "call to action", Texts("Gifts", "Download the free buying guide", "Kodo", None)),
        ("iab.medium_rectangle", "name of the brand", Texts("Gifts", "Order now", "The Company " * 16, None)),
    ],
)
def test_a_line_that_does_not_fit_where_it_may_not_be_left_out_is_refused(channel: str, role: str, texts: Texts):
    with pytest.raises(CompositionError, match=f"the {role} '.*' is too long for IAB .*: shorten it"):
        arranged(channel, "spotlight", texts)


def test_every_layout_has_a_title_of_its_own():
    titles = [layout.title for layout in layouts().values()]

    assert len(set(titles)) == len(titles) >= 5
