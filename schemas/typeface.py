"""The typeface of finished advertisements, as far as a campaign can be judged by it: its characters and their widths.

The fonts lie with the model that sets them, whose tests compare them with the data here.
"""

import json
import unicodedata
from functools import cache
from importlib.resources import files

DATA = files("schemas").joinpath("data/typeface.json")
# Letters of Devanagari join, so their widths tell nothing of the width of a word.
JOINING = range(0x0900, 0x0980)
JOINERS = {"\u200c", "\u200d"}
INVISIBLE = {"Cc", "Cf"}
# Languages that are written in letters which the typeface lacks; Vietnamese needs accents that it has not.
LACKING_LANGUAGES = frozenset(
    (
        *("am", "ar", "as", "be", "bg", "bn", "bo", "ce", "cv", "dv", "dz", "el", "fa", "gu", "he", "hy", "ii"),
        *("iu", "ja", "ka", "kk", "km", "kn", "ko", "ky", "lo", "mk", "ml", "mn", "my", "or", "os", "pa", "ps"),
        *("ru", "sd", "si", "ta", "te", "tg", "th", "ti", "tt", "ug", "uk", "ur", "vi", "yi", "zh"),
    )
)


@cache
def widths() -> dict[str, tuple[float, float, float]]:
    """Return every character of the typeface with its width in medium, semibold and bold, in parts of the size."""
    table: dict[str, list[int]] = json.loads(DATA.read_text(encoding="utf-8"))
    return {one: (medium / 1000, semibold / 1000, bold / 1000) for one, (medium, semibold, bold) in table.items()}


def on_one_line(text: str) -> str:
    """Return a text as it is set: single spaces, and no marks that are not seen but for the joiners of Devanagari."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(one for one in line if one in JOINERS or unicodedata.category(one) not in INVISIBLE)


def lacking(text: str) -> str:
    """Return which character of the text cannot be shown, and the way out; empty when all can."""
    # Accents that no letter took up, and letters written from right to left, are among those that cannot.
    for character in on_one_line(text):
        if character not in widths():
            name = unicodedata.name(character, "a character without a name")
            return (
                f"has {character!r} ({name}, U+{ord(character):04X}), which the shipped font Poppins cannot show:"
                " write it in Latin or Devanagari letters, without emoji"
            )
    return ""


def least_width(text: str, weight: int) -> float:
    """Return how wide a line is at least, in parts of its size; weights count from medium, 0."""
    return sum(widths()[one][weight] for one in on_one_line(text) if ord(one) not in JOINING and one in widths())
