"""Lines in the brief's own words, for what a small model does not write well: its sentences, price and offer, named.

Extractive writing, as of a summary that picks sentences: what a brand says of its product is true and reads well.
Nothing is put together that the brief does not put together. Each line says what it is about, since its reader sees
nothing else. English only. What is taken and what is left out was read off some 1800 lines that readers judged
(docs/decisions/0004-copy-quality.md).
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from schemas.campaigns import Product
from schemas.channels import Shape, channels
from schemas.jobs import Brief
from workers.checks.copy import check, repair
from workers.checks.facts import with_signs
from workers.checks.words import sentences_of, words_of

# What a clause of its own begins with: an article, a number, somebody.
_SUBJECT = (
    r"(?:the|a|an|our|your|each|every|all|both|most|no|nobody|nothing|you|we|there(?:['’]s| is| are)|"  # noqa: RUF001
    r"one|two|three|four|five|six|seven|eight|nine|ten|twelve|\d[\d.,]*)(?![\w-])"
)
# Between two clauses: what stands before may stand alone. What stands behind often leaves out its reason.
_BREAK = re.compile(
    r"(?i)(?:,\s+(?:and|so|but)\s+|\s+so\s+|;\s+(?:and\s+)?|"
    rf",?\s+(?:because|which is why|which means(?: that)?|so that)\s+)(?={_SUBJECT})|\s+and\s+(?=(?:you|we)(?![\w-]))"
)
_FRONT = re.compile(r"(?i)(?:because|since|as|for|in|on|at|with|after|before|when|once|while|if)\b")
# 'It is blown from recycled glass': what is said of the product, without it.
_SAID_OF_IT = re.compile(r"(?i)(?:(?:is|are)\s+(?=\w+(?:ed|en|wn|un|ht|de|lt)\s)|(?=[a-z]+[^s\W]s\s))")
# An aside at the end, which a headline may leave out.
_ASIDE = re.compile(r"(?i),\s+(?:with|which|plus|including|from)\b[^,]*$")
# Sentences that go on from another one, or point at what the line does not hold.
_GOING_ON = re.compile(
    r"(?i)(?:and|but|so|or|then|also|else|otherwise|instead|either|neither|afterwards|here|there|that|those|these|"
    r"which|what|inside|second|they|their|a (?:second|third|fourth|fifth)|"
    r"(?:each|both|most|all|one|ours) (?:can|has|have|is|are|of)|(?:the |an)other (?:has|have|is|are|one|comes?)|"
    r"after (?:that|this)\b|"
    r"[^.!?]*(?:\b(?:than|past|like) (?:that|this)\b|"
    r"\balso\b|\bthen\b|\binstead\b(?! of)|\bthat (?:much|many)\b|\bthem\b|\bsuch\b|[:?]))"
)
# What a brand must say somewhere and nobody says in an advertisement: what is not in the price, does not work, is
# not for everybody, or how it is to be kept.
_CAVEAT = re.compile(
    r"(?i)\b(?:not|cannot|excluded|except(?:ed)?|separately|extra|unless|allerg\w*|contains?|beware|faulty|only|"
    r"at (?:least|most)|have to|(?<!nobody )has to|ask (?:an?|us|your)|too (?!much\b)\w+|mind your|fewer than|you need|"
    r"must|should|needed|required|please|skip it|keep it|store|protected|by law)\b|"
    r"n['’]t\b"  # noqa: RUF001
)
# 'Use it once a week', 'Choose from 30, 38 or 46 cm': what to do with it says nothing of what it is good for.
_INSTRUCTION = re.compile(
    r"(?i)(?!(?:after|as|because|before|but|fill|heat|if|on|once|since|so|then|turn|until|when|where|while|with)\b)"
    r"[a-z]+ (?:it|them)\b|"
    r"(?:add|allow|apply|bring your|choose|dust|expect|give|keep|leave|measure|pour|put|rinse|take|tell|use|"
    r"(?:(?:hand|machine) )?wash)\b"
)
# A description says first what matters most, and each line costs a millisecond of checks.
_MOST_SENTENCES = 12
_LEAST_WORDS = 3
# Of named texts of twelve words and more readers found 79 % fit, of shorter ones 62 %, below eight 37 %; of the first
# two sentences 80 %, of later ones 60 %.
_LEAST_OF_A_TEXT = 8
_TELLS_ENOUGH = 12
_FIRST_SENTENCES = 2
_SHORTEST_NAME = 3
_KEPT = 512


def own_words_of(brief: Brief, turn: int = 0) -> tuple[str, ...]:
    """Return the lines in the brief's own words that pass every check, mended as a finished line is.

    What readers like most comes first, and of equals the one whose turn it is. None for long texts, which would be the
    description again, and for other languages.
    """
    return tuple(line for equals in _in_ranks(brief) for line in _turned(equals, turn))


@lru_cache(maxsize=_KEPT)
def _in_ranks(brief: Brief) -> tuple[tuple[str, ...], ...]:
    spec = channels()[brief.channel]
    if spec.shape is Shape.LONG or not brief.locale.startswith("en"):
        return ()
    fit: dict[str, int] = {}
    for line, rank in _headlines(brief) if spec.headline else _texts(brief.product):
        # With the sign of a currency, unless a check holds that against it.
        for form in dict.fromkeys((with_signs(line), line)):
            mended = repair(form, brief)
            if len(form) <= spec.max_characters and all(one.passed for one in check(mended, brief)):
                fit.setdefault(mended, rank)
                break
    return tuple(tuple(line for line, of in fit.items() if of == rank) for rank in sorted(set(fit.values())))


def _turned(lines: tuple[str, ...], turn: int) -> tuple[str, ...]:
    start = turn % len(lines)
    return *lines[start:], *lines[:start]


def _headlines(brief: Brief) -> Iterator[tuple[str, int]]:
    """Yield headlines with their rank: what is put together of names, price and offer before what was a sentence."""
    product, brand = brief.product, brief.brand.name
    price = product.price or ""
    if price:
        yield f"{product.name}, {price}", 0
        # 'For from £720' and 'for €59 for 90 days' are nothing that anybody says.
        if not price.lower().startswith("from ") and " for " not in price:
            yield f"{product.name} for {price}", 0
    if product.offer:
        yield f"{product.name}: {product.offer}", 0
    # 'Mooring Travel Mug from Mooring Coffee' says one thing twice.
    if not _shares_a_word(product.name, brand):
        if price:
            yield f"{product.name} from {brand}: {price}", 0
        # Above such a headline stands the brand's name already.
        rank = 2 if brief.channel == "meta.headline" else 0
        yield f"{product.name} from {brand}", rank
        yield f"{brand}: {product.name}", rank
    yield product.name, 0
    for sentence in _sentences(product):
        clauses = _clauses(sentence)
        for clause in dict.fromkeys((*clauses, *(_ASIDE.sub("", one) for one in clauses))):
            if not _is_left_out(clause):
                said = _said_of(clause, product)
                yield f"{product.name}: {said}" if said else named(clause, product), 1


def _texts(product: Product) -> Iterator[tuple[str, int]]:
    """Yield sentences, two in a row, and what stands before a joint, each named; and with the offer behind.

    A description says first what matters, and short sentences leave more to be asked.
    """
    sentences = _sentences(product)
    for i, sentence in enumerate(sentences):
        clauses = (f"{clause}." for clause in _clauses(sentence)[1:])
        texts = [] if _is_limited(sentences, i) else [sentence, *clauses]
        if i + 1 < len(sentences) and not _is_limited(sentences, i + 1):
            texts.insert(1, f"{sentence} {sentences[i + 1]}")
        for text in texts:
            if _is_left_out(text) or text.endswith("?") or len(text.split()) < _LEAST_OF_A_TEXT:
                continue
            rank = 0 if i < _FIRST_SENTENCES and len(text.split()) >= _TELLS_ENOUGH else 1
            line = named(text, product)
            yield line, rank
            if product.offer:
                yield f"{line} {_first_upper(product.offer).rstrip('.')}.", rank


def _is_limited(sentences: list[str], i: int) -> bool:
    """Tell whether the next sentence takes something back: 'Fits 31.8 mm bars. Not for carbon ones.'."""
    return i + 1 < len(sentences) and sentences[i + 1].startswith("Not ")


def _is_left_out(text: str) -> bool:
    is_too_little = len(words_of(text)) < _LEAST_WORDS
    is_for_owners = any(_INSTRUCTION.match(sentence) for sentence in sentences_of(text))
    return is_too_little or is_for_owners or bool(_GOING_ON.match(text) or _CAVEAT.search(text))


def _sentences(product: Product) -> list[str]:
    return sentences_of(product.description or "")[:_MOST_SENTENCES]


def named(text: str, product: Product) -> str:
    """Return a text that says what it is about: by itself, or under the product's name."""
    name = product.name
    begins = words_of(re.sub(r"(?i)^(?:an?|the|this) ", "", text))[:2]
    # It is named, or begins with a part of the name: 'Travel mug of steel' is that of the Mooring Travel Mug.
    if _holds_all(words_of(name), sentences_of(text)[0]) or _holds_all(begins, name):
        return text
    # 'The plan covers one call-out' is one of the Hearthkeeper Plan.
    whole = name if name.startswith("The ") else f"The {name}"
    inside = re.sub(rf"(?i)^(?:the|this|our) {re.escape(name.split()[-1])}(?![\w-])", lambda _: whole, text)
    return inside if inside != text else f"{name}: {_first_upper(text)}"


def _shares_a_word(one: str, other: str) -> bool:
    return not {word.lower() for word in words_of(one)}.isdisjoint(word.lower() for word in words_of(other))


def _holds_all(words: list[str], text: str) -> bool:
    held = {word.lower().removesuffix("s") for word in words_of(text)}
    return all(word.lower().removesuffix("s") in held for word in words)


def _clauses(sentence: str) -> list[str]:
    """Return a sentence without its end mark, and its beginnings that stand alone."""
    whole = sentence.rstrip(".! ")
    ends = [found.start() for found in _BREAK.finditer(whole)]
    # Behind a comma comes one of three clauses, or one that another in front belongs to: they are told together.
    is_one = _FRONT.match(whole) or (ends and "," in whole[: ends[0]])
    return [whole] if is_one else [whole, *(whole[:end] for end in ends)]


def _said_of(clause: str, product: Product) -> str:
    """Return what a clause says of the product, without its subject; nothing where it has another."""
    name = "|".join(re.escape(word) for word in product.name.split() if len(word) > _SHORTEST_NAME)
    names = rf"it|{re.escape(product.name)}|this [\w-]+(?: [\w-]+)?|(?:the|our|each)(?: [\w-]+)? ?(?:{name})"
    subject = re.match(rf"(?i)(?:{names})\s+", clause)
    said = _SAID_OF_IT.match(clause, subject.end()) if subject else None
    return clause[said.end() :] if said else ""


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
