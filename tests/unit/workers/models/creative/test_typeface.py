"""What a producer knows of the fonts is what the fonts say, and what it refuses the composer refuses."""

import pytest

from core.errors import CompositionError
from schemas import typeface
from schemas.layouts import layouts
from schemas.pictures import picture_channels
from schemas.rooms import MEDIUM, SEMIBOLD, Room, action_room, brand_room, can_fit
from workers.models.creative.arrange import Texts, arrange
from workers.models.creative.typeface import written
from workers.models.creative.typeset import Weight, font

WORDS = "Download the free buying guide and try everything that we roast by the harbour at home for a whole month "


def test_the_table_of_characters_is_current():
    current = typeface.DATA.read_text(encoding="utf-8")

    assert current == written(), "run `python -m workers.models.creative.typeface`"


def test_the_width_of_a_line_is_that_of_its_characters():
    line = "Try AVATAR & Water To Go: 14,90 €"

    told = [typeface.least_width(line, weight) for weight in range(len(Weight))]

    assert told == pytest.approx([font(weight, 1000).getlength(line) / 1000 for weight in Weight], rel=0.002)


@pytest.mark.parametrize("channel", picture_channels())
@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize(
    ("role", "weight", "room_of"),
    [("call to action", SEMIBOLD, action_room), ("name of the brand", MEDIUM, brand_room)],
)
def test_a_line_that_submit_refuses_is_refused_by_the_composer_too(
    channel: str, layout: str, role: str, weight: int, room_of: Room
):
    place = picture_channels()[channel]
    room = room_of(layouts()[layout], place)
    text = (WORDS * 4)[
        : next((n for n in range(1, 400) if room and not can_fit((WORDS * 4)[:n], weight, room, place)), 400)
    ]
    texts = Texts("Gifts", text, "Kodo", None) if weight == SEMIBOLD else Texts("Gifts", "Order now", text, None)

    refused = False
    try:
        arrange(layouts()[layout], place, texts)
    except CompositionError as error:
        refused = f"the {role} '" in str(error)

    assert refused == (room is not None)
