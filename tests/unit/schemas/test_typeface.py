import pytest

from schemas.typeface import LACKING_LANGUAGES, lacking, least_width, on_one_line


@pytest.mark.parametrize("text", ["Größte Öfen \u2013 für 9,90 €", "L\u2019été déjà là…", "Ażurowe łóżko", "ताज़ा कॉफ़ी"])
def test_latin_and_devanagari_lack_nothing(text: str):
    assert lacking(text) == ""


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("ja", "コーヒー"),
        ("ko", "커피"),
        ("zh", "咖啡"),
        ("ar", "قهوة"),
        ("he", "קפה"),
        ("ru", "Кофе"),
        ("el", "Καφές"),
        ("th", "กาแฟ"),
        ("vi", "Cà phê mỗi sáng"),
    ],
)
def test_a_language_that_lacks_letters_is_known_by_its_code(language: str, word: str):
    assert language in LACKING_LANGUAGES
    assert "which the shipped font Poppins cannot show" in lacking(word)


def test_what_is_not_seen_is_neither_lacking_nor_wide():
    text = "  Slow\n\tmornings \u202efreshly\u200b "

    assert lacking(text) == ""
    assert on_one_line(text) == "Slow mornings freshly"
    assert least_width(text, 0) == least_width("Slow mornings freshly", 0)
