"""Does a line tell a fact to its end: not half of a clause, one of several choices, or a pronoun for what is meant."""

import re
from itertools import pairwise

from schemas.jobs import Brief
from workers.checks.facts import SMALL_NUMBERS
from workers.checks.grounding import FUNCTION_WORDS
from workers.checks.words import sentences_of, stem, words_of

# Words and numbers, hyphenated ones as they stand, and marks.
_TOKEN = re.compile(r"[^\W_]+(?:[.,'’/-][^\W_]+)*|[.,;:!?()]")  # noqa: RUF001  the typographic apostrophe is meant
_MARKS = frozenset(".,;:!?()")
# A clause that goes on with one of these was not over: 'deducts flour as each batch is logged'.
_GOES_ON = frozenset({"a", "an", "as", "if", "or", "the", "under", "when"})
# 'Yellow, red or green': a choice is one or two words, and so is what it is read from.
_CHOICE = r"[^\W_][\w'-]*(?: [\w'-]+)?"
_CHOICES = re.compile(rf"(?i)([\w'-]+), ((?:{_CHOICE}, )*{_CHOICE}),? or ({_CHOICE})")
_NO_CHOICES = FUNCTION_WORDS | frozenset(SMALL_NUMBERS)
# How much of what a verb is done to the line must name, when it says 'them' or 'it'.
_NAMED = 3


def cut_short(text: str, brief: Brief) -> str:
    """Return the last words of sentences that the brief goes on after, in the middle of their clause."""
    told = _tokens(brief.product.description)
    behind: dict[tuple[str, str], set[str]] = {}
    for pair, after in zip(pairwise(told), [*told[2:], "."], strict=False):
        behind.setdefault(pair, set()).add(after)
    ends = [[token for token in _tokens(sentence) if token not in _MARKS][-2:] for sentence in sentences_of(text)]
    return ", ".join(
        " ".join(end)
        for end in ends
        if (following := behind.get((end[0], end[-1]), set()) if len(end) > 1 else set()) and following <= _GOES_ON
    )


def one_of_choices(text: str, brief: Brief) -> str:
    """Return the choices of which a line tells some and not all: 'turns yellow' of 'yellow, red or green'."""
    line, names = f" {text.lower()} ", {word.lower() for word in words_of(f"{brief.brand.name} {brief.product.name}")}
    found = []
    for match in _CHOICES.finditer(brief.product.description):
        choices = [match[1], *match[2].split(", "), match[3].split()[0]]
        # ', and you choose quiet, tactile or clicky' begins behind another clause; 'two, three or four' are numbers.
        if any(choice.lower().split()[0] in _NO_CHOICES | names for choice in choices):
            continue
        told = [bool(re.search(rf"(?<![\w-]){re.escape(choice.lower())}(?![\w-])", line)) for choice in choices]
        if any(told) and not all(told):
            found.append(match[0])
    return ", ".join(found)


def stood_in(text: str, brief: Brief) -> str:
    """Return where 'them' or 'it' stands for what a line does not name, or not whole.

    'An air jet removes them' says of all packs what the brief says of 'packs outside the limits'.
    """
    line = {stem(word) for word in words_of(text)}
    found = []
    for match in re.finditer(r"(?i)\b(\w+s) (them|it)\b", text):
        verb = match[1].lower()
        meant = re.findall(rf"(?i)\b{verb} ([^.,;:!?()]+)", brief.product.description)
        is_said = any(re.match(r"(?i)(?:them|it|you)\b", some) for some in meant)
        if verb in FUNCTION_WORDS or not meant or is_said:
            continue
        objects = [[word for word in words_of(some) if word.lower() not in FUNCTION_WORDS][:_NAMED] for some in meant]
        if not any({stem(word) for word in some} <= line for some in objects):
            found.append(match[0])
    return ", ".join(found)


def bare_part(text: str, brief: Brief) -> str:
    """Return a line that says one word, none of the product's name, and for whom: 'A cradle for parents'."""
    match = re.match(r"(?i)^(?:an? |the |our |your )?(.+?) for (.+?)[.!]?$", text)
    if not match or re.search(r"\d", match[1]):
        return ""
    part, readers = _stems(match[1]), _stems(match[2])
    names = _stems(f"{brief.brand.name} {brief.product.name}")
    is_bare = len(part) == 1 and not part & names and bool(readers) and readers <= _stems(brief.audience.description)
    return match[0] if is_bare else ""


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(text)]


def _stems(text: str) -> set[str]:
    return {stem(word) for word in words_of(text) if word.lower() not in FUNCTION_WORDS}
