"""Who does what in a line, whose a thing is, and what a clause is tied to: as the brief has it, or refused."""

import re
from collections import defaultdict
from functools import cache, lru_cache
from itertools import pairwise

from schemas.jobs import Brief
from workers.checks.facts import facts_of, stems_of
from workers.checks.grounding import FUNCTION_WORDS
from workers.checks.words import sentences_of, stem, words_of

_BEING = frozenset({"is", "are", "be", "been", "was", "were"})
_PERSONS = frozenset({"you", "we", "they", "customers", "people"})
_HELPERS = frozenset({"can", "could", "will", "would", "may", "should", "must", "just", "simply", "also", "then"})
_SHORTEST_PLURAL = 4
_LONGEST_UNIT = 2
# What anything on sale may do, whoever else does it in the brief.
_ANY_PRODUCT_DOES = frozenset(
    stem(word) for word in ("comes", "costs", "has", "is", "makes", "offers", "ships", "starts")
)
# What stands before a verb that is for the reader to do.
_BEFORE_AN_ASK = r"(?:^|[.;,!?] ?|\b(?:you|to|and|or|can|will|must|lets|helps) )"
_PREPOSITIONS = "along|before|after|for|of|on|at|with|from|to|by|through|per|over|under|and|or"
# People who come to work: at the beginning of a clause 'An engineer calibrates', but no 'mug holds' or 'scale weighs'.
_WORKS = re.compile(
    r"(?i)(?:^|[.;,] |\band )(?:an?|one|two|three|our) (\w+(?:eer|ist|ian)|adviser|agent|baker|barista|chef|cleaner|"
    r"clerk|coach|courier|crew|curator|designer|doctor|driver|editor|fitter|gardener|guide|host|instructor|inspector|"
    r"lawyer|marshal|mechanic|notary|nurse|painter|photographer|planner|stager|surveyor|tailor|teacher|team|trainer|"
    r"tutor|vet) (?!(?:is|has|was|as)\b)[a-z]+s\b"
)
_IN_FRONT = re.compile(r"(?i)^((?:before|after|when|if|until|once|while|during) [^,]+), (.+)$")


def swapped_roles(text: str, brief: Brief) -> str:
    """Return who does what in a line, where the brief gives the doing to somebody else.

    'Customers print a label' makes neither 'the app prints a label' nor 'print your label' true.
    """
    facts = facts_of(brief)
    doers = _doers(facts.text)
    found = [
        *_done_by_audience(text, brief),
        *_done_by_reader(text, facts.text),
        *_done_by_parts(text, brief),
        *_done_their_way(text, brief),
        *_done_with_product(text, brief),
        *_owned_by_others(text, facts.text),
        *_other_voice(text, facts.text),
    ]
    for clause in re.split(r"[.,;:!?()]", text):
        words = ["", *words_of(clause)]
        for before, word in pairwise(words):
            rightful = doers.get(stem(word), frozenset())
            doer = before.lower()
            if doer in _HELPERS:
                doer = words[max(words.index(before) - 1, 0)].lower()
            if not rightful or "we" in rightful or word.lower().endswith(("ed", "ing")):
                continue
            is_reader = doer in {"", "you", "to", "and"} and "you" not in rightful and not word.lower().endswith("s")
            is_other = doer in _PERSONS | {other for others in doers.values() for other in others}
            if is_reader or (is_other and doer not in rightful):
                found.append(f"{before} {word}".strip())
    return ", ".join(found)


def _done_by_audience(text: str, brief: Brief) -> list[str]:
    """Return what the audience does of itself, told of the product.

    'people who read in bed' do the reading: nothing that is sold 'reads', and no 'people read with the lamp'.
    """
    readers, facts = brief.audience.description.lower(), facts_of(brief)
    verbs = set(re.findall(r"\bwho (\w+)", readers)) - FUNCTION_WORDS
    stems = {stem(verb) for verb in verbs} - _function_stems()
    known = {word.lower() for word in words_of(facts.text)}
    of_product = {word.lower() for word in words_of(brief.product.description)}
    found = []
    for before, word in pairwise(["", *words_of(text.lower())]):
        is_product = word.endswith("s") and stem(word) in stems and word not in known
        is_audience = word in verbs - of_product and before in words_of(readers) and before not in FUNCTION_WORDS
        if is_product or is_audience:
            found.append(f"{before} {word}".strip())
    return found


def _done_by_reader(text: str, known: str) -> list[str]:
    """Return what 'you' do in a line while the brief tells it of somebody or something else: 'a truck washes it'."""
    found = []
    for match in re.finditer(r"(?i)\byou (\w+)", text):
        word = match[1].lower()
        # Somebody, the verb, and what it is done to: 'orders before noon' and 'gets you a pair' are other things.
        doing = rf"(?<=[^\W_] )(?:{word}s|{word}es|{word[:-1]}ies) (?!(?:you|{_PREPOSITIONS})\b)\w"
        is_theirs = word != "get" and re.search(rf"(?i){doing}", known)
        if is_theirs and word not in FUNCTION_WORDS and not re.search(rf"(?i){_BEFORE_AN_ASK}{word}\b", known):
            found.append(match[0])
    return found


def _done_by_parts(text: str, brief: Brief) -> list[str]:
    """Return what a part of the product does in a line, while the brief has part and doing nowhere near each other.

    A dryer whose sensor drops the heat has no 'motor of the dryer' that 'drops' it.
    """
    facts = facts_of(brief)
    found = []
    for name in (brief.product.name, brief.brand.name):
        behind = rf"(?i)(\w+) of (?:the |our )?(?:[\w'-]+ ){{0,2}}{re.escape(name)}(?: [a-z]+)? (\w+s)\b"
        for match in re.finditer(behind, text):
            part, doing = stem(match[1]), stem(match[2])
            is_told = (
                doing in _ANY_PRODUCT_DOES or match[2].lower() in FUNCTION_WORDS or (part, doing) in facts.neighbours
            )
            if not is_told and {part, doing} <= facts.product_stems:
                found.append(match[0])
    return found


def _done_their_way(text: str, brief: Brief) -> list[str]:
    """Return what is done 'by' something in a line while only the audience does something else in this way.

    People 'who brew by hand' make no coffee that is 'decaffeinated by hand'.
    """
    product, theirs = brief.product, set(_ways(brief.audience.description))
    known = {way for _, way in _ways(f"{product.name}. {product.description}. {product.offer}")}
    ways = {way for _, way in theirs} - known
    return [f"{word} by {way}" for word, way in _ways(text) if way in ways and (word, way) not in theirs]


def _ways(text: str) -> list[tuple[str, str]]:
    """Return what stands before and behind each 'by'."""
    words = words_of(text.lower())
    return [(before, after) for before, by, after in zip(words, words[1:], words[2:], strict=False) if by == "by"]


def _done_with_product(text: str, brief: Brief) -> list[str]:
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
    """Return what a line gives to its reader while the brief gives it to somebody else: 'the customer's signature'.

    And who does the work is not the reader's: 'your engineer' of 'an engineer calibrates'.
    """
    others = {stem(thing) for thing in re.findall(r"(?i)\w+['’]s (\w+)", known)}  # noqa: RUF001
    others |= _workers(known)
    readers = {stem(thing) for thing in re.findall(r"(?i)\byour (\w+)", known)}
    return [f"your {m[1]}" for m in re.finditer(r"(?i)\byour (\w+)", text) if stem(m[1]) in others - readers]


@lru_cache(maxsize=512)
def _workers(known: str) -> frozenset[str]:
    """Return the people who do the work by what is known, as stems."""
    return frozenset(stem(doer) for doer in _WORKS.findall(known))


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


@cache
def _function_stems() -> frozenset[str]:
    return frozenset(stem(word) for word in FUNCTION_WORDS)
