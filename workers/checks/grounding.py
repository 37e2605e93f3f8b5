"""Does a line say only what the brief says: its words, the pairs they stand in, and the names it uses."""

import difflib
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

from schemas.channels import Shape, channels
from schemas.jobs import Brief
from workers.checks.facts import SMALL_NUMBERS, facts_of, stems_of
from workers.checks.words import sentences_of, stem, words_of

VOCABULARY = Path(__file__).parent / "data" / "vocabulary.txt"
FUNCTION_WORDS = frozenset(
    {
        "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "before",
        "but", "by", "can", "could", "did", "do", "does", "down", "during", "for", "from", "had", "has", "have",
        "he", "her", "here", "him", "his", "how", "if", "in", "into", "is", "it", "its", "just", "may", "might",
        "not", "of", "off", "on", "or", "our", "out", "over", "she", "should", "so", "some", "such", "that",
        "the", "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "up",
        "us", "was", "we", "were", "what", "when", "where", "which", "while", "who", "why", "will", "with",
        "within", "without", "would", "yes", "you", "your", "yours", "one", "another",
    }
)  # fmt: skip
_LEAST_FACTS = {Shape.SHORT: 1, Shape.MEDIUM: 2, Shape.LONG: 4}
# 'thinner' says more than 'thin', and a 'printer' is not what prints: such forms are taken as they stand.
_GRADED = re.compile(r"\w{3}(?:ers?|est)$")
# Letters in common from which on a word is taken for a misspelt name.
_MANGLED = 0.75


@cache
def vocabulary() -> frozenset[str]:
    """Return the stems that any line may use, whatever it sells."""
    return frozenset(stem(word) for word in vocabulary_words())


@cache
def vocabulary_words() -> frozenset[str]:
    """Return the words whose stems those are, as they are written most."""
    return frozenset([*VOCABULARY.read_text(encoding="utf-8").split(), *FUNCTION_WORDS, *SMALL_NUMBERS])


def ungrounded(text: str, brief: Brief) -> str:
    """Return the words that neither stand in the brief nor are safe anywhere."""
    facts = facts_of(brief)
    known = facts.stems | vocabulary()
    exact = {word.lower() for word in words_of(facts.text)} | vocabulary_words()
    found = [
        word
        for word in words_of(text)
        if stem(word) not in known or (_GRADED.search(word.lower()) and word.lower() not in exact)
    ]
    return ", ".join(dict.fromkeys(found))


def unnamed(text: str, brief: Brief) -> str:
    """Refuse a line that could stand for any product: it must hold enough words of this one."""
    own = facts_of(brief).product_stems - vocabulary()
    found = {stem(word) for word in words_of(text)} & own
    least = min(_LEAST_FACTS[channels()[brief.channel].shape], len(own))
    if len(found) < least:
        return f"only {len(found)} words of this product, {least} wanted"
    empty = stems_of(" ".join([brief.brand.name, brief.product.name, *FUNCTION_WORDS]))
    return "" if stems_of(text) - empty or re.search(r"\d", text) else "nothing but the name"


def strangers(text: str, brief: Brief) -> str:
    """Return neighbouring words of the brief that the brief does not put together: 'brown beans' of brown sugar."""
    facts = facts_of(brief)
    common = vocabulary()
    found = []
    for clause in re.split(r"[.,;:!?()]| - ", text):
        stems = [(word, stem(word)) for word in words_of(clause)]
        for (left, left_stem), (right, right_stem) in pairwise(stems):
            if {left_stem, right_stem} & common or left_stem == right_stem:
                continue
            both_known = left_stem in facts.product_stems and right_stem in facts.product_stems
            if both_known and (left_stem, right_stem) not in facts.neighbours and not _is_name(left, right, brief):
                found.append(f"{left} {right}")
    return ", ".join(found)


@cache
def _function_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in FUNCTION_WORDS)


def swapped_roles(text: str, brief: Brief) -> str:
    """Return who does what in a line, where the brief gives the doing to somebody else.

    'Customers print a label' makes neither 'the app prints a label' nor 'print your label' true.
    """
    facts = facts_of(brief)
    doers = _doers(facts.text)
    known = {word.lower() for word in words_of(facts.text)}
    names = {word.lower() for word in words_of(f"{brief.brand.name} {brief.product.name}")}
    # 'people who read in bed' do the reading: nothing that is sold 'reads'.
    of_readers = {stem(verb) for verb in re.findall(r"(?i)\bwho (\w+)", brief.audience.description)}
    found = [
        word
        for word in words_of(text)
        if word.endswith("s") and stem(word) in of_readers - _function_stems() and word.lower() not in known
    ]
    found += _of_others(text, brief) + _of_readers(text, brief) + _owned_by_others(text, facts.text)
    found += _other_voice(text, facts.text)
    for clause in re.split(r"[.,;:!?()]", text):
        words = ["", *words_of(clause)]
        for before, word in pairwise(words):
            rightful = doers.get(stem(word), frozenset())
            doer = before.lower()
            if doer in _HELPERS:
                doer = words[max(words.index(before) - 1, 0)].lower()
            if not rightful or "we" in rightful or word.lower().endswith(("ed", "ing")):
                continue
            is_product = doer in names and word.lower().endswith("s") and word.lower() not in known
            is_reader = doer in {"", "you", "to", "and"} and "you" not in rightful and not word.lower().endswith("s")
            is_other = doer in _PERSONS | {other for others in doers.values() for other in others}
            if is_product or is_reader or (is_other and doer not in rightful):
                found.append(f"{before} {word}".strip())
    return ", ".join(found)


def _of_others(text: str, brief: Brief) -> list[str]:
    """Return what the audience does of itself, told of the product: 'homeowners find damp with the gauge'."""
    readers = brief.audience.description.lower()
    verbs = (
        set(re.findall(r"\bwho (\w+)", readers))
        - FUNCTION_WORDS
        - set(words_of((brief.product.description or "").lower()))
    )
    return [
        f"{before} {word}"
        for before, word in pairwise(words_of(text.lower()))
        if word in verbs and before in words_of(readers) and before not in FUNCTION_WORDS
    ]


# What anything on sale may do, whoever else does it in the brief.
_ANY_PRODUCT_DOES = frozenset(
    stem(word) for word in ("comes", "costs", "has", "is", "makes", "offers", "ships", "starts")
)


def _of_readers(text: str, brief: Brief) -> list[str]:
    """Return what brand or product does in a line while the brief has it only as a thing to do.

    'Fill in the form' and 'lets you write quotes' make nothing that is sold fill in or write.
    """
    facts = facts_of(brief)
    known = {word.lower() for word in words_of(facts.text)}
    names = {word.lower() for word in words_of(f"{brief.brand.name} {brief.product.name}")} - FUNCTION_WORDS
    bases = {stem(word) for word in known if not word.endswith(("s", "ed", "ing"))} - _ANY_PRODUCT_DOES
    return [
        f"{before} {word}"
        for clause in re.split(r"[.,;:!?()]", text)
        for before, word in pairwise(words_of(clause.lower()))
        if before in names and word.endswith("s") and word not in known | names and stem(word) in bases
    ]


def _owned_by_others(text: str, known: str) -> list[str]:
    """Return what a line gives to its reader while the brief gives it to somebody else: 'the customer's signature'."""
    others = {stem(thing) for thing in re.findall(r"(?i)\w+['’]s (\w+)", known)}  # noqa: RUF001
    readers = {stem(thing) for thing in re.findall(r"(?i)\byour (\w+)", known)}
    return [f"your {m[1]}" for m in re.finditer(r"(?i)\byour (\w+)", text) if stem(m[1]) in others - readers]


def misplaced_clauses(text: str, brief: Brief) -> str:
    """Return a clause in front that the brief ties to something else: 'before you leave' of what is done later."""
    facts, product = facts_of(brief), brief.product
    names = stems_of(f"{brief.brand.name} {product.name}")
    known = [stems_of(sentence) for sentence in re.split(r"[.;!?]", f"{product.description}. {product.offer}")]
    found = []
    for sentence in sentences_of(text):
        match = _IN_FRONT.match(sentence)
        front = stems_of(match[1]) - _function_stems() if match else set()
        sources = [stems for stems in known if front and front <= stems]
        if match is None or not sources:
            continue
        told = (stems_of(match[2]) & facts.product_stems) - _function_stems() - names - front
        if told and not any(told & stems for stems in sources):
            found.append(match[1])
    return ", ".join(found)


_IN_FRONT = re.compile(r"(?i)^((?:before|after|when|if|until|once|while|during) [^,]+), (.+)$")


def _other_voice(text: str, known: str) -> list[str]:
    """Return what does in the line what is done to it in the brief, or the other way round.

    Of a bar that is 'wrapped in paper' nobody says that it 'wraps', and what 'counts stock' is not 'counted'.
    """
    forms: dict[str, set[str]] = defaultdict(set)
    for word in words_of(known.lower()):
        forms[stem(word)].add(word)
    found = []
    for before, word in pairwise(["", *words_of(text.lower())]):
        given = forms.get(stem(word), set()) - {word}
        if word in forms.get(stem(word), set()) or not given:
            continue
        does = word.endswith("s") and all(form.endswith("ed") for form in given)
        is_done = word.endswith("ed") and before in _BEING and all(form.endswith("s") for form in given)
        if does or is_done:
            found.append(f"{before} {word}".strip())
    return found


_BEING = frozenset({"is", "are", "be", "been", "was", "were"})


def _doers(text: str) -> dict[str, frozenset[str]]:
    """Return who does what in a brief: the stems of verbs that follow a pronoun or a plural, always the same kind."""
    found: dict[str, set[str]] = defaultdict(set)
    others: set[str] = set()
    for sentence in re.split(r"[.,;:!?()]", text):
        for before, word in pairwise(["", *words_of(sentence.lower())]):
            is_plural = len(before) > _SHORTEST_PLURAL and before.endswith("s") and not before.endswith("ss")
            # Behind 'holds 350' stands a unit, not what somebody does.
            is_verb = len(word) > _LONGEST_UNIT and not word.endswith("s") and word not in FUNCTION_WORDS
            if (before in _PERSONS or is_plural) and is_verb:
                found[stem(word)].add(before)
            elif word:
                others.add(stem(word))
    return {verb: frozenset(doers) for verb, doers in found.items() if verb not in others}


_PERSONS = frozenset({"you", "we", "they", "customers", "people"})
_HELPERS = frozenset({"can", "could", "will", "would", "may", "should", "must", "just", "simply", "also", "then"})
_SHORTEST_PLURAL = 4
_LONGEST_UNIT = 2


def misnamed(text: str, brief: Brief) -> str:
    """Return names that are cut, misspelt or made up."""
    name = brief.brand.name
    rest = re.sub(re.escape(name), " ", text, flags=re.IGNORECASE)
    if name.lower() in text.lower() and name not in text and name.upper() != name:
        return f"the brand is written {name}"
    if f"our {name}".lower() in text.lower():
        return f"'our {name}'"
    cut = _cut_name(text, brief.product.name)
    if cut:
        return f"{cut} for {brief.product.name}"
    known = {word.lower() for word in words_of(facts_of(brief).text)}
    own = [word for word in words_of(name) if stem(word) not in vocabulary()]
    for word in words_of(rest):
        plain = word.removesuffix("'s")
        if word[0].isupper() and plain.lower() not in known and any(_is_close(plain, part) for part in own):
            return f"{word} for {name}"
    return ""


def _cut_name(text: str, name: str) -> str:
    """Return what is left of a product name that lost its noun: 'Tern Desk' of a Tern Desk Lamp.

    A name may end early before what only describes it: 'Weekend duffel' of a Weekend duffel in waxed canvas.
    """
    words = name.split()
    if name.lower() in text.lower():
        return ""
    for length in range(len(words) - 1, 1, -1):
        part = " ".join(words[:length])
        if part in text:
            is_whole = part[-1] in ",:;-" or words[length].lower() in FUNCTION_WORDS
            return "" if is_whole else part
    return ""


def stray_capitals(text: str, brief: Brief) -> str:
    """Return words inside a sentence that are written like names but are none of this brief."""
    if channels()[brief.channel].headline:
        return ""
    known = set(words_of(facts_of(brief).text))
    found = []
    for sentence in sentences_of(text):
        for word in words_of(sentence)[1:]:
            inner = re.search(rf"[:.!?\"'(]\s*{re.escape(word)}", sentence)
            if word[0].isupper() and word.removesuffix("'s") not in known and word not in _ALWAYS_CAPITAL and not inner:
                found.append(word)
    return ", ".join(found)


def _is_name(left: str, right: str, brief: Brief) -> bool:
    """Tell whether one of two words belongs to the name of brand or product, which may stand beside anything."""
    names = {word.lower() for word in words_of(f"{brief.brand.name} {brief.product.name}")}
    return left.lower() in names or right.lower() in names


def _is_close(word: str, name: str) -> bool:
    return difflib.SequenceMatcher(None, word.lower(), name.lower()).ratio() > _MANGLED


_ALWAYS_CAPITAL = frozenset(
    {
        "I", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January",
        "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    }
)  # fmt: skip
