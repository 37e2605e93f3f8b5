"""Does a line tell a fact whole: no phrase cut off, not one of several choices, 'them' for only some."""

import re
from functools import lru_cache

from schemas.channels import Shape, channels
from schemas.jobs import Brief
from workers.checks.facts import SMALL_NUMBERS
from workers.checks.grounding import FUNCTION_WORDS
from workers.checks.words import sentences_of, stem, words_of

# Words and numbers, hyphenated ones as they stand.
_TOKEN = re.compile(r"[^\W_]+(?:[.,'’/-][^\W_]+)*")  # noqa: RUF001  the typographic apostrophe is meant
# 'Yellow, red or green': a choice is one or two words, and so is what it is read from.
_CHOICE = r"[^\W\d_][\w'-]*(?: [\w'-]+)?"
_CHOICES = re.compile(rf"(?i)(?<![\w'-])([\w'-]+) ([\w'-]+), ((?:{_CHOICE}, ){{0,8}}{_CHOICE}),? or ({_CHOICE})")
# Behind these the first choice stands before the first comma; elsewhere that is what the choices are of.
_CHOOSES = frozenset({"turns", "to", "choose", "on", "for"})
_NEVER = frozenset({"no", "without", "not", "never", "nor"})
_TIMES = frozenset(stem(word) for word in ("minutes", "hours", "days", "weeks", "months", "years", "weekends"))
_NO_CHOICES = FUNCTION_WORDS | frozenset(SMALL_NUMBERS)
# What a verb is done to ends before these, and with some of them goes on to say to which of it.
_ENDS = frozenset(
    {"along", "after", "and", "at", "before", "by", "for", "from", "in", "into", "of", "on", "or", "to", "within"}
)
# What goes on with these is limited by it: 'takes up the floor space' of one stool.
_GOES_ON = frozenset(
    {"after", "as", "at", "before", "between", "if", "of", "or", "per", "so", "than", "under", "when", "without"}
)
_LEAST_OF_A_PHRASE = 3
_MARKED_TOKEN = re.compile(rf"{_TOKEN.pattern}|[.,;:!?()]")
_WHICH = frozenset({"above", "below", "beyond", "older", "outside", "over", "that", "under", "which"})


def one_of_choices(text: str, brief: Brief) -> str:
    """Return the choices of which a line tells some and not all: 'turns yellow' of 'yellow, red or green'."""
    line, found = text.lower(), []
    for choices in _choices(brief):
        told = [bool(re.search(rf"(?<![\w-]){re.escape(choice)}(?![\w-])", line)) for choice in choices]
        if any(told) and not all(told):
            found.append(" or ".join(choices))
    return ", ".join(found)


def cut_off(text: str, brief: Brief) -> str:
    """Return the ends of sentences that the brief goes on from, wherever it has them: 'the floor space' of one stool.

    Short lines are phrases, and say less by nature.
    """
    if channels()[brief.channel].shape is not Shape.MEDIUM:
        return ""
    behind, found = _behind_pairs(brief), []
    for sentence in sentences_of(text):
        words = [word.lower() for word in _TOKEN.findall(sentence)]
        after = behind.get((words[-2], words[-1]), frozenset()) if len(words) >= _LEAST_OF_A_PHRASE else frozenset()
        if after and after <= _GOES_ON:
            found.append(" ".join((*words[-2:], *sorted(after))))
    return ", ".join(found)


@lru_cache(maxsize=512)
def _behind_pairs(brief: Brief) -> dict[tuple[str, str], frozenset[str]]:
    """Return what stands behind each two words of a description, marks included."""
    words = [word.lower() for word in _MARKED_TOKEN.findall(f"{brief.product.description} .")]
    found: dict[tuple[str, str], frozenset[str]] = {}
    for first, second, behind in zip(words, words[1:], words[2:], strict=False):
        found[first, second] = found.get((first, second), frozenset()) | {behind}
    return found


def stood_in(text: str, brief: Brief) -> str:
    """Return where 'them' or 'it' stands for all of what the brief says only of some.

    'An air jet removes them' says of all packs what the brief says of 'packs outside the limits'.
    """
    line, found = _stems(text), []
    for match in re.finditer(r"(?i)\b(\w+s) (?:them|it)\b", text):
        limits = _limits(brief, match[1].lower())
        if limits and not any(one <= line for one in limits):
            found.append(match[0])
    return ", ".join(found)


def bare_part(text: str, brief: Brief) -> str:
    """Return a line that says no more than whom it is for, or that and one word that is not of the product's name.

    'Coffee by hand at home' for people who brew their coffee by hand at home; 'A cradle for parents'.
    """
    readers = _stems(brief.audience.description)
    if re.search(r"\d", text) or text.endswith("?"):
        return ""
    if _stems(text) <= readers:
        return text
    match = re.match(r"(?i)^(?:an?|the|our|your) (.+?) for (.+?)[.!]?$", text)
    part, named = (_stems(match[1]), _stems(match[2])) if match else (frozenset[str](), frozenset[str]())
    is_bare = len(part) == 1 and bool(named) and named <= readers
    return text if is_bare and not part & _stems(f"{brief.brand.name} {brief.product.name}") else ""


def told_readers(text: str, brief: Brief) -> str:
    """Return where a line reads out whom it is aimed at: 'is for runners', or a part of them behind a 'for'.

    'Gloves for partners and friends' of those who look for a present; told whole they may stand in a headline.
    """
    match = re.search(r"(?i)(?:\b(is|are) )?\bfor ([^.,!?]+)[.!]?$", text)
    readers = [stem(word) for word in words_of(brief.audience.description) if word.lower() not in FUNCTION_WORDS]
    told = _stems(match[2]) if match else frozenset[str]()
    if not match or not readers or readers[0] not in told or not told <= set(readers):
        return ""
    return match[0] if match[1] or told != set(readers) else ""


@lru_cache(maxsize=512)
def _choices(brief: Brief) -> tuple[tuple[str, ...], ...]:
    """Return the choices that a brief gives, in small letters."""
    names, found = {word.lower() for name in _names(brief) for word in words_of(name)}, []
    for match in _CHOICES.finditer(brief.product.description):
        before, first = match[1].lower(), match[2].lower()
        choices = [*match[3].lower().split(", "), match[4].lower().split()[0]]
        if before in _NEVER or first in _NEVER:
            continue
        if before in _CHOOSES and stem(first) not in _TIMES:
            choices.insert(0, first)
        elif len(choices) <= 2:
            # 'Coffee, whole or ground': few words are left that only choices would be.
            continue
        # ', and you choose quiet, tactile or clicky' begins behind another clause; 'two, three or four' are numbers.
        if not any(len(one) == 1 or one.split()[0] in _NO_CHOICES | names for one in choices):
            found.append(tuple(choices))
    return tuple(found)


@lru_cache(maxsize=2048)
def _limits(brief: Brief, verb: str) -> tuple[frozenset[str], ...]:
    """Return what says of which things this is done, as stems; nothing where a brief does it to all of them too."""
    found = []
    told = brief.product.description.lower()
    for match in re.finditer(rf"\b{re.escape(verb)} ", told):
        words = _TOKEN.findall(re.split(r"[.,;:!?()]", told[match.end() :], maxsplit=1)[0])
        end = next((place for place, word in enumerate(words) if word in _ENDS | _WHICH), len(words))
        if words[:1] in (["them"], ["it"], ["you"]) or end == len(words) or words[end] not in _WHICH:
            return ()
        found.append(_stems(next((word for word in words[end + 1 :] if word not in FUNCTION_WORDS), "")))
    return tuple(one for one in found if one)


def _names(brief: Brief) -> tuple[str, str]:
    return brief.brand.name, brief.product.name


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words_of(text) if word.lower() not in FUNCTION_WORDS)
