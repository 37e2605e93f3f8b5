"""Write the words that good copy uses whatever it sells, and those that it writes small anywhere.

`python -m workers.models.house.vocabulary`. A word is safe when the seed lines of many briefs of many trades use it
though their brief does not. Words that say something of a product are taken out again: for them the brief is asked.
"""

from collections import Counter, defaultdict
from pathlib import Path

from workers.checks.facts import facts_of
from workers.checks.grounding import VOCABULARY
from workers.checks.words import SMALL_WORDS, stem, words_of
from workers.models.house.lines import SeedBrief, seed_briefs

LEAST_BRIEFS = 4
LEAST_FAMILIES = 3
PROPERTIES = Path(__file__).parent / "properties.txt"


def vocabulary(briefs: list[SeedBrief], properties: set[str]) -> list[str]:
    """Return the words in order, each in its commonest form."""
    used_by: dict[str, set[int]] = defaultdict(set)
    families: dict[str, set[str]] = defaultdict(set)
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for number, brief in enumerate(briefs):
        known = facts_of(brief.lines[0].brief).stems
        for line in brief.lines:
            for word in words_of(line.text):
                root = stem(word)
                if root not in known:
                    used_by[root].add(number)
                    families[root].add(brief.family)
                    forms[root][word.lower()] += 1
    taken = {stem(word) for word in properties}
    common = [
        root
        for root, numbers in used_by.items()
        if len(numbers) >= LEAST_BRIEFS and len(families[root]) >= LEAST_FAMILIES and root not in taken
    ]
    return sorted(forms[root].most_common(1)[0][0] for root in common)


def small_words(briefs: list[SeedBrief]) -> list[str]:
    """Return the words that lines write small, in order: common words, no names."""
    return sorted({word for brief in briefs for line in brief.lines for word in words_of(line.text) if word.islower()})


def main() -> None:
    """Write the vocabulary and the small words beside the checks that read them."""
    properties = set(PROPERTIES.read_text(encoding="utf-8").split())
    briefs = seed_briefs()
    for path, words in ((VOCABULARY, vocabulary(briefs, properties)), (SMALL_WORDS, small_words(briefs))):
        path.write_text("\n".join(words) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
