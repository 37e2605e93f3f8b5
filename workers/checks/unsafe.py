"""Words that are never published: what the brand has banned, and what no brand wants beside its name."""

import re
from functools import cache
from importlib.resources import files

from schemas.jobs import Brief
from workers.checks.facts import facts_of
from workers.checks.words import stem, words_of


def banned_words(text: str, brief: Brief) -> str:
    """Return the banned words and phrases of the brand that a line uses, in any form of the words."""
    spoken = f" {' '.join(stem(word) for word in words_of(text))} "
    found = []
    for banned in brief.brand.banned_words:
        phrase = " ".join(stem(word) for word in words_of(banned))
        plain = re.search(rf"(?i)(?<!\w){re.escape(banned)}(?!\w)", text)
        if plain or (phrase and f" {phrase} " in spoken):
            found.append(banned)
    return ", ".join(found)


def unsafe_words(text: str, brief: Brief) -> str:
    """Return words of abuse, sex, drugs and violence that the brief does not use itself."""
    known = {word.lower() for word in words_of(facts_of(brief).text)}
    return ", ".join(word for word in words_of(text) if word.lower() not in known and _plain(word) in _unsafe())


def _plain(word: str) -> str:
    """Return a word without its ending where the rest is listed; a full stem would find 'drunk' in 'drink'."""
    lower = word.lower().removesuffix("'s")
    shorter = (lower.removesuffix(ending) for ending in ("s", "es", "ed", "ing"))
    return next((form for form in shorter if form in _unsafe()), lower)


@cache
def _unsafe() -> frozenset[str]:
    text = files("workers.checks").joinpath("data/unsafe.txt").read_text(encoding="utf-8")
    return frozenset(text.split())
