"""Does a line say only what the brief says: its words, the pairs they stand in, and the names it uses."""

import difflib
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path

from schemas.channels import Shape, channels
from schemas.jobs import Brief
from workers.checks.facts import SMALL_NUMBERS, facts_of, stems_of
from workers.checks.words import sentences_of, small_words, stem, words_of

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
# What a word may be tied to.
_TIED = frozenset({"of", "with", "for", "from", "to", "into", "like"})
# What stands behind a noun or verb that is over, beside function words.
_AFTER_WHAT_ENDS = frozenset({"each", "every"})
# What a noun with its adjectives follows, and no verb.
_BEFORE_A_PHRASE = frozenset({"a", "an", "the", "and", "or", "of", "with", "for", "from", "in", "on", "your", "our"})
_BEHIND_A_PHRASE = frozenset({"from", "of", "with", "for", "and", "or"})
# Letters in common from which on a word is taken for a misspelt name.
_MANGLED = 0.75
# Words of a phrase that a verb does not end.
_LEAST_OF_A_PHRASE = 3
# Headlines that stand above a text on the same product.
_MAY_ONLY_NAME = frozenset({"google_search.headline", "meta.headline"})


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
    # A subject has to give a reason to open.
    if brief.channel in _MAY_ONLY_NAME and brief.product.name.lower() in text.lower():
        return ""
    empty = stems_of(" ".join([brief.brand.name, brief.product.name, *FUNCTION_WORDS]))
    has_number = re.search(r"\d", text.replace(brief.product.name, ""))
    return "" if stems_of(text) - empty or has_number else "nothing but the name"


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


def lost_prepositions(text: str, brief: Brief) -> str:
    """Return words that the brief never has without 'of', 'with' or the like, and a line has: 'tastes chocolate'."""
    always = _prepositions(facts_of(brief).text)
    found = [
        f"{word} {after}"
        for clause in re.split(r"[.,;:!?()]", text.lower())
        for word, after in pairwise(words_of(clause))
        if word in always and after != always[word] and after not in FUNCTION_WORDS
    ]
    return ", ".join(found)


def _prepositions(text: str) -> dict[str, str]:
    """Return the words in -s and -ed of a text that one preposition always follows: verbs, and nouns like 'notes'."""
    after: dict[str, set[str]] = defaultdict(set)
    for clause in re.split(r"[.,;:!?()]", text.lower()):
        for word, following in pairwise([*words_of(clause), ""]):
            after[word].add(following)
    return {
        word: next(iter(following))
        for word, following in after.items()
        if word.endswith(("s", "ed")) and word not in FUNCTION_WORDS and len(following) == 1 and following <= _TIED
    }


def wrong_endings(text: str, brief: Brief) -> str:
    """Return words without the -s that the brief gives them, 'a clerk check', and with one too many, 'Lights roast'."""
    return ", ".join([*_lost_endings(text, brief), *_gained_endings(text, brief), *_one_of_many(text, brief)])


def _gained_endings(text: str, brief: Brief) -> list[str]:
    """Return first words of a phrase of the brief that got an -s: 'Lights roast' of light roast whole beans."""
    told = _clauses(facts_of(brief).text)
    pairs = {pair for clause in told for pair in pairwise(clause)}
    # 'Keeps coffee hot' is right where walls keep it hot, and 'holds ten cups' of what is made to hold them.
    begun = {
        (word, after)
        for clause in told
        for before, word, after in zip(["", *clause], clause, clause[1:], strict=False)
        if not before or before in _BEFORE_A_PHRASE
    }
    return [
        f"{word} {after}"
        for clause in _clauses(text)
        for before, word, after in zip(["", *clause], clause, clause[1:], strict=False)
        if (not before or before in _BEFORE_A_PHRASE)
        and word.endswith("s")
        and after not in FUNCTION_WORDS
        and (word[:-1], after) in begun
        and (word, after) not in pairs
    ]


def _one_of_many(text: str, brief: Brief) -> list[str]:
    """Return a longer phrase of the brief in the plural that got an 'a': 'a light roast whole beans'."""
    told = " . ".join(" ".join(clause) for clause in _clauses(facts_of(brief).text))
    found = []
    for clause in _clauses(text):
        for start in (place for place, word in enumerate(clause) if word in {"a", "an"}):
            words = list(takewhile(lambda word: word not in FUNCTION_WORDS, clause[start + 1 :]))
            phrase, behind = " ".join(words), clause[start + 1 + len(words) :][:1]
            # Behind it nothing, or what no verb needs: 'a sales clerk signs' is another thing.
            is_plural = bool(words) and words[-1].endswith("s") and words[-1][:-1] in small_words()
            is_whole = len(words) >= _LEAST_OF_A_PHRASE and (not behind or behind[0] in _BEHIND_A_PHRASE)
            is_told = phrase in told and f"{clause[start]} {phrase}" not in told
            if is_plural and is_whole and is_told and not re.search(r"\d", phrase):
                found.append(f"{clause[start]} {phrase}")
    return found


def _lost_endings(text: str, brief: Brief) -> list[str]:
    told = {pair for clause in _clauses(facts_of(brief).text) for pair in pairwise(clause)}
    return [
        f"{before} {word}"
        for clause in _clauses(text)
        for (before, word), after in zip(pairwise(clause), [*clause[2:], ""], strict=False)
        # 'Two user profiles' are right where the brief says 'two users'.
        if word not in FUNCTION_WORDS
        and (not after or after in FUNCTION_WORDS or after in _AFTER_WHAT_ENDS)
        and (before, word) not in told
        and any((before, plural) in told for plural in (f"{word}s", f"{word}es", f"{word[:-1]}ies"))
    ]


def _clauses(text: str) -> list[list[str]]:
    """Return the words of each clause, numbers and hyphenated words as they stand, in small letters."""
    return [re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", part) for part in re.split(r"[.,;:!?()]", text.lower())]  # noqa: RUF001


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
