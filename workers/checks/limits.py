"""Does a line keep what limits a fact of the brief: the 'if' it holds under, its 'up to', its 'a minute'."""

import re
from dataclasses import dataclass
from functools import lru_cache

from schemas.jobs import Brief
from workers.checks.facts import SMALL_NUMBERS, with_codes
from workers.checks.grounding import FUNCTION_WORDS
from workers.checks.words import sentences_of, stem

# Words and numbers, hyphenated ones as they stand.
_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")  # noqa: RUF001  the typographic apostrophe is meant
# 'Until six' is a time, 'once a month' a number, 'not only' no condition.
_INSIDE = re.compile(
    r"(?i)(?<!^)\b(?:if|unless|until(?! \d| noon| six| seven| eight| nine| ten)|(?<!not )only|"
    r"once(?! (?:a|an|every|per)\b)|when(?! to\b)|except|depending)\b"
)
_IN_FRONT = re.compile(r"(?i)^(?:if|when|once|unless|until) ([^,]+), ([^,]+)")
# ', making it' goes on with the same clause.
_CLAUSES = re.compile(r", (?!\w+ing\b)")
_LEAST_WORDS = 2
# Of the words of a fact those that tell it, and of its condition those that keep it.
_TELLS = 0.6
_KEEPS = 0.34
_SMALL = "|".join(SMALL_NUMBERS)
_NUMBER = rf"(?:[$€£]?\d[\d.,]*\d|\d|{_SMALL})"
# Those of one row mean the same. Before a word some tell a place, 'over two shoulders', so they want digits.
_BOUNDS = (
    ("up to", "at most", "less than", "under"),
    ("about", "nearly", "almost", "around"),
    ("at least", "more than", "over"),
)
_OF_PLACE = frozenset({"under", "around", "over"})
_BOUNDED = re.compile(rf"(?i)\b({'|'.join(word for row in _BOUNDS for word in row)}) (?:the |a )?({_NUMBER})(?!\w)")
# '1,000 notes a minute', '63 g per metre': a number, one or two words, and what it is counted by.
_UNITS = (
    "second|minute|hour|day|night|week|month|year|charge|pack|packet|bar|bag|bundle|box|bottle|cup|metre|meter|person|"
    "guest|head|piece|page|side|lesson|visit"
)
_RATE = re.compile(
    rf"(?i)(?<![\w.,])({_NUMBER}((?: [\w%-]+){{1,2}})) (?:an? (?=(?:{_UNITS})\b)|(?:per|each|every) )([a-z]+)"
)
_NO_AMOUNTS = FUNCTION_WORDS | {"each", "every", "per"}
_COMPOUND = re.compile(
    r"(?<![\w-])([a-z]+)-(?:like|free|proof|style|look|effect|flavou?red|scented|based|resistant|shaped|sized|type)"
    r" ([a-z]+)"
)
# 'For two, three or four' is a list, and none of it is missing.
_HALF = re.compile(
    rf"(?i)(?<!\b(?:one|two|six|ten) )(?<!\b(?:four|five|nine) )(?<!\b(?:three|seven|eight) )"
    rf"\b(?:and|or) (?:the )?(?:(?:right|left|upper|lower|other) one|{_SMALL})(?: for (?:you|your|it))?(?=[.;!]|$)"
)


@dataclass(frozen=True)
class _Condition:
    """A fact that holds under a condition, both as stems."""

    fact: frozenset[str]
    condition: frozenset[str]
    told: str


def dropped_conditions(text: str, brief: Brief) -> str:
    """Return facts of the brief that a line tells without their condition.

    'A ladder gets you a new pair if you send the old one' promises no new pair to whoever keeps the old one.
    """
    words = _stems(text)
    return ", ".join(
        f"'{one.told}' without its condition"
        for one in _conditions(brief)
        if len(one.fact & words) >= _TELLS * len(one.fact) and len(one.condition & words) <= _KEEPS * len(one.condition)
    )


def dropped_bounds(text: str, brief: Brief) -> str:
    """Return numbers without what bounds them in the brief: '$10,000' for 'up to $10,000'."""
    text, told = with_codes(text, brief), f"{brief.product.description}. {brief.product.offer or ''}"
    found = []
    for bounded in _BOUNDED.finditer(told):
        bound = bounded[1].lower()
        if bound in _OF_PLACE and not re.match(r"[$€£]?\d", bounded[2]):
            continue
        number = re.compile(rf"(?i)(?<![\w.,]){re.escape(bounded[2])}(?!\w)")
        alike = "|".join(next(row for row in _BOUNDS if bound in row))
        kept = re.compile(rf"(?i)\b(?:{alike}) (?:the |a )?$")
        # Said again, or part of a name, a number may stand for itself.
        if len(number.findall(f"{told} {brief.product.name}")) == 1:
            found += [bounded[0] for match in number.finditer(text) if not kept.search(text[: match.start()])]
    return ", ".join(found)


def dropped_rates(text: str, brief: Brief) -> str:
    """Return amounts without what they are counted by in the brief: '1,000 notes' for '1,000 notes a minute'."""
    text, found = with_codes(text, brief), []
    for rate in _RATE.finditer(_told(brief)):
        is_amount = rate[2].split()[-1].lower() not in _NO_AMOUNTS
        if (
            is_amount
            and re.search(rf"(?i)(?<![\w.,]){re.escape(rate[1])}(?!\w)", text)
            and stem(rate[3]) not in _stems(text)
        ):
            found.append(rate[0])
    return ", ".join(found)


def cut_compounds(text: str, brief: Brief) -> str:
    """Return what lost the word that limits it: 'paper screen' of a 'paper-like screen'."""
    told, line = _told(brief).lower(), text.lower()
    return ", ".join(
        compound[0]
        for compound in _COMPOUND.finditer(told)
        if (bare := f"{compound[1]} {compound[2]}") not in told and re.search(rf"(?<![\w-]){bare}\b", line)
    )


def half_told(text: str, brief: Brief) -> str:
    """Return where only the first of a pair of facts was told: 'one barista for 80 guests and two for you'."""
    told = brief.product.description.lower()
    return ", ".join(match[0] for match in _HALF.finditer(text) if match[0].lower() not in told)


@lru_cache(maxsize=512)
def _conditions(brief: Brief) -> tuple[_Condition, ...]:
    """Return what the brief says under a condition."""
    found = []
    # A name says nothing of whether a fact or its condition was told.
    names = _stems(f"{brief.brand.name} {brief.product.name}")
    parts = (*sentences_of(brief.product.description), brief.product.offer or "")
    for sentence in re.split(r"; ?", "; ".join(parts)):
        front = _IN_FRONT.match(sentence)
        if front:
            found.append(_Condition(_stems(front[2]) - names, _stems(front[1]) - names, sentence))
        for match in _INSIDE.finditer(sentence):
            condition = _stems(re.split(r", | and ", sentence[match.end() :])[0]) - names
            found.append(_Condition(_fact_before(sentence[: match.start()].strip()) - names, condition, sentence))
    return tuple(one for one in found if len(one.fact) >= _LEAST_WORDS and one.condition)


def _fact_before(text: str) -> frozenset[str]:
    """Return the fact that a condition behind it limits: the last clause, and behind a comma all that it joins."""
    is_apart = text.endswith(",")
    clause = _CLAUSES.split(text.rstrip(","))[-1]
    if len(_stems(clause)) < _LEAST_WORDS:
        clause = text
    return _stems(clause if is_apart else re.split(r" (?:and|or) ", clause)[-1])


def _told(brief: Brief) -> str:
    product = brief.product
    return ". ".join(part for part in (product.name, product.description, product.price, product.offer) if part)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in FUNCTION_WORDS)
