"""Words of English copy: how a line is cut into words, and which forms count as the same word."""

import re
from functools import cache, lru_cache
from pathlib import Path

SMALL_WORDS = Path(__file__).parent / "data" / "small_words.txt"
# A word may hold apostrophes and hyphens inside: don't, plum-and-mint.
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")  # noqa: RUF001  the typographic apostrophe is meant
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“‘(]?[A-Z0-9])")  # noqa: RUF001
_IRREGULAR = {
    "bought": "buy", "brought": "bring", "built": "build", "chose": "choose", "chosen": "choose", "children": "child",
    "drank": "drink", "drunk": "drink", "drove": "drive", "driven": "drive", "ate": "eat", "eaten": "eat",
    "feet": "foot", "felt": "feel", "found": "find", "gave": "give", "given": "give", "held": "hold", "kept": "keep",
    "knew": "know", "known": "know", "leaves": "leaf", "left": "leave", "made": "make", "men": "man", "mice": "mouse",
    "paid": "pay", "people": "person", "ran": "run", "said": "say", "sat": "sit", "sent": "send", "shelves": "shelf",
    "slept": "sleep", "sold": "sell", "spent": "spend", "stood": "stand", "taught": "teach", "teeth": "tooth",
    "thought": "think", "told": "tell", "took": "take", "taken": "take", "went": "go", "women": "woman",
    "woven": "weave", "wore": "wear", "worn": "wear", "wrote": "write", "written": "write", "knives": "knife",
    "loaves": "loaf", "halves": "half", "ground": "grind", "grew": "grow", "grown": "grow", "sewn": "sew",
    "began": "begin", "begun": "begin", "came": "come", "cut": "cut", "fed": "feed", "flew": "fly", "froze": "freeze",
    "frozen": "freeze", "hung": "hang", "heard": "hear", "led": "lead", "lit": "light", "lost": "lose", "met": "meet",
    "put": "put", "rode": "ride", "ridden": "ride", "rose": "rose", "saw": "see", "seen": "see", "set": "set",
    "spun": "spin", "swam": "swim", "wound": "wind", "woke": "wake", "woken": "wake", "dried": "dry", "lay": "lie",
}  # fmt: skip
_SUFFIXES = ("ingly", "edly", "ings", "ers", "ies", "ied", "ing", "est", "ed", "er", "ly", "es", "s", "y", "e")
_SHORTEST_STEM = 3
# Beginnings of lines are judged token by token: the same words come again and again.
_KEPT_STEMS = 65_536


@cache
def small_words() -> frozenset[str]:
    """Return common words, which nobody writes with a capital inside a sentence."""
    return frozenset(SMALL_WORDS.read_text(encoding="utf-8").split())


def words_of(text: str) -> list[str]:
    """Return the words of a text as they stand, numbers left out; hyphenated words come as their parts."""
    return _WORD.findall(text)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text with their end marks."""
    return [part.strip() for part in _SENTENCE_END.split(text.strip()) if part.strip()]


@lru_cache(maxsize=_KEPT_STEMS)
def stem(word: str) -> str:
    """Return what the forms of one word share: roast, roasts, roasted, roasting and roaster are the same."""
    plain = re.sub(r"['’](s|d|ll|re|ve|m|t)?$", "", word.lower())  # noqa: RUF001
    plain = _IRREGULAR.get(plain, plain)
    for suffix in _SUFFIXES:
        if plain.endswith(suffix) and len(plain) - len(suffix) >= _SHORTEST_STEM and not plain.endswith("ss"):
            plain = plain.removesuffix(suffix)
            break
    if len(plain) > _SHORTEST_STEM and plain[-1] == plain[-2] and plain[-1] not in "aeiouls":
        plain = plain[:-1]
    if len(plain) > _SHORTEST_STEM and plain[-1] in "ei":
        plain = plain[:-1]
    return plain
