"""What a brief says, cut up so that a line can be compared with it: stems, neighbours, numbers with their units."""

import re
from dataclasses import dataclass
from functools import lru_cache

from schemas.jobs import Brief
from workers.checks.words import stem, words_of

# A number as written: 14.90, 2,000, 10-day, 24/7, 3D, R2; and what stands right behind it.
NUMBER = re.compile(r"(?<![\w.,])([$€£¥]?\d[\d.,:/]*\d|[$€£¥]?\d)([A-Za-z%°]*)")
UNIT = re.compile(r"[^\W\d_]+|[%°€$£¥]")
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
_PRICED = re.compile(rf"(?<![\w.,])(\d[\d.,]*\d|\d) ({'|'.join(_SIGNS)})(?!\w)")
SMALL_NUMBERS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30", "forty": "40",
    "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100", "thousand": "1000", "million": "1000000",
}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """A number in a text and the stems behind it, the first of them its unit; none at the end of a clause."""

    number: str
    behind: tuple[str, ...]

    def agrees_with(self, known: "Quantity") -> bool:
        """Tell whether both count the same thing: 'two modes' and 'two brushing modes', but not '2 years' and '2 g'."""
        if self.number != known.number:
            return False
        if not self.behind or not known.behind:
            return not known.behind
        return self.behind[0] in known.behind or known.behind[0] in self.behind


@dataclass(frozen=True)
class Facts:
    """What may be said about a product, and what is only known about its reader."""

    text: str
    stems: frozenset[str]
    product_stems: frozenset[str]
    audience_stems: frozenset[str]
    neighbours: frozenset[tuple[str, str]]
    quantities: frozenset[Quantity]


@lru_cache(maxsize=512)
def facts_of(brief: Brief) -> Facts:
    """Return the facts of a brief."""
    product, brand = brief.product, brief.brand
    parts = (brand.name, brand.description, product.name, product.description, product.price, product.offer)
    said = [part for part in parts if part]
    text = ". ".join(said)
    product_stems = stems_of(text)
    audience_stems = stems_of(brief.audience.description)
    everything = f"{text}. {brief.audience.description}"
    return Facts(
        text=everything,
        stems=product_stems | audience_stems,
        product_stems=product_stems,
        audience_stems=audience_stems,
        neighbours=frozenset(pair for part in (*said, brief.audience.description) for pair in _near_pairs(part)),
        quantities=frozenset(quantities_of(everything)),
    )


def with_signs(text: str) -> str:
    """Return a text with its prices as English copy writes them: '£14.50' for '14.50 GBP', '$1,640' for '1640 USD'."""
    return _PRICED.sub(lambda match: _SIGNS[match[2]] + _with_commas(match[1]), text)


def with_codes(text: str, brief: Brief) -> str:
    """Return a text with those prices as the brief writes them that it tells with a sign."""
    if not any(sign in text for sign in _SIGNS.values()):
        return text
    for match in _PRICED.finditer(facts_of(brief).text):
        amounts = f"{re.escape(match[1])}|{re.escape(_with_commas(match[1]))}"
        text = re.sub(rf"{re.escape(_SIGNS[match[2]])}(?:{amounts})(?![\w.,]*\d)", match[0], text)
    return text


def _with_commas(amount: str) -> str:
    return re.sub(r"^\d{4,}(?=\.\d\d$|$)", lambda match: f"{int(match[0]):,}", amount)


def stems_of(text: str) -> frozenset[str]:
    """Return the stems of all words of a text."""
    return frozenset(stem(word) for word in words_of(text))


def quantities_of(text: str) -> list[Quantity]:
    """Return the numbers of a text with their units; small numbers in words count as numbers."""
    found = [
        Quantity(match[1].strip(".,:/"), _behind(match[2] + text[match.end() :])) for match in NUMBER.finditer(text)
    ]
    in_words = re.finditer(rf"(?i)\b({'|'.join(SMALL_NUMBERS)})\b", text)
    return found + [Quantity(SMALL_NUMBERS[match[1].lower()], _behind(text[match.end() :])) for match in in_words]


def _behind(rest: str) -> tuple[str, ...]:
    """Return the stems of up to three words that follow in the same clause."""
    clause = re.split(r"[.,;:!?()]", rest, maxsplit=1)[0]
    return tuple(stem(word) for word in UNIT.findall(clause)[:3])


def _near_pairs(text: str) -> set[tuple[str, str]]:
    """Return the pairs of stems that stand within four words of each other in one part of the brief."""
    stems = [stem(word) for word in words_of(text)]
    return {
        pair
        for i, left in enumerate(stems)
        for right in stems[i + 1 : i + 5]
        for pair in ((left, right), (right, left))
    }
