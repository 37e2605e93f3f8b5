"""People who rate: with a taste, at random, against the others, always the same."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.ledger.opinions import Heard, Person, RatedAsset, Said
from schemas.access import DEFAULT_TENANT as TENANT
from schemas.jobs import Job

# Whether a person with a taste approves of a line, for its product.
Taste = Callable[[str, Job], bool]


@dataclass(frozen=True)
class Crowd:
    """How many people of each sort rate, and how often a careful one slips."""

    careful: int = 3
    random: int = 0
    hostile: int = 0
    constant: int = 0
    slips: float = 0.1
    # How many of the careful ones are referees.
    referees: int = 0

    @property
    def referee_people(self) -> frozenset[Person]:
        """Return the referees as the ledger knows people."""
        return frozenset((TENANT, f"careful {number}") for number in range(self.referees))


CROWDS = {
    "careful": Crowd(),
    "careful and random": Crowd(careful=3, random=2),
    "careful and hostile": Crowd(careful=3, hostile=1),
    "random": Crowd(careful=0, random=3),
    "contradictory": Crowd(careful=2, hostile=2, slips=0.0),
    "always the same": Crowd(careful=0, constant=3),
    # Nothing tells a majority that rates to do harm from one with another taste: here the harm may pass.
    "hostile majority": Crowd(careful=1, hostile=2),
    "hostile majority, the careful one a referee": Crowd(careful=1, hostile=2, referees=1),
    "careful, all referees": Crowd(referees=3),
    "careful, one a referee": Crowd(referees=1),
}


@dataclass(frozen=True)
class Rated:
    """A line that was made for a job."""

    job: Job
    text: str


def people_of(crowd: Crowd, dice: random.Random) -> list[tuple[str, Callable[[bool], bool]]]:
    """Return the name of each person, and what they answer about a thing that the taste likes or does not."""
    return [
        (f"{sort} {number}", answer)
        for sort, count, answer in (
            ("careful", crowd.careful, lambda liked: liked != (dice.random() < crowd.slips)),
            ("random", crowd.random, lambda _: dice.random() < 0.5),
            ("hostile", crowd.hostile, lambda liked: not liked),
            ("constant", crowd.constant, lambda _: True),
        )
        for number in range(count)
    ]


def heard_from(lines: Sequence[Rated], crowd: Crowd, taste: Taste, seed: int, each: int = 2) -> Heard:
    """Return what the ledger would have heard: each line rated by `each` people of the crowd."""
    dice = random.Random(seed)
    people = people_of(crowd, dice)
    said = [
        Said(line.job.id, (TENANT, name), None, answer(taste(line.text, line.job)))
        for line in lines
        for name, answer in dice.sample(people, min(each, len(people)))
    ]
    return heard_of(lines, said)


def heard_of(lines: Sequence[Rated], said: Sequence[Said]) -> Heard:
    """Return what the ledger would hold of these lines and ratings."""
    assets: Mapping[str, RatedAsset] = {
        line.job.id: RatedAsset(
            line.job.id, line.job.brief, line.text, line.text.casefold(), hashlib.sha256(line.text.encode()).hexdigest()
        )
        for line in sorted(lines, key=lambda one: one.job.id)
    }
    ordered = sorted(said, key=lambda one: (one.job_id, one.person))
    return Heard(dict(assets), tuple(ordered), (), len(said), 0)
