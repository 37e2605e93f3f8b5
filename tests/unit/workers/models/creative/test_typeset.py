"""Characters, sizes and lines."""

import unicodedata

import pytest

from core.errors import CompositionError
from workers.models.creative import typeset
from workers.models.creative.typeset import Limits, Weight, breaks, cleaned, fit, font

ROOM = Limits(width=600, height=300, smallest=20, largest=120, lines=3)


def test_the_largest_size_that_fits_is_found():
    setting = fit("Slow mornings, freshly roasted", Weight.BOLD, ROOM)

    assert setting is not None
    assert setting.lines == ("Slow mornings,", "freshly roasted")
    assert setting.width <= 600
    assert font(Weight.BOLD, setting.size + 1).getbbox("Slow mornings,", anchor="ls")[2] > 600


def test_a_longer_headline_is_smaller_until_nothing_fits():
    text = "Slow mornings, freshly roasted"
    sizes = [fit(" ".join([text] * times), Weight.BOLD, ROOM) for times in (1, 2, 4)]

    found = [setting.size for setting in sizes if setting]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3
    assert fit(" ".join([text] * 12), Weight.BOLD, ROOM) is None


def test_lines_are_of_even_width_and_no_word_is_left_alone():
    lines = breaks(("The", "camera", "that", "never", "sleeps", "in", "your", "bag"), Weight.BOLD, 3)

    assert lines == [
        ("The camera that never sleeps in your bag",),
        ("The camera that never", "sleeps in your bag"),
        ("The camera that", "never sleeps", "in your bag"),
    ]
    setting = fit("Fresh bread at seven, every day", Weight.BOLD, ROOM)
    assert setting is not None
    assert min(len(line.split()) for line in setting.lines) > 1


def test_letters_that_join_are_shaped():
    face = font(Weight.BOLD, 200)

    # The conjunct of two letters is narrower than the letters with the sign that joins them.
    assert face.getlength("\u0915\u094d\u0937") < face.getlength("\u0915") + face.getlength("\u0937")


def test_what_is_inked_lies_inside_the_box_of_a_setting():
    setting = fit("Ågjy", Weight.BOLD, ROOM)

    assert setting is not None
    left, top, right, bottom = font(Weight.BOLD, setting.size).getbbox("Ågjy", anchor="ls")
    assert (-top <= setting.up, bottom <= setting.down, right - left <= setting.width) == (True, True, True)


@pytest.mark.parametrize("text", ["Größte Öfen \u2013 für 9,90 €", "L\u2019été déjà là…", "Ażurowe łóżko", "ताज़ा कॉफ़ी"])
def test_latin_and_devanagari_can_be_set(text: str):
    assert cleaned(text, "headline") == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("朝のコーヒー", "CJK UNIFIED IDEOGRAPH-671D, U[+]671D"),
        ("Coffee 커피", "HANGUL SYLLABLE KEO"),
        ("قهوة", "ARABIC LETTER QAF"),
        ("קפה", "HEBREW LETTER QOF"),
        ("Hot ☕", "HOT BEVERAGE"),
        ("Кофе", "CYRILLIC CAPITAL LETTER KA"),
    ],
)
def test_a_character_that_the_font_lacks_is_named_with_the_way_out(text: str, named: str):
    with pytest.raises(CompositionError, match=rf"the headline has .*{named}.*write it in Latin or Devanagari letters"):
        cleaned(text, "headline")


def test_without_fribidi_latin_is_set_and_letters_that_would_not_join_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(typeset, "joins_letters", lambda: False)

    face = font.__wrapped__(Weight.BOLD, 200)

    assert face.getlength("Fresh bread") > 0
    assert cleaned("Größte Öfen", "headline") == "Größte Öfen"
    with pytest.raises(CompositionError, match=r"the headline has letters of Devanagari.*apt install libfribidi0"):
        cleaned("ताज़ा", "headline")


def test_spaces_are_evened_and_marks_that_turn_the_writing_are_dropped():
    assert cleaned("  Slow\n\tmornings \u202efreshly\u200b ", "headline") == "Slow mornings freshly"
