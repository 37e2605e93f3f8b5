"""Is this line fit to be published: every rule on one finished line; and the repairs that need no judgement.

The rule of rules: a line says only what stands in the brief. A good line refused costs a second of computing; a false
line delivered costs trust. So every doubt is a refusal.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache

from schemas.assets import Check
from schemas.channels import ChannelSpec, Shape, channels
from schemas.jobs import Brief
from workers.checks import claims, form, grounding, limits, roles, unsafe, whole
from workers.checks.facts import facts_of
from workers.checks.words import sentences_of, small_words, stem, words_of

Rule = Callable[[str, Brief], str]
RULES: dict[str, Rule] = {
    "length": form.wrong_length,
    "ending": form.unfinished,
    "placeholders": form.placeholders,
    "characters": form.odd_characters,
    "repeats": form.repeats,
    "language": form.wrong_language,
    "banned_words": unsafe.banned_words,
    "unsafe": unsafe.unsafe_words,
    "numbers": claims.unknown_numbers,
}
# These know English only; other languages are for a person to read.
ENGLISH_RULES: dict[str, Rule] = {
    "style": form.off_style,
    "grammar": form.broken_grammar,
    "real_words": form.unreal_words,
    "prices": claims.misplaced_prices,
    "offers": claims.unknown_offers,
    "claims": claims.unproven_claims,
    "times": claims.unknown_times,
    "negations": claims.unknown_negations,
    "names": grounding.misnamed,
    "capitals": grounding.stray_capitals,
    "grounding": grounding.ungrounded,
    "pairs": grounding.strangers,
    "prepositions": grounding.lost_prepositions,
    "endings": grounding.wrong_endings,
    "conditions": limits.dropped_conditions,
    "bounds": limits.dropped_bounds,
    "rates": limits.dropped_rates,
    "compounds": limits.cut_compounds,
    "halves": limits.half_told,
    "phrases": whole.cut_off,
    "choices": whole.one_of_choices,
    "pronouns": whole.stood_in,
    "bare": whole.bare_part,
    "readers": whole.told_readers,
    "roles": roles.swapped_roles,
    "clauses": roles.misplaced_clauses,
    "product": grounding.unnamed,
}
# An e-mail subject is a headline, but inboxes are full of title case that looks like advertising.
TITLE_CASE = frozenset({"google_search.headline", "meta.headline"})
_SMALL_WORDS = frozenset(
    {
        "a", "an", "and", "as", "at", "but", "by", "for", "if", "in", "nor", "of", "off", "on", "or", "per",
        "so", "the", "to", "up", "via",
    }
)  # fmt: skip
_DUPLICATE_OVERLAP = 0.6
# Where a line can end and still be whole: before a further sentence, phrase or clause.
_JOINTS = re.compile(r"(?i)(?<=[.!])\s| - |\s(?=(?:and|with|without|for|from|in|on|at|by|under|over|that)\s)")
# What stands behind a number and is no word.
_UNIT = re.compile(r"\d ?([A-Za-z]{1,3})(?!\w)")
# 'iron', 'cast-iron' and 'don't', but no '5-inch' and nothing that has a capital already.
_PLAIN_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "\u00a0": " "})  # noqa: RUF001


def check(text: str, brief: Brief) -> tuple[Check, ...]:
    """Judge one finished line by every rule; the detail of a failed check says what was found."""
    rules = RULES | ENGLISH_RULES if brief.locale.startswith("en") else RULES
    return tuple(_judge(name, rule, text, brief) for name, rule in rules.items())


def repair(text: str, brief: Brief) -> str:
    """Mend what needs no judgement: quotes, white space, title case, an end mark, sentences too many.

    Long texts lose the sentences that break a rule when enough is left. Doing it twice changes nothing.
    """
    spec = channels()[brief.channel]
    line = re.sub(r"\s+([,.!?;:])", r"\1", " ".join(text.translate(_QUOTES).split()))
    line = re.sub(r"^[-*•\s]+", "", line)
    # '$15.20 EUR' has one currency too many; which one is right is for the checks to say.
    line = re.sub(r"[$€£](\d[\d.,]*) (?=(?:EUR|USD|GBP|CHF)\b)", r"\1 ", line)
    if line[:1] == line[-1:] == '"' or line.count('"') == 1:
        line = line.replace('"', "").strip()
    if line:
        line = _first_upper(_with_names(line, brief))
    if spec.headline:
        return _with_units(_as_headline(line, brief), brief)
    return _with_units(_fewer_sentences(line, brief, spec), brief)


def is_near_duplicate(text: str, taken: Collection[str]) -> bool:
    """Tell whether a reader would find that this was said before."""
    words = _content(text)
    return any(_overlap(words, _content(other)) > _DUPLICATE_OVERLAP for other in taken)


def fingerprint(text: str) -> str:
    """Return the text as a reader remembers it: letters and digits only, without case; equal means the same."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _judge(name: str, rule: Rule, text: str, brief: Brief) -> Check:
    problem = rule(text, brief)
    return Check(name=name, passed=not problem, detail=problem)


@lru_cache(maxsize=65536)
def _content(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words_of(text)) | frozenset(re.findall(r"\d+", text))


def _overlap(left: frozenset[str], right: frozenset[str]) -> float:
    union = len(left | right)
    return len(left & right) / union if union else 1.0


def _with_names(line: str, brief: Brief) -> str:
    """Write the names of brand and product as the brief does, where they are proper names.

    'Wide ironing board' is none: inside a sentence its first word is written small, unless the brief has it as a name.
    """
    for name in (brief.brand.name, brief.product.name):
        if name != name.lower() and not _describes(name):
            exact = name.replace("\\", r"\\")
            line = re.sub(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", exact, line)
    first = brief.product.name.partition(" ")[0]
    if brief.locale.startswith("en") and _describes(brief.product.name) and _is_common(first):
        inside = re.compile(rf"(?<=[a-z,;] ){re.escape(first)}(?!\w)")
        told = (brief.product.description, brief.product.offer, brief.audience.description)
        if first not in words_of(brief.brand.name) and not any(inside.search(text or "") for text in told):
            line = inside.sub(first.lower(), line)
    return line


def _is_common(word: str) -> bool:
    """Tell whether every part of a word is one that copy writes small anywhere."""
    return all(part in small_words() for part in re.split(r"[-’']", word.lower()))  # noqa: RUF001


def _describes(name: str) -> bool:
    """Tell whether a name is a phrase of common words: several, of which only the first begins with a capital."""
    return " " in name and name[1:] == name[1:].lower()


def _with_units(line: str, brief: Brief) -> str:
    """Write short units behind numbers as the brief does: 250 g and 350 ml also in title case."""
    for unit in set(_UNIT.findall(facts_of(brief).text)):
        line = re.sub(rf"(?i)(\d ?){unit}(?!\w)", rf"\g<1>{unit}", line)
    return line


def _first_upper(line: str) -> str:
    return line[0].upper() + line[1:]


def _as_headline(line: str, brief: Brief) -> str:
    """Take a single full stop off the end, shorten to the limit; write title case where the channel has it."""
    if line.endswith(".") and line.count(".") == 1:
        line = line[:-1]
    line = _shortened(line, channels()[brief.channel].max_characters)
    if brief.channel not in TITLE_CASE or not brief.locale.startswith("en"):
        return line
    own = {word.lower(): word for word in words_of(facts_of(brief).text) if word.lower() != word}
    parts = line.split(" ")
    last = len(parts) - 1
    cased = [_title(part, own, is_edge=i in {0, last} or parts[i - 1][-1:] in ".!?:") for i, part in enumerate(parts)]
    return " ".join(cased)


def _shortened(line: str, limit: int) -> str:
    """Leave out what a line says last, from a joint on, so that it fits; a line without a joint stays as it is."""
    if len(line) <= limit or "?" in line:
        return line
    ends = [joint.start() for joint in _JOINTS.finditer(line) if joint.start() <= limit]
    return line[: ends[-1]].rstrip(" ,;:-") if ends else line


def _title(part: str, own: dict[str, str], *, is_edge: bool) -> str:
    bare = part.strip(",.!?:;'\"()")
    if not _PLAIN_WORD.fullmatch(bare) or (bare in _SMALL_WORDS and not is_edge):
        return part
    if bare in own:
        return part.replace(bare, own[bare], 1)
    # Units stay small; 'Cast-Iron Foot', but 'Step-by-Step'.
    words = [word.capitalize() if word not in _SMALL_WORDS or not i else word for i, word in enumerate(bare.split("-"))]
    return part.replace(bare, "-".join(words), 1) if len(bare) > 1 else part


def _fewer_sentences(line: str, brief: Brief, spec: ChannelSpec) -> str:
    """Drop what cannot stay: an unfinished end, sentences beyond the limit, and in long texts sentences that fail."""
    sentences = sentences_of(line)
    if spec.shape is Shape.LONG:
        sentences = [sentence for sentence in sentences if _holds(sentence, brief)]
    elif len(sentences) > 1 and not re.search(r"[.!?][\"')]?$", sentences[-1]):
        sentences = sentences[:-1]
    while len(sentences) > 1 and len(" ".join(sentences)) > spec.max_characters:
        sentences = sentences[:-1]
    shorter = " ".join(sentences)
    return shorter if len(shorter) >= spec.min_characters else line


_OF_A_WHOLE = frozenset({"length", "product", "style", "repeats", "conditions", "bounds", "rates"})


def _holds(sentence: str, brief: Brief) -> bool:
    """Tell whether a sentence alone breaks no rule; rules about the whole text do not count."""
    return all(result.passed for result in check(sentence, brief) if result.name not in _OF_A_WHOLE)
