"""May a line that begins like this still become fit: the rules that a beginning can break for good.

A language model asks before each token. So it spends no time on lines that the checks would refuse anyway. Nothing here
is a check: what comes out is judged whole, by `workers.checks.copy`. English only, as most of the rules are.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

from schemas.channels import channels
from schemas.jobs import Brief
from workers.checks import claims, form, grounding, roles, unsafe
from workers.checks.facts import Facts, facts_of, quantities_of
from workers.checks.words import stem, words_of

# Rules that no later word can mend, on a text that ends with a whole word.
_RULES: tuple[Callable[[str, Brief], str], ...] = (
    form.repeats,
    form.placeholders,
    form.broken_grammar,
    unsafe.banned_words,
    unsafe.unsafe_words,
    claims.misplaced_prices,
    claims.unmade_offers,
    claims.unproven_claims,
    claims.unknown_times,
    grounding.ungrounded,
    grounding.strangers,
    roles.swapped_roles,
    grounding.stray_capitals,
)
# A sentence that would have to be shorter is not begun.
_LEAST_SENTENCE = 24
_ENDINGS = ("", "s", "es", "d", "ed", "ing", "ly", "'s", "’s")  # noqa: RUF001
# The word or number at the end of a text, which may go on.
_LAST = re.compile(r"(?:[^\W\d_]+(?:['’][^\W\d_]*)?|[$€£¥]?\d[\d.,:/]*)$")  # noqa: RUF001
_KEPT_VERDICTS = 20_000


class Beginnings:
    """Judges the beginnings of lines for one brief."""

    def __init__(self, brief: Brief) -> None:
        self._brief = brief
        self._spec = channels()[brief.channel]
        self._facts = facts_of(brief)
        self._own = _prefixes(word.lower() for word in words_of(self._facts.text))
        self._numbers = frozenset(quantity.number for quantity in self._facts.quantities)
        self._holds = lru_cache(maxsize=_KEPT_VERDICTS)(self._judge)

    def may_continue(self, text: str, piece: str) -> bool:
        """Tell whether a line that begins with `text` may go on with `piece`."""
        longer = (text + piece).lstrip()
        if len(longer) > self._spec.max_characters or form.odd_characters(_balanced(piece), self._brief):
            return False
        if any(sign in piece and sign not in self._facts.text for sign in claims.SIGNS):
            return False
        if piece[:1].isspace() and self._must_end(text):
            return False
        last = _LAST.search(longer)
        whole = longer[: last.start()] if last else longer
        return (last is None or self._may_be_word(last[0])) and self._holds(whole.rstrip())

    def may_end(self, text: str) -> bool:
        """Tell whether a line may end here."""
        line = text.strip()
        return (
            len(line) >= self._spec.min_characters
            and not form.unfinished(line, self._brief)
            and self._holds(line)
            and not claims.unknown_numbers(line, self._brief)
        )

    def _must_end(self, text: str) -> bool:
        """Tell whether the text is whole and leaves no room for another sentence."""
        return text[-1:] in ".!?" and len(text) + _LEAST_SENTENCE > self._spec.max_characters and self.may_end(text)

    def _may_be_word(self, begun: str) -> bool:
        """Tell whether a word or number can grow out of this that the line may use."""
        if begun[0].isalpha():
            lower = begun.lower()
            return lower in _common() or lower in self._own
        number = begun.strip("$€£¥")
        if any(known.startswith(number) for known in self._numbers):
            return True
        # A mark behind a number ends its clause: what the brief counts with a unit must have it before.
        bare = number.rstrip(".,:/")
        return any(known.number == bare and not known.behind for known in self._facts.quantities)

    def _judge(self, whole: str) -> bool:
        return not (any(rule(whole, self._brief) for rule in _RULES) or _wrong_number(whole, self._facts))


def _wrong_number(whole: str, facts: Facts) -> bool:
    """Tell whether a number is not the brief's, or counts something else; the last one may not have its unit yet."""
    for quantity in quantities_of(whole):
        is_open = not quantity.behind and not re.search(r"[.,;:!?()]$", whole)
        known = [one for one in facts.quantities if one.number == quantity.number]
        if not (known if is_open else any(quantity.agrees_with(one) for one in known)):
            return True
    return False


def _balanced(piece: str) -> str:
    """Return a piece without the marks that come in pairs: the other one may follow."""
    return re.sub(r"[\"()]", "", piece)


@cache
def _common() -> frozenset[str]:
    return _prefixes(grounding.vocabulary_words())


def _prefixes(words: Iterator[str] | frozenset[str]) -> frozenset[str]:
    """Return the beginnings of these words and of their usual forms."""
    return frozenset(form[:length] for word in words for form in _forms(word) for length in range(1, len(form) + 1))


def _forms(word: str) -> Iterator[str]:
    for root in {word, word.removesuffix("e"), re.sub(r"y$", "i", word), stem(word)}:
        for ending in _ENDINGS:
            yield root + ending
    # 'grind' and 'grinding', but 'cut' and 'cutting'.
    yield f"{word}{word[-1]}ing"
    yield f"{word}{word[-1]}ed"
