"""Is a line well made, whatever it says: length, characters, ending, repeats, real words, its language."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise

from wordfreq import available_languages, zipf_frequency

from schemas.channels import Shape, channels
from schemas.jobs import Brief
from schemas.styles import Style
from workers.checks.facts import facts_of
from workers.checks.grounding import FUNCTION_WORDS
from workers.checks.words import sentences_of, stem, words_of

# Below this a word of English is so rare that it is more likely made up (wordfreq's Zipf scale, 0 to 8).
_RAREST_WORD = 2.5
_RIVALS = ("de", "en", "es", "fr", "it", "nl", "pt")
_LEAST_WORDS_OF_A_LANGUAGE = 3
_CLEARLY_COMMONER = 0.5
_MOST_WORDS_AGAIN = 2
_SHORTEST_BEGINNING = 5
_PLACEHOLDER = re.compile(
    r"(?i)[\[\]{}<>|_\\]|lorem|\bipsum\b|\bxx+\b|https?:|www\.|\S@\S|\b(?:your|our|insert|this|the) (?:brand|product|"
    r"audience|target)\b|\b(?:brand|product|company) name\b|"
    r"^(?:brand|product|about|price|offer|audience|voice|headline)\s*:|"
    r"\b(?:headline|description|characters?|copywriter|caption|subject line)\b\s*:|\bas an ai\b"
)
_ALLOWED = re.compile(r"[^\w\s.,!?;:'’\"“”()&%€$£¥°/+\-–—½¼×#@®™]")  # noqa: RUF001
_DANGLING = frozenset(
    {
        "a", "an", "the", "of", "for", "to", "and", "or", "with", "by", "from", "as", "than", "but", "so",
        "because", "your", "our", "my", "their", "its", "is", "are", "was", "if", "every", "no", "very", "into",
        "onto", "at", "that", "which", "while", "when",
    }
)  # fmt: skip
_NEVER_LAST = frozenset(
    {
        "a", "an", "the", "of", "and", "or", "but", "your", "our", "my", "its", "if", "every", "very", "into",
        "that", "which", "while", "because", "so",
    }
)  # fmt: skip
_BROKEN = re.compile(
    r"(?i)\b(\w+) \1\b|"
    r"\b(?:a|an|the|your|our|its) (?:a|an|the|your|our|its|of|and|or|is|are|to|with|for|from|it|you|we)\b|"
    r"\b(?:of|with|from|for|into) (?:and|or|but|is|are|of)\b|\b(?:and|or) (?:and|or|of)\b|"
    r"\ban? (?:is|are|has|have|can)\b|[,;:] ?[,;:.]|\.\.|…|\b(?:is|are) (?:is|are|has|have|do|does)\b|"
    r"\w- (?!and|or|to)\w"
)
_NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")
_A_PAIR = re.compile(
    r"(?i)\ban? (?:(?!pair|set|box|pack)[\w'-]+ ){0,2}"
    r"(?:binoculars|headphones|earphones|earbuds|glasses|goggles|scissors|pliers|pants|trousers|jeans|shorts|leggings|"
    r"tights|shoes|boots|sneakers|sandals|slippers|socks|gloves|mittens|skis|skates)(?![\w-])"
)
_A_VOWEL = re.compile(
    r"\b[Aa] (?!(?:u[ns]|one|eu|use|usual|uni)\w*)[aeio]\w+|\b[Aa]n (?!(?:ho[nu]r?|heir)\w*)[bcdfgjkpqtvwyz]\w+|"
    r"\b[Aa] (?:[AEFHILMNRSX][A-Z]{1,4}|8|11|18)\b"
)


def wrong_length(text: str, brief: Brief) -> str:
    """Refuse what the channel cuts or rejects, and what is too thin to publish there."""
    spec = channels()[brief.channel]
    if len(text) > spec.max_characters:
        return f"{len(text)} characters, {spec.max_characters} allowed"
    return f"{len(text)} characters, at least {spec.min_characters} wanted" if len(text) < spec.min_characters else ""


def unfinished(text: str, brief: Brief) -> str:
    """Refuse a line that ends in the middle."""
    words = words_of(text)
    if not words:
        return "no words"
    # 'on' and 'for' may end a question; 'the' and 'and' end nothing.
    if words[-1].lower() in _DANGLING and not text.endswith("?") and not re.search(r"[\d%]\W*$", text):
        return f"ends with '{words[-1]}'"
    mark = r"[\w?!%)'\"]$" if channels()[brief.channel].headline else r"[.!?][\"')]?$"
    return "" if re.search(mark, text) else "the last sentence has no end"


def placeholders(text: str, _brief: Brief) -> str:
    """Return what was meant to be filled in, links, addresses, and echoes of the request."""
    return ", ".join(match[0] for match in _PLACEHOLDER.finditer(text))


def odd_characters(text: str, brief: Brief) -> str:
    """Return characters that neither copy nor this brief uses; hashtags and capitals count as such."""
    known = facts_of(brief).text
    odd = [mark for mark in _ALLOWED.findall(text) if mark not in known]
    odd += [mark for mark in "#@" if mark in text and mark not in known]
    odd += [word for word in words_of(text) if len(word) > 3 and word.isupper() and word not in known]
    odd += ["!!"] if text.count("!") > 1 else []
    odd += ['"'] if text.count('"') % 2 or text.count("(") != text.count(")") else []
    return " ".join(odd)


def repeats(text: str, brief: Brief) -> str:
    """Return words and phrases that come again too soon."""
    words = [word.lower() for word in words_of(text)]
    stems = [stem(word) for word in words if len(word) > 3 and word not in FUNCTION_WORDS]
    shape = channels()[brief.channel].shape
    most = {Shape.SHORT: 1, Shape.MEDIUM: _MOST_WORDS_AGAIN, Shape.LONG: 5}[shape]
    again = [word for word, count in Counter(stems).items() if count > most]
    size = 4 if shape is Shape.LONG else 3
    phrases = Counter(zip(*(words[i:] for i in range(size)), strict=False))
    again += [" ".join(phrase) for phrase, count in phrases.items() if count > 1]
    if shape is not Shape.LONG:
        given = Counter(_NUMBER.findall(facts_of(brief).text))
        numbers = Counter(_NUMBER.findall(text))
        again += [number for number, count in numbers.items() if count > max(given[number], 1)]
    return ", ".join([*again, *_said_twice(text, brief), *_named_and_told(text, brief)])


def _named_and_told(text: str, brief: Brief) -> list[str]:
    """Return the product's name with one of its words right behind, or its end before: 'Sea Roast roast'."""
    name = brief.product.name.lower()
    words = [re.escape(word.lower()) for word in words_of(name) if word.lower() not in FUNCTION_WORDS]
    end = re.escape(" ".join(name.split()[-2:]))
    behind = rf"{re.escape(name)} (?:{'|'.join(words)})" if words else r"(?!)"
    found = re.search(rf"(?<!\w)(?:{behind}|{end} (?:of|from|by) (?:the )?{re.escape(name)})(?!\w)", text.lower())
    return [found[0]] if found and " " in end else []


def _said_twice(text: str, brief: Brief) -> list[str]:
    """Return neighbours of which one is the beginning of the other: 'decaffeinated decaf'."""
    brand = {word.lower() for word in words_of(brief.brand.name)}
    found = []
    for clause in re.split(r"[.,;:!?()]", text.lower()):
        words = [word for word in words_of(clause) if word not in FUNCTION_WORDS]
        for left, right in pairwise(words):
            is_begun = left != right and (left.startswith(right) or right.startswith(left))
            if is_begun and min(len(left), len(right)) >= _SHORTEST_BEGINNING and not {left, right} & brand:
                found.append(f"{left} {right}")
    return found


def broken_grammar(text: str, _brief: Brief) -> str:
    """Return what no English sentence has: 'the the', 'a invoice', 'of and', a small letter first."""
    found = [match[0] for pattern in (_BROKEN, _A_VOWEL, _A_PAIR) for match in pattern.finditer(text)]
    for sentence in sentences_of(text):
        words = words_of(sentence)
        if words and sentence.endswith(".") and words[-1].lower() in _NEVER_LAST and not re.search(r"\d\W*$", sentence):
            found.append(f"{words[-1]}.")
    if words_of(text) and text[0].islower():
        found.append(f"starts with '{words_of(text)[0]}'")
    return ", ".join(found)


def unreal_words(text: str, brief: Brief) -> str:
    """Return words that do not exist: in no other text and not in the brief."""
    known = {word.lower() for word in words_of(facts_of(brief).text)}
    return ", ".join(
        word
        for word in words_of(text)
        if word.lower() not in known
        and _zipf(word, "en") < _RAREST_WORD
        and word.lower().removesuffix("'s") not in known
    )


def wrong_language(text: str, brief: Brief) -> str:
    """Refuse a line whose words are commoner in another language; languages without a word list pass."""
    language = brief.locale.partition("-")[0]
    known = {word.lower() for word in words_of(facts_of(brief).text)}
    words = [word for word in words_of(text) if word.lower() not in known]
    if language not in _languages() or len(words) < _LEAST_WORDS_OF_A_LANGUAGE:
        return ""
    means = {name: sum(_zipf(word, name) for word in words) / len(words) for name in {*_RIVALS, language}}
    likeliest = max(means, key=lambda name: means[name])
    return "" if means[language] > means[likeliest] - _CLEARLY_COMMONER else f"reads like '{likeliest}'"


def off_style(text: str, brief: Brief) -> str:
    """Refuse a question without a question mark."""
    return "no question" if brief.style is Style.QUESTION and "?" not in text else ""


@cache
def _languages() -> frozenset[str]:
    """Return the languages with a word list; the library looks into its folder each time it is asked."""
    return frozenset(available_languages())


def _zipf(word: str, language: str) -> float:
    return float(zipf_frequency(word.replace("’", "'"), language))  # noqa: RUF001
