"""The decode loop: each brief is read once, each ask once, then all candidates of all jobs are written together.

A draft depends on its order alone, whatever stands beside it: every forward pass has a shape that follows from the
order (see `readings.py` and `passes.py`), and the noise that picks a token is a hash of seed, step and token. The
measurements are in docs/decisions/0005-batch-invariance.md.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

import torch

from workers.models.attention import shares_prompts
from workers.models.passes import SEAT_ROWS, Pass, PlainPass, Shape, SharedPass
from workers.models.prompts import Prompt
from workers.models.readings import Reader, Reading, padded

TOP_K = 40
# Rows differ in how much they may write; attention costs little, so few shapes are worth more than tight ones.
ROOM_BLOCK = 32
# How often a row begins, with other noise each time, when its guard leaves it no way on. It keeps its place meanwhile.
TRIES = 3
# Prompts that are looked up together, so that equal ones are read once and new ones in full passes.
READ_AHEAD = 16


class Guard(Protocol):
    """What a line may say, asked token by token; it must answer by the tokens alone."""

    def allows(self, tokens: Sequence[int], token: int) -> bool:
        """Return whether the token, maybe one that ends the line, may follow these."""
        ...


@dataclass(frozen=True)
class Order:
    """What one job wants from the loop: its prompt, and how many candidates of what length.

    A guard picks among the TOP_K likeliest tokens; where it allows none of them, the draft ends unfinished.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    candidates: int
    max_tokens: int
    temperature: float
    seed: int
    guard: Guard | None = None

    @property
    def prompt(self) -> Prompt:
        """Return both parts of the prompt."""
        return Prompt(self.prefix, self.suffix)

    @property
    def shape(self) -> Shape:
        """Return the shape of the passes that write this order."""
        room = -(-self.max_tokens // ROOM_BLOCK) * ROOM_BLOCK
        return Shape(*padded(self.prompt), room)


@dataclass(frozen=True)
class Draft:
    """One candidate: its tokens without the end, how likely they are, and whether it came to its end.

    `mean_log_p` is the log probability a token; `lowest_log_p` that of the most surprising one.
    """

    tokens: tuple[int, ...]
    mean_log_p: float
    lowest_log_p: float
    is_finished: bool


@dataclass
class _Row:
    """One candidate while it is being written; `draft` is there when it is."""

    order: Order
    candidate: int
    tries: int = 1
    tokens: list[int] = field(default_factory=list)
    log_p: float = 0.0
    lowest_log_p: float = 0.0
    draft: Draft | None = None

    @property
    def seed(self) -> int:
        """Return the seed of this try."""
        return mixed_seed(self.order.seed, self.candidate + (self.tries - 1) * self.order.candidates)

    def begins_anew(self) -> bool:
        """Forget what was written where it is no line and another try may give one; return whether that is so."""
        is_lost = self.draft is not None and not self.draft.is_finished
        if not is_lost or self.order.guard is None or self.tries >= TRIES:
            return False
        self.tries += 1
        self.tokens, self.log_p, self.lowest_log_p, self.draft = [], 0.0, 0.0, None
        return True

    def add(self, token: int, log_p: float, *, is_end: bool) -> None:
        self.log_p += log_p
        self.lowest_log_p = min(self.lowest_log_p, log_p)
        if not is_end:
            self.tokens.append(token)
        if is_end or len(self.tokens) >= self.order.max_tokens:
            self.end(is_finished=is_end)

    def end(self, *, is_finished: bool) -> None:
        length = len(self.tokens) + int(is_finished)
        self.draft = Draft(tuple(self.tokens), self.log_p / max(length, 1), self.lowest_log_p, is_finished)

    def choice(self, ranked: Sequence[tuple[int, float]]) -> tuple[int, float] | None:
        """Return the first token that may follow, with its log probability; nothing at a dead end."""
        guard = self.order.guard
        possible = (pair for pair in ranked if pair[1] > -math.inf)
        return next((pair for pair in possible if guard is None or guard.allows(self.tokens, pair[0])), None)


# A prompt that was read, and the rows that continue it.
_Party = tuple[Reading, list[_Row]]


class Decoder:
    """Writes candidates with one causal language model; keeps what it read between calls, which changes no draft."""

    def __init__(self, model: Any, stops: Sequence[int], bans: Sequence[int], newlines: Sequence[int]) -> None:
        self._model = model
        self._reader = Reader(model)
        self._pass: Callable[[Any, Shape], Pass] = SharedPass if shares_prompts(model) else PlainPass
        size = model.config.get_text_config().vocab_size
        self.stops = frozenset((*stops, *newlines))
        self._bans = self._ids(size, bans)
        # The first token is neither the end nor an empty line.
        self._first_bans = self._ids(size, [*bans, *stops, *newlines])

    def _ids(self, size: int, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(sorted({i for i in ids if i < size}), dtype=torch.long, device=self._model.device)

    @torch.inference_mode()
    def write(self, orders: Sequence[Order]) -> list[list[Draft]]:
        """Return the drafts of each order, in the order of the orders."""
        rows = [_rows_of(order) for order in orders]
        groups: dict[Shape, list[list[_Row]]] = defaultdict(list)
        for order, some in zip(orders, rows, strict=True):
            groups[order.shape].append(some)
        try:
            for shape, jobs in sorted(groups.items(), key=lambda group: group[0]):
                self._write_alike(shape, jobs)
        except torch.OutOfMemoryError:
            self._reader.forget()
            raise
        return [[row.draft for row in some if row.draft] for some in rows]

    def _write_alike(self, shape: Shape, jobs: Sequence[list[_Row]]) -> None:
        """Write rows of one shape: the waiting take the seats of those that are done."""
        # The longest come first, so that few are left to be written when nobody waits.
        waiting = self._parties(sorted(jobs, key=lambda rows: -rows[0].order.max_tokens))
        for first in waiting:
            queue = chain([first], waiting)
            current = self._pass(self._model, shape)
            rows: list[_Row | None] = [None] * (current.seats * SEAT_ROWS)
            seated: dict[int, _Party] = {}
            self._fill(current, rows, seated, queue)
            while any(rows):
                tokens = [row.tokens[-1] if row else 0 for row in rows]
                ages = [len(row.tokens) - 1 if row else 0 for row in rows]
                self._advance(rows, current.forward(tokens, ages), self._bans)
                rows = [row if row and not row.draft else None for row in rows]
                if current.is_open:
                    self._fill(current, rows, seated, queue)

    def _parties(self, jobs: Sequence[list[_Row]]) -> Iterator[_Party]:
        """Yield what fits a seat each, with the first token of every row, as late as it is asked for."""
        for start in range(0, len(jobs), READ_AHEAD):
            some = jobs[start : start + READ_AHEAD]
            readings = self._reader.read([rows[0].order.prompt for rows in some])
            for reading, rows in zip(readings, some, strict=True):
                for place in range(0, len(rows), SEAT_ROWS):
                    yield reading, rows[place : place + SEAT_ROWS]

    def _fill(
        self, current: Pass, rows: list[_Row | None], seated: dict[int, _Party], waiting: Iterator[_Party]
    ) -> None:
        """Let lost rows begin anew where they sit; give empty seats to those that wait."""
        for seat in range(current.seats):
            place = seat * SEAT_ROWS
            if seat in seated:
                reading, some = seated[seat]
                self._begin(reading, [row for row in some if row.begins_anew()])
                rows[place : place + SEAT_ROWS] = _places(some)
            while not any(rows[place : place + SEAT_ROWS]) and (party := next(waiting, None)):
                reading, some = party
                self._begin(reading, some)
                rows[place : place + SEAT_ROWS] = _places(some)
                if any(rows[place : place + SEAT_ROWS]):
                    current.seat(seat, reading)
                    seated[seat] = party

    def _begin(self, reading: Reading, rows: Sequence[_Row]) -> None:
        """Write the first tokens of rows; one that is lost with it begins anew."""
        while rows:
            self._advance(rows, reading.logits.clone(), self._first_bans)
            rows = [row for row in rows if row.begins_anew()]

    def _advance(self, rows: Sequence[_Row | None], logits: torch.Tensor, bans: torch.Tensor) -> None:
        """Give every row its next token; rows that end here have a draft."""
        for row, ranked in zip(rows, _ranked(rows, logits, bans), strict=True):
            if row is None:
                continue
            chosen = row.choice(ranked)
            if chosen:
                row.add(*chosen, is_end=chosen[0] in self.stops)
            else:
                row.end(is_finished=False)


def gumbel_noise(seeds: torch.Tensor, step: int | torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Return Gumbel noise for each (row, token): a hash of seed, step and token, so no generator has a state.

    The step is one for all rows, or one a row.
    """
    steps = torch.as_tensor(step, device=ids.device).reshape(-1, 1)
    mixed = seeds[:, None] + ids * _signed(0x9E3779B97F4A7C15) + steps * _signed(0xD1B54A32D192ED03)
    mixed = (mixed ^ _shift(mixed, 30)) * _signed(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ _shift(mixed, 27)) * _signed(0x94D049BB133111EB)
    mixed = mixed ^ _shift(mixed, 31)
    uniform = (_shift(mixed, 11).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


def mixed_seed(*parts: int) -> int:
    """Return one signed 64-bit seed from several numbers; close numbers give unrelated seeds."""
    state = 0
    for part in parts:
        state = (state ^ part) * 0x9E3779B97F4A7C15 % 2**64
        state = (state ^ (state >> 32)) * 0xD6E8FEB86659FD93 % 2**64
    return _signed(state ^ (state >> 29))


def _ranked(rows: Sequence[_Row | None], logits: torch.Tensor, bans: torch.Tensor) -> list[list[tuple[int, float]]]:
    """Return the likeliest tokens of each row with their log probabilities, in the order of logit plus noise.

    Writes into the logits. Logits of one row serve all rows.
    """
    logits = logits.float().index_fill_(1, bans, -torch.inf)
    values, ids = torch.topk(logits, min(TOP_K, logits.shape[-1]), dim=-1)
    log_ps = values - torch.logsumexp(logits, -1, keepdim=True)
    # What is left is small and wants float64: all of it on the CPU.
    values, ids, log_ps = (some.cpu().expand(len(rows), -1) for some in (values, ids, log_ps))
    seeds = torch.tensor([row.seed if row else 0 for row in rows])
    steps = torch.tensor([len(row.tokens) if row else 0 for row in rows])
    heat = torch.tensor([row.order.temperature if row else 1.0 for row in rows], dtype=torch.float64)
    noisy = values.double() / heat[:, None] + gumbel_noise(seeds, steps, ids)
    ranks = noisy.sort(stable=True, dim=-1, descending=True).indices
    ranked = zip(ids.gather(1, ranks).tolist(), log_ps.gather(1, ranks).tolist(), strict=True)
    return [list(zip(some_ids, some_log_ps, strict=True)) for some_ids, some_log_ps in ranked]


def _places(some: Sequence[_Row]) -> list[_Row | None]:
    """Return the rows of a seat, each at its place; what is written leaves its place empty."""
    return [*(None if row.draft else row for row in some), *[None] * (SEAT_ROWS - len(some))]


def _rows_of(order: Order) -> list[_Row]:
    return [_Row(order, candidate) for candidate in range(order.candidates)]


def _signed(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def _shift(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without copying the sign."""
    shifted: torch.Tensor = (values >> bits) & (2 ** (64 - bits) - 1)
    return shifted
