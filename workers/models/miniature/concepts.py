"""The things that the miniature can draw, and how people ask for them: the list, and the captions made of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from workers.models.miniature.colours import NAMED

IN_ANY_COLOUR = ", in any colour"
# Captions of one picture in one colour. Seen in training; `held_out_captions` uses other sentences.
PLAIN = (
    "{0}",
    "a picture of {0}",
    "{0} on white",
    "{0} illustration",
    "3d icon of {0}",
    "studio product shot of {0}",
    "an ad for {0}",
    "{0}, {1}",
    "{1}, {2}",
    "the perfect {0} for every day",
    "{0} for {1}",
    "{0}, soft studio light, clean background",
    "{0}, {1}, 3d illustration, bright colours",
)
COLOURED = (
    "{colour} {0}",
    "a {colour} {0}",
    "{0} in {colour}",
    "{colour} {0} on white",
    "{colour} {0}, {1}, soft light",
)
HELD_OUT = ("our new {0} in the shop window", "show one {0} with soft light, {1}")


@dataclass(frozen=True)
class Concept:
    """One thing: its picture, its name, other words for it, and what may be done to the picture."""

    code: str
    name: str
    words: tuple[str, ...]
    may_be_mirrored: bool
    may_be_recoloured: bool

    @property
    def every_word(self) -> tuple[str, ...]:
        """Return the name and the other words."""
        return (self.name, *self.words)


@cache
def concepts() -> tuple[Concept, ...]:
    """Return the whole list, in its order."""
    text = resources.files("workers.models.miniature").joinpath("concepts.txt").read_text(encoding="utf-8")
    found = []
    may_be_recoloured = False
    for line in text.splitlines():
        if line.startswith("["):
            may_be_recoloured = line.endswith(f"{IN_ANY_COLOUR}]")
        elif line and not line.startswith("#"):
            found.append(_concept(line, may_be_recoloured=may_be_recoloured))
    return tuple(found)


def _concept(line: str, *, may_be_recoloured: bool) -> Concept:
    code, name, words = (part.strip() for part in line.split("|"))
    return Concept(
        code=code,
        name=name.removeprefix("!"),
        words=tuple(word.strip() for word in words.split(",")),
        may_be_mirrored=not name.startswith("!"),
        may_be_recoloured=may_be_recoloured,
    )


def captions(concept: Concept, colour: str | None = None) -> tuple[str, ...]:
    """Return the captions of a picture; with a colour, every caption names it."""
    chance = random.Random(f"{concept.code} {colour}")
    templates = PLAIN if colour is None else COLOURED
    made = [_filled(template, concept, chance, colour) for template in templates]
    if colour is None:
        made += [with_article(concept.name), *concept.words]
    return tuple(dict.fromkeys(made))


def held_out_captions(concept: Concept) -> tuple[str, ...]:
    """Return captions in sentences that no training has seen."""
    chance = random.Random(f"{concept.code} held out")
    return tuple(_filled(template, concept, chance, None) for template in HELD_OUT)


def _filled(template: str, concept: Concept, chance: random.Random, colour: str | None) -> str:
    words = concept.words if colour is None else _colourless(concept.words)
    name = concept.name if colour is None else _colourless([concept.name, *words])[0]
    # The name stands first about half of the time, the other words share the rest.
    first = name if chance.random() < 0.5 else chance.choice(words)
    others = [word for word in (name, *words) if word != first]
    second, third = chance.sample(others * 2, 2)
    return template.format(first, second, third, colour=colour)


def _colourless(words: Sequence[str]) -> list[str]:
    """Return the words that name no colour, so that no caption names two."""
    return [word for word in words if not set(NAMED).intersection(word.split())]


def with_article(name: str) -> str:
    """Return a name with its article, where it is one thing."""
    if name.endswith("s") and not name.endswith("ss"):
        return name
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def without_colours(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words that are no colours; all of them, if there are only colours."""
    rest = tuple(word for word in words if word not in NAMED)
    return rest or tuple(words)
