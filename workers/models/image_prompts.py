"""What an image model is told: what is seen and how it looks; audience, voice and price cannot be painted."""

import re
from collections.abc import Iterator

from schemas.campaigns import Product
from schemas.jobs import Brief, PictureOrder
from schemas.reasons import reasons

# Text encoders read some 60 words, and weigh the first ones most.
MOST_PHRASES = 5
MOST_WORDS_OF_A_PHRASE = 6
# A word with its hyphens and apostrophes, a number with its unit, or a mark.
_TOKEN = re.compile(
    r"\d[\w.,%]*(?:\s*(?:g|kg|mg|oz|lbs?|ml|cl|l|mm|cm|m|in|inch(?:es)?|ft|hours?|h|min|years?|days?|eur|usd|gbp)\b)?"
    r"|[^\W\d_]+(?:['’-][^\W_]+)*|[^\w\s]",  # noqa: RUF001  the typographic apostrophe is meant
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Between these words stand the things themselves.
_BETWEEN = _words(
    """
    a an the and or but with of for from to in on at by as about into onto over under through than then so not
    nor only just also very more most less least every each all any some both either its this these those your yours
    our my their his her up down out off away again there here why too even still yet never always enough
    are was were be been being has have had do does did can could will would should may might must
    """
)
# What follows one of these, to the end of the clause, tells what happens, or what is not there.
_CLAUSE = _words(
    "that which who whose where when while until before after since because if it they you we i is without no"
)
# Said of a thing, and not seen in a picture of it.
_UNSEEN = _words(
    """
    new best better good great perfect ideal premium quality top finest favourite favorite famous popular special
    unique exclusive free delivery shipping guarantee guaranteed warranty offer deal sale discount price prices value
    cheap affordable online shop store order buy get made make makes making keep keeps give gives bring brings use
    uses used using need needs needed want wants love enjoy feel feels fit fits hold holds last lasts grow grows run
    runs burn burns reach reaches go goes come comes feed feeds take takes work works note notes hint hints taste
    tastes tasting flavour flavours flavor flavors finish aroma smell kind kinds day days night week weeks month months
    year years time times hour hours minute minutes second seconds monday tuesday wednesday thursday friday saturday
    sunday today people everyone life lasting long-lasting easy easily quick quickly simple simply really truly per
    one two three four five six seven eight nine ten twelve twenty thirty forty fifty hundred first
    long wide tall high deep heavy light size sizes litre litres liter liters metre metres meter meters gram grams
    """
)


def prompt_of(brief: Brief, house_look: str) -> str:
    """Return what shall be seen and how it looks; the house look stands in where the brief names none."""
    order = brief.picture or PictureOrder()
    subject = _plain(order.prompt) or subject_of(brief.product)
    look = _plain(order.look) or house_look
    return f"{subject}, {look}" if look else subject


def negative_of(brief: Brief, *, tells_revision: bool = True) -> str:
    """Return what shall not be seen, with what was wrong with the pictures that this one replaces.

    A model that knows nothing but things has no use for words such as 'distorted'.
    """
    asked = [_plain(brief.picture.negative)] if brief.picture else []
    if brief.revision and tells_revision:
        known = (reasons().get(reason) for reason in dict.fromkeys(brief.revision.reasons))
        asked += [reason.avoid for reason in known if reason]
    return ", ".join(filter(None, asked))


def subject_of(product: Product) -> str:
    """Return what a product says is seen, or else its name and the things of its description, in their order."""
    if said := _plain(product.subject or ""):
        return said
    named = set(product.name.lower().split())
    phrases: list[str] = []
    for phrase in _things(product.description):
        is_new = not set(phrase.lower().split()) <= named
        if is_new and phrase.lower() not in (other.lower() for other in phrases):
            phrases.append(phrase)
    return ", ".join([_plain(product.name), *phrases[:MOST_PHRASES]])


def _things(text: str) -> Iterator[str]:
    """Yield the runs of words that may name something visible, each with the words that tell how it looks."""
    run: list[str] = []
    is_thing = True
    for token in [*_TOKEN.findall(text), "."]:
        word = token.lower()
        if word in _CLAUSE:
            is_thing = False
        elif not word[0].isalnum():
            is_thing = True
        if is_thing and word[0].isalpha() and word not in _BETWEEN:
            run.append(token)
            continue
        seen = [one for one in run if one.lower() not in _UNSEEN][-MOST_WORDS_OF_A_PHRASE:]
        # What ends in a participle lost its noun: 'roasted (on Monday)'.
        if seen and not (len(seen[-1]) > 4 and seen[-1].endswith("ed")):
            yield " ".join(seen)
        run = []


def _plain(text: str) -> str:
    return " ".join(text.split())
