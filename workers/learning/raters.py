"""How much each person counts: by how well they agree with the others on assets that both judged.

Whoever clicks at random, always the same or always against the others counts next to nothing, and is never turned
around: an enemy teaches nothing, not even the opposite.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.ledger.opinions import Compared, Person, Said
from schemas.learning import RaterRules

MOST_STARS = 5
# Sums differ in their last digits between machines; what follows from a rounded one does not.
DIGITS = 9


@dataclass(frozen=True)
class Vote:
    """How much better or worse than usual one person finds one thing, from -1 to 1."""

    thing: str
    person: Person
    value: float


def votes_of(ratings: Iterable[Said], things: Mapping[str, str]) -> list[Vote]:
    """Return one vote for each person and thing; `things` says which assets are the same thing.

    A yes or no goes before stars. The votes of a person are taken from their own middle, which for few votes is drawn
    to the middle of all: who likes everything says as little as who likes nothing.
    """
    given: dict[tuple[Person, str], list[float]] = defaultdict(list)
    for one in sorted(ratings, key=lambda said: (said.person, said.job_id)):
        given[one.person, things[one.job_id]].append(_answer(one))
    answers = {key: math.fsum(values) / len(values) for key, values in given.items()}
    middle = _mean(answers.values(), 0.5)
    own: dict[Person, list[float]] = defaultdict(list)
    for (person, _), answer in answers.items():
        own[person].append(answer)
    middles = {person: (math.fsum(some) + middle) / (len(some) + 1) for person, some in own.items()}
    return [
        Vote(thing, person, round(max(-1.0, min(1.0, answer - middles[person])), DIGITS))
        for (person, thing), answer in sorted(answers.items())
    ]


def votes_of_pairs(comparisons: Iterable[Compared], things: Mapping[str, str]) -> list[Vote]:
    """Return one vote for each person and pair of things: 1 if the first one in the alphabet is better, -1, or 0."""
    given: dict[tuple[Person, str], list[float]] = defaultdict(list)
    for one in comparisons:
        first, second = sorted((things[one.job_id], things[one.other_job_id]))
        if first != second:
            better = things[one.better_job_id] if one.better_job_id else None
            value = 0.0 if better is None else 1.0 if better == first else -1.0
            given[one.person, pair_name(first, second)].append(value)
    return [Vote(pair, person, math.fsum(some) / len(some)) for (person, pair), some in sorted(given.items())]


def pair_name(first: str, second: str) -> str:
    """Return what a pair of things is known by among the votes."""
    return f"{first}>{second}"


def first_of(name: str) -> str:
    """Return the first thing of a pair; of a thing, itself."""
    return name.partition(">")[0]


def weights_of(votes: Sequence[Vote], rules: RaterRules) -> dict[Person, float]:
    """Return the weight of each person, from 0 to 1.

    A person is compared with the weighted mean of all others, without themselves; that mean depends on the weights, so
    it is done some times over. Of whom nothing is known, something is supposed.
    """
    by_person: dict[Person, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_person[vote.person].append(vote)
    spreads = {person: _spread(some, rules) for person, some in by_person.items()}
    weights = {person: spreads[person] * rules.supposed_agreement**2 for person in by_person}
    for _ in range(rules.rounds):
        sums = _sums(votes, weights)
        found = {
            person: spreads[person] * max(0.0, _agreement(some, weights[person], sums, rules)) ** 2
            for person, some in by_person.items()
        }
        # Half a step at a time: two who contradict each other would both be nobody, then be unknown again, for ever.
        weights = {person: round((weight + found[person]) / 2, DIGITS) for person, weight in weights.items()}
    return {person: weight if weight >= rules.least_weight else 0.0 for person, weight in weights.items()}


def _answer(said: Said) -> float:
    if said.approves is not None:
        return float(said.approves)
    assert said.stars is not None, "a rating says something"
    return (said.stars - 1) / (MOST_STARS - 1)


def _spread(votes: Sequence[Vote], rules: RaterRules) -> float:
    """Return how far a person tells things apart: 1 for a full spread, less for somebody who always says the same."""
    squares = math.fsum(vote.value**2 for vote in votes)
    # A few equal answers in the beginning are no proof, so some that differ are supposed.
    supposed = rules.supposed_count / 2
    return min(
        1.0, math.sqrt((squares + supposed * rules.full_spread**2) / (len(votes) + supposed)) / rules.full_spread
    )


def _sums(votes: Sequence[Vote], weights: Mapping[Person, float]) -> dict[str, tuple[float, float]]:
    """Return the weighted votes and the weights of each thing."""
    parts: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for vote in votes:
        parts[vote.thing].append((weights[vote.person] * vote.value, weights[vote.person]))
    return {thing: (math.fsum(v for v, _ in some), math.fsum(w for _, w in some)) for thing, some in parts.items()}


def _agreement(
    votes: Sequence[Vote], own_weight: float, sums: Mapping[str, tuple[float, float]], rules: RaterRules
) -> float:
    """Return how a person's votes correlate with those of the others, drawn to what is supposed of anybody."""
    pairs = []
    for vote in votes:
        total, weight = sums[vote.thing]
        others = weight - own_weight
        if others > 10**-DIGITS:
            pairs.append((vote.value, (total - own_weight * vote.value) / others))
    mine, theirs = (math.fsum(pair[side] ** 2 for pair in pairs) for side in (0, 1))
    found = math.fsum(a * b for a, b in pairs) / math.sqrt(mine * theirs) if mine * theirs > 10**-DIGITS else 0.0
    return (len(pairs) * found + rules.supposed_count * rules.supposed_agreement) / (len(pairs) + rules.supposed_count)


def _mean(values: Iterable[float], empty: float) -> float:
    some = list(values)
    return math.fsum(some) / len(some) if some else empty
