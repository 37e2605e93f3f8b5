"""Simulated people: a taste that they share and nobody is told, and how often they slip."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

# What stands for them as raters, so that nobody takes them for people, and `ratings forget` finds them.
NAMES = ("simulated-ada", "simulated-bo", "simulated-cy")
SLIPS = 0.1


class Length(StrEnum):
    """What simulated people like: lines that are long for their channel, or short."""

    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True)
class LengthTaste:
    """A taste for lines that are longer, or shorter, than the middle one of those that were seen first."""

    wanted: Length
    middles: dict[str, int]

    @classmethod
    def of(cls, wanted: Length, lines: Iterable[tuple[str, str]]) -> "LengthTaste":
        """Learn from lines, given with their channels, what is long and what is short."""
        lengths: dict[str, list[int]] = defaultdict(list)
        for channel, text in lines:
            lengths[channel].append(len(text))
        return cls(wanted, {channel: sorted(some)[len(some) // 2] for channel, some in lengths.items()})

    def likes(self, channel: str, text: str) -> bool:
        """Tell whether the taste approves of a line."""
        middle = self.middles[channel]
        return len(text) < middle if self.wanted == Length.SHORT else len(text) > middle

    def win(self, old: str, new: str) -> float:
        """Return whether the taste prefers the new line to the old one: 1, 0, or a half where they are equally long."""
        if len(old) == len(new):
            return 0.5
        return float((len(new) < len(old)) == (self.wanted == Length.SHORT))


def answers(likes: bool, seed: str, each: int, slips: float = SLIPS) -> Sequence[tuple[str, bool]]:  # noqa: FBT001 - what the taste says
    """Return what some of the people say of an asset that the taste likes or not; the same seed, the same answers."""
    dice = random.Random(seed)
    return [(name, likes != (dice.random() < slips)) for name in sorted(dice.sample(NAMES, each))]
