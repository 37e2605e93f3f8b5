"""What the networks learn from: whole tunes, sections and halves of sections, and tunes that they never see.

Books share tunes. A tune is held out only if no other one is much like it: else the held-out loss would be too good.
"""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from core.music.pieces import Bar, Piece
from workers.models.music.tokens import Conditions, conditions_of, ids_of, vocabulary_of, words_of
from workers.models.music.tunes import Tune

HELD_OUT = 220
# Tunes that share more of their runs of so many intervals are the same tune in two books.
RUN = 8
MOST_SHARED = 0.35
MOST_TOKENS = 512
# Rows are filled up to a multiple of this, so that there are few shapes: each new one costs memory and time.
PADDING = 16
SEED = 7


@dataclass(frozen=True)
class Examples:
    """Pieces as numbers of words, to learn from and held out, and the words."""

    vocabulary: dict[str, int]
    seen: tuple[tuple[int, ...], ...]
    held_out: tuple[tuple[int, ...], ...]
    held_out_conditions: tuple[Conditions, ...]


def examples_of(tunes: Sequence[Tune], held_out: int = HELD_OUT) -> Examples:
    """Return all examples."""
    apart = held_out_of(tunes, held_out)
    pieces = [(number in apart, piece) for number, tune in enumerate(tunes) for piece in pieces_of(tune)]
    vocabulary = vocabulary_of(piece for is_apart, piece in pieces if not is_apart)
    rows: dict[bool, list[tuple[int, ...]]] = {True: [], False: []}
    conditions = []
    for is_apart, piece in pieces:
        ids = ids_of(words_of(piece), vocabulary)
        if ids and len(ids) <= MOST_TOKENS:
            rows[is_apart].append(tuple(ids))
            if is_apart:
                conditions.append(conditions_of(piece))
    return Examples(vocabulary, tuple(rows[False]), tuple(rows[True]), tuple(conditions))


def pieces_of(tune: Tune) -> list[Piece]:
    """Return the whole tune if it is short enough, its sections, and the second halves of them."""
    whole = tuple(bar for section in tune.sections for bar in section)
    parts = [whole] if 8 <= len(whole) <= 24 and len(tune.sections) > 1 else []
    parts += [a + b for a, b in zip(tune.sections[::2], tune.sections[1::2], strict=False) if _is_pair(whole, a, b)]
    parts += [section for section in tune.sections if 4 <= len(section) <= 16]
    parts += [section[len(section) // 2 :] for section in tune.sections if len(section) in {8, 12, 16}]
    return [Piece(tune.meter, tune.mode, tune.style, part) for part in parts]


def _is_pair(whole: tuple[Bar, ...], first: tuple[Bar, ...], second: tuple[Bar, ...]) -> bool:
    return len(whole) > 24 and 8 <= len(first) + len(second) <= 24


def held_out_of(tunes: Sequence[Tune], count: int) -> set[int]:
    """Return the numbers of tunes to hold out: drawn, without those that resemble another one."""
    runs = [_runs(tune) for tune in tunes]
    homes: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for number, own in enumerate(runs):
        for run in own:
            homes[run].add(number)
    drawn = set(random.Random(SEED).sample(range(len(tunes)), min(count, len(tunes) // 2)))
    return {number for number in drawn if _most_shared(runs[number], homes, drawn) <= MOST_SHARED}


def _runs(tune: Tune) -> set[tuple[int, ...]]:
    pitches = [note.pitch for section in tune.sections for bar in section for note in bar.notes if note.pitch]
    steps = [after - before for before, after in itertools.pairwise(pitches)]
    return {tuple(steps[i : i + RUN]) for i in range(len(steps) - RUN + 1)}


def _most_shared(own: set[tuple[int, ...]], homes: dict[tuple[int, ...], set[int]], drawn: set[int]) -> float:
    """Return the largest part of its runs that a tune shares with one tune that is learnt from."""
    shared = Counter(number for run in own for number in homes[run] if number not in drawn)
    return max(shared.values(), default=0) / max(1, len(own))


def batches_of(rows: Sequence[Sequence[int]], tokens: int, generator: torch.Generator | None) -> list[list[int]]:
    """Return the numbers of rows in batches of about so many tokens, rows of like length together.

    With a generator rows and batches are shuffled; without they come in the order of their length.
    """
    jitter = torch.rand(len(rows), generator=generator) * PADDING if generator else torch.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]) + float(jitter[i]))
    batches: list[list[int]] = [[]]
    longest = 0
    for i in order:
        longest = max(longest, _padded(len(rows[i])))
        if batches[-1] and longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
            longest = _padded(len(rows[i]))
        batches[-1].append(i)
    if generator is None:
        return batches
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def batch_of(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Return rows as one tensor (B, T), filled up with zeros, which are padding."""
    ids = torch.zeros(len(rows), _padded(max(len(row) for row in rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids


def _padded(length: int) -> int:
    return -(-length // PADDING) * PADDING
