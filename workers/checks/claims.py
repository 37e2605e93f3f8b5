"""Does a line promise what the brief does not: numbers, offers, superlatives, times, and what it says 'no' to."""

import re

from schemas.jobs import Brief
from workers.checks.facts import Facts, facts_of, quantities_of, stems_of, with_codes
from workers.checks.words import sentences_of, stem, words_of

# Claims that need the brief's own words behind them: law and platforms ask for proof.
_CLAIMS = (
    r"guarantee\w*", r"risk[- ]free", r"miracle\w*", r"cures?", r"heals?", r"proven", r"scientific\w*", r"clinical\w*",
    r"doctors?", r"dermatolog\w*", r"number one", r"no\.? ?1\b", r"#1", r"best[- ]?sell\w*", r"world'?s", r"award\w*",
    r"certified", r"patent\w*", r"exclusive\w*", r"limited", r"unlimited", r"unbeatable", r"unmatched", r"perfect\w*",
    r"ultimate", r"amazing", r"incredible", r"revolution\w*", r"premium", r"luxur\w*", r"top[- ]rated", r"leading",
    r"trusted", r"loved by", r"thousands of", r"millions of", r"eco[- ]?friendly", r"sustainab\w*", r"green\b",
    r"organic", r"vegan", r"natural\w*", r"healthy", r"health\b", r"safe(ly|ty|r|st)?\b", r"non[- ]?toxic", r"cheap\w*",
    r"lowest", r"bargain\w*", r"instant\w*", r"lifetime", r"forever", r"never again", r"always", r"100 ?%", r"pure\b",
    r"most", r"only\b(?! if)", r"exactly", r"everyone", r"all[- ]in[- ]one", r"better", r"best", r"faster", r"fastest",
    r"easier", r"easiest", r"cheaper", r"stronger", r"strongest", r"smarter", r"secret\w*", r"hurry", r"last chance",
    r"act now", r"now or never", r"click here", r"buy now", r"dear\b", r"lose weight", r"rich\b",
)  # fmt: skip
_CLAIM = re.compile(rf"(?i)(?<!\w)(?:{'|'.join(_CLAIMS)})")
_OFFER = re.compile(
    r"(?i)(?<!\w)(free|discount\w*|% ?off|sale|deals?|coupons?|vouchers?|gift\w*|bonus\w*|refunds?|warrant\w*|trials?|"
    r"shipping|deliver\w*|returns?|cash ?back|sav(?:e|es|ing|ings)|half price|cancel\w*|included?|bundle\w*|"
    r"no (?:fees?|contracts?|obligation|commitment))(?!\w)"
)
# What stands with numbers only where the brief has it too.
SIGNS = "$€£¥%"
_TIME_NOUNS = "day|days|night|nights|morning|mornings|evening|evenings|week|weeks|weekend|month|months|year|years"
_TIMES = re.compile(
    rf"(?i)(?<!\w)(?:(?:every|each) (?:other )?(?:single )?(?:{_TIME_NOUNS}|time|hour|minute|second|season|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday)|daily|weekly|monthly|nightly|hourly|yearly|annually|"
    rf"all (?:{_TIME_NOUNS}|season|summer|winter)(?: long)?|24/7|around the clock|anytime|any time|overnight|"
    r"in (?:a|an|one|no|just|under|less than)(?: a| an| one)? (?:seconds?|minutes?|hours?|days?|weeks?|time|moment)|"
    r"(?:seconds|minutes|hours|days|weeks|months|years) (?:away|later|of)|for (?:years|ever|life|good)|"
    r"same[- ]day|next[- ]day|right away|at once|by (?:tomorrow|tonight)|tomorrow|year[- ]round)(?!\w)"
)
# On which side of something: 'before eight', 'over 30'.
_BOUNDS = re.compile(r"(?i)\b(before|after|until|since|under|over|above|below)\s+(\w+)")
_NOT = re.compile(r"(?i)\b(?:not|never|cannot|nor|neither|\w+n['’]t)\b")  # noqa: RUF001
_NONE = re.compile(r"(?i)\b(?:no|without|zero|minus)(?: (?:a|an|the|any|more|extra|added|your))? ([a-z'-]+)")
_FREE_OF = re.compile(r"(?i)\b([a-z]+)-free\b")
# 'No' before these promises nothing of the product.
_HARMLESS_WORDS = (
    "one",
    "need",
    "rush",
    "hurry",
    "matter",
    "wonder",
    "idea",
    "plan",
    "fuss",
    "problem",
    "doubt",
    "guess",
)
_HARMLESS = frozenset(stem(word) for word in (*_HARMLESS_WORDS, "longer", "guessing", "thanks"))
_AMOUNT_WORDS = frozenset(
    {
        "half", "double", "twice", "triple", "dozen", "pair", "couple", "third", "quarter", "several",
    }
)  # fmt: skip
_ONE_OF_TIME = re.compile(
    r"(?i)\bone[- ](?:second|minute|hour|day|night|week|month|year|size|price|charge|click|tap|step)\b"
)


# A currency may stand before its amount.
_BEFORE_A_PRICE = frozenset(
    {
        "", "a", "an", "and", "are", "at", "cost", "costs", "for", "from", "is", "it's", "its", "pay", "then",
        "aud", "cad", "chf", "dkk", "eur", "gbp", "nok", "sek", "usd",
    }
)  # fmt: skip


# Right before an amount: 'from $59', 'from EUR 59'.
_FROM = re.compile(r"(?i)\bfrom\W+(?:[a-z]{3}\W+)?$")
# Behind 'costs' stands a price or the like: 'costs 50 cm wide' and 'costs 10% off' are none.
_COSTS = re.compile(
    r"(?i)\bcosts? (\d(?:[\d.,]*\d)?)(?![\d.,]*\d)"
    r"(?! ?(?:(?-i:[A-Z]{3})\b|euros?|pounds?|dollars?|cents?|pence|p\b|(?:%|percent)(?! off)))"
)
# What is paid for by the day, or for a part only, is no price without that.
_PAID_FOR = re.compile(r"(?i)\b(?:rentals?|hire[ds]?|the price (?:covers|is (?:per|for)))\b")
# What an amount is, where it is not what something costs: '290 GBP is what the packers do'. It may end in 'is the'.
_IS_NO_PRICE = re.compile(r"\W*(?:[A-Z]{3}\W+)?is (?!the(?: price\b|$)|all\b)")


def unknown_numbers(text: str, brief: Brief) -> str:
    """Return numbers that the brief does not hold, or holds with another unit."""
    text, facts = with_codes(text, brief), facts_of(brief)
    wrong = [
        " ".join((quantity.number, *quantity.behind[:1]))
        for quantity in quantities_of(text)
        if not any(quantity.agrees_with(known) for known in facts.quantities)
    ]
    wrong += [word for word in words_of(text.lower()) if word in _AMOUNT_WORDS and stem(word) not in facts.stems]
    wrong += [match[0] for match in _ONE_OF_TIME.finditer(text) if not _said(match[0], facts)]
    wrong += [sign for sign in SIGNS if sign in text and sign not in facts.text]
    return ", ".join(wrong)


def misplaced_prices(text: str, brief: Brief) -> str:
    """Return prices that do not stand like a price, 'runs up to 59 EUR', are none, or lack a 'from' or 'hire'."""
    text, price = with_codes(text, brief), brief.product.price or ""
    is_least, is_paid_for = price.lower().startswith("from "), bool(_PAID_FOR.search(brief.product.description))
    found = []
    for amount in [quantity.number for quantity in quantities_of(price)]:
        for match in re.finditer(rf"([\w'-]*)[\s(]*(?<![\w.,])({re.escape(amount)})(?![\w.,]*\d)", text):
            before, behind = text[: match.start(2)], text[match.end() :]
            is_bare = (is_least and not _FROM.search(before)) or (is_paid_for and not _PAID_FOR.search(text))
            if match[1].lower() not in _BEFORE_A_PRICE or is_bare or _IS_NO_PRICE.match(behind):
                found.append(match[0])
    told = facts_of(brief).text.lower()
    prices = {quantity.number for quantity in quantities_of(price)}
    found += [match[0] for match in _COSTS.finditer(text) if match[1] not in prices and match[0].lower() not in told]
    return ", ".join(found)


def unknown_offers(text: str, brief: Brief) -> str:
    """Return offers that the brief does not make, and offers told without their condition."""
    text, offer = with_codes(text, brief), brief.product.offer
    wrong = unmade_offers(text, brief)
    if wrong or not offer or not _tells(text, offer, brief):
        return wrong
    missing = [word for word in words_of(offer) if len(word) > 3 and stem(word) not in stems_of(text)]
    missing += [q.number for q in quantities_of(offer) if q.number not in {p.number for p in quantities_of(text)}]
    return f"the offer without '{missing[0]}'" if missing else ""


def unmade_offers(text: str, brief: Brief) -> str:
    """Return offers that the brief does not make."""
    facts = facts_of(brief)
    # Who looks for a gift may be told of one.
    looked_for = stems_of(brief.audience.description) & stems_of("gift gifts")
    known = facts.product_stems | looked_for
    wrong = [match[0] for match in _OFFER.finditer(text) if not stems_of(match[0]) <= known]
    wrong += [
        match[0]
        for match in re.finditer(r"(?i)\bfree ([a-z]+)", text)
        if (stem("free"), stem(match[1])) not in facts.neighbours
    ]
    return ", ".join(wrong)


def _tells(text: str, offer: str, brief: Brief) -> bool:
    """Tell whether a line speaks of the offer: it uses a word or number that only the offer has."""
    product = brief.product
    rest = " ".join(part for part in (brief.brand.name, product.name, product.description, product.price) if part)
    special = {m[0].lower() for m in _OFFER.finditer(offer) if not stems_of(m[0]) <= stems_of(rest)}
    numbers = {q.number for q in quantities_of(offer)} - {q.number for q in quantities_of(rest)}
    return bool(
        {stem(word) for mark in special for word in words_of(mark)} & stems_of(text)
        or numbers & {q.number for q in quantities_of(text)}
    )


def unproven_claims(text: str, brief: Brief) -> str:
    """Return superlatives and promises that the brief does not make in the same words."""
    facts = facts_of(brief)
    return ", ".join(
        match[0]
        for match in _CLAIM.finditer(text)
        if not _said(match[0], facts)
        or (_is_ours(match[0], facts) and not text[: match.start()].lower().endswith("our "))
    )


def _is_ours(claim: str, facts: Facts) -> bool:
    """Tell whether the brief claims it of its own things: 'our best-selling lamp' is not the best-selling one."""
    return f"our {claim}".lower() in facts.text.lower()


def unknown_times(text: str, brief: Brief) -> str:
    """Return how often, how fast and how long, where the brief does not say so; and 'before' where it says 'after'."""
    facts = facts_of(brief)
    wrong = [match[0] for match in _TIMES.finditer(text) if not _said(match[0], facts)]
    known = {(match[1].lower(), stem(match[2])) for match in _BOUNDS.finditer(facts.text)}
    bounded = {bound for _, bound in known}
    wrong += [
        match[0]
        for match in _BOUNDS.finditer(text)
        if stem(match[2]) in bounded and (match[1].lower(), stem(match[2])) not in known
    ]
    return ", ".join(wrong)


def unknown_negations(text: str, brief: Brief) -> str:
    """Return what the line denies though the brief does not: 'no caffeine', 'does not leak'."""
    facts = facts_of(brief)
    absent = {stem(m[1]) for m in _NONE.finditer(facts.text)} | {stem(m[1]) for m in _FREE_OF.finditer(facts.text)}
    denied = [m for pattern in (_NONE, _FREE_OF) for m in pattern.finditer(text)]
    wrong = [m[0] for m in denied if stem(m[1]) not in absent | _HARMLESS]
    if not _NOT.search(facts.text):
        for sentence in sentences_of(text):
            own = stems_of(sentence) & facts.product_stems
            match = _NOT.search(sentence)
            if match and own and not sentence.endswith("?"):
                wrong.append(match[0])
    return ", ".join(wrong)


def _said(phrase: str, facts: Facts) -> bool:
    """Tell whether the brief has the phrase, in any form of its words."""
    return " ".join(map(stem, words_of(phrase))) in " ".join(map(stem, words_of(facts.text))) and (
        not re.search(r"\d", phrase) or phrase.lower() in facts.text.lower()
    )
