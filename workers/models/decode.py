"""The decode loop: each brief is read once, each ask once, then all candidates of all jobs are written together.

A draft depends on its order alone, whatever stands beside it: every forward pass has a shape that follows from the
order, or one that gives the same bits (see `readings.py`, `passes.py` and `counts.py`), and the noise that picks a
token is a hash of seed, step and token. The measurements are in docs/decisions/0005-batch-invariance.md.
"""

import math
import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Protocol

import torch

from workers.models.attention import shares_prompts
from workers.models.counts import counts_of
from workers.models.passes import SEAT_ROWS, Newest, Pass, PlainPass, Shape, SharedPass
from workers.models.prompts import Prompt
from workers.models.readings import Reader, Reading, padded
from workers.models.verifier import Said, Verifier, verified

TOP_K = 40
# Rows differ in how much they may write; attention costs little, so few shapes are worth more than tight ones.
ROOM_BLOCK = 32
# How many tokens a candidate may take back where its guard leaves it no way on.
STEPS_BACK = 8
# Prompts that are looked up together, so that equal ones are read once and new ones in full passes.
READ_AHEAD = 16

# Tokens with their log probabilities, the one to try first in front.
Ranked = Sequence[tuple[int, float]]


class Guard(Protocol):
    """What a line may say, asked token by token; it must answer by the tokens alone."""

    def allows(self, tokens: Sequence[int], token: int) -> bool:
        """Return whether the token, maybe one that ends the line, may follow these."""
        ...


@dataclass(frozen=True)
class Order:
    """What one job wants from the loop: its prompt, and how many candidates of what length.

    A guard picks among the TOP_K likeliest tokens that leave the line at least `least_log_p` likely (nats); where there
    is none, the draft goes some tokens back, and ends unfinished where that does not help.
    While fewer than `wanted` drafts of a seat are accepted (by default, all finished ones are), a row without such a
    draft begins another one, with other noise, up to `tries` in all.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    candidates: int
    max_tokens: int
    temperature: float
    seed: int
    guard: Guard | None = None
    least_log_p: float = -math.inf
    accepts: Callable[["Draft"], bool] | None = None
    wanted: int = 1
    tries: int = 1

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

    `mean_log_p` is the log probability a token; `lowest_log_p` that of the most surprising one. `verified` is what a
    verifier says of it; 0 without one.
    """

    tokens: tuple[int, ...]
    mean_log_p: float
    lowest_log_p: float
    is_finished: bool
    verified: float = 0.0


class _Row:
    """One place for candidates of an order, written one after the other; idle when its last one is enough."""

    def __init__(self, order: Order, candidate: int) -> None:
        self.order = order
        self.drafts: list[Draft] = []
        self.is_accepted = False
        self._candidate = candidate
        self._tries = 0
        self.begin()

    def begin(self) -> None:
        """Begin a candidate with nothing written."""
        self.seed = mixed_seed(self.order.seed, self._candidate + self._tries * self.order.candidates)
        self._tries += 1
        self.is_idle = False
        self.tokens: list[int] = []
        self._log_ps: list[float] = []
        self._heard: list[Said] = []
        # For each token, and the next one: what may still stand in its place.
        self._ways: list[Iterator[tuple[int, float]]] = []
        self._steps_back = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the first candidate of the row."""
        return self._tries == 1

    @property
    def may_begin(self) -> bool:
        """Whether there is reason and leave to begin another candidate."""
        return self.is_idle and not self.is_accepted and self._tries < self.order.tries

    def go_on(self, ranked: Ranked, stops: Collection[int], steps_back: int) -> None:
        """Write the first of the ranked tokens that may follow, or go back to where another way is left."""
        self._ways.append(iter(ranked))
        while (step := self._step()) is None:
            self._ways.pop()
            self._steps_back += 1
            if not self.tokens or self._steps_back > steps_back:
                return self._end(is_finished=False)
            self.tokens.pop()
            self._log_ps.pop()
        token, log_p = step
        self._log_ps.append(log_p)
        if token in stops:
            return self._end(is_finished=True)
        self.tokens.append(token)
        if len(self.tokens) >= self.order.max_tokens:
            self._end(is_finished=False)
        return None

    def hear(self, said: Said) -> None:
        """Keep what a verifier says of the newest token; of tokens that were taken back nothing is kept."""
        del self._heard[len(self.tokens) - 1 :]
        self._heard.append(said)

    def _step(self) -> tuple[int, float] | None:
        """Return the next token that may follow what is written, with its log probability; nothing at a dead end."""
        least = max(self.order.least_log_p - sum(self._log_ps), -sys.float_info.max)
        guard = self.order.guard
        possible = (pair for pair in self._ways[-1] if pair[1] >= least)
        return next((pair for pair in possible if guard is None or guard.allows(self.tokens, pair[0])), None)

    def _end(self, *, is_finished: bool) -> None:
        log_ps = self._log_ps or [0.0]
        mean, lowest = sum(log_ps) / len(log_ps), min(log_ps)
        said = verified(self._heard[: len(self.tokens)])
        draft = Draft(tuple(self.tokens), mean, lowest, is_finished, said)
        self.drafts.append(draft)
        self.is_accepted = is_finished and (self.order.accepts is None or self.order.accepts(draft))
        self.is_idle = True


@dataclass(frozen=True)
class _Party:
    """Rows of one order that share a seat, and their prompt. What they do follows from their own drafts alone."""

    reading: Reading
    rows: list[_Row]

    def places(self) -> list[_Row | None]:
        """Return the rows at their places; an idle one leaves its place empty."""
        return [*(None if row.is_idle else row for row in self.rows), *[None] * (SEAT_ROWS - len(self.rows))]

    def renew(self) -> list[_Row]:
        """Begin anew what may still bring something, and drop further candidates once there is enough.

        Returns the rows that begin.
        """
        if sum(row.is_accepted for row in self.rows) < self.rows[0].order.wanted:
            begun = [row for row in self.rows if row.may_begin]
            for row in begun:
                row.begin()
            return begun
        for row in self.rows:
            row.is_idle = row.is_idle or not row.is_first
        return []


class Decoder:
    """Writes candidates with one causal language model; keeps what it read between calls, which changes no draft."""

    def __init__(
        self,
        model: Any,
        stops: Sequence[int],
        bans: Sequence[int],
        newlines: Sequence[int],
        verifier: Verifier | None = None,
    ) -> None:
        self._model = model
        self._listener = verifier.listen(model) if verifier else None
        self._reader = Reader(model)
        self._shares_prompts = shares_prompts(model)
        size = model.config.get_text_config().vocab_size
        self.stops = frozenset((*stops, *newlines))
        self._bans = self._ids(size, bans)
        # The first token is neither the end nor an empty line.
        self._first_bans = self._ids(size, [*bans, *stops, *newlines])

    def _ids(self, size: int, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor(sorted({i for i in ids if i < size}), dtype=torch.long, device=self._model.device)

    @cached_property
    def _counts(self) -> Sequence[int]:
        return counts_of(self._model, self._listener)

    def _pass(self, shape: Shape) -> Pass:
        return SharedPass(self._model, shape, self._counts) if self._shares_prompts else PlainPass(self._model, shape)

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
        return [[draft for row in some for draft in row.drafts] for some in rows]

    def _write_alike(self, shape: Shape, jobs: Sequence[list[_Row]]) -> None:
        """Write rows of one shape: the waiting take the seats of those that are done."""
        # The longest come first, so that few are left to be written when nobody waits.
        waiting = self._parties(sorted(jobs, key=lambda rows: -rows[0].order.max_tokens))
        for first in waiting:
            queue = chain([first], waiting)
            current = self._pass(shape)
            rows: list[_Row | None] = [None] * (current.seats * SEAT_ROWS)
            seated: dict[int, _Party] = {}
            self._fill(current, rows, seated, queue)
            while any(rows):
                live = [(place, row) for place, row in enumerate(rows) if row]
                newest = [Newest(place, row.tokens[-1], len(row.tokens) - 1) for place, row in live]
                logits, indices = current.forward(newest), current.indices_of(newest)
                steps_back = STEPS_BACK if current.is_open else 0
                self._hear([row for _, row in live], indices)
                self._advance([row for _, row in live], logits, indices, self._bans, steps_back)
                if current.is_open:
                    self._fill(current, rows, seated, queue)
                else:
                    rows = [None if row is None or row.is_idle else row for row in rows]

    def _hear(self, rows: Sequence[_Row], indices: Sequence[int]) -> None:
        if self._listener:
            said = self._listener.newest()
            for row, index in zip(rows, indices, strict=True):
                row.hear(said[index])

    def _parties(self, jobs: Sequence[list[_Row]]) -> Iterator[_Party]:
        """Yield what fits a seat each, as late as it is asked for."""
        for start in range(0, len(jobs), READ_AHEAD):
            some = jobs[start : start + READ_AHEAD]
            readings = self._reader.read([rows[0].order.prompt for rows in some])
            for reading, rows in zip(readings, some, strict=True):
                for place in range(0, len(rows), SEAT_ROWS):
                    yield _Party(reading, rows[place : place + SEAT_ROWS])

    def _fill(
        self, current: Pass, rows: list[_Row | None], seated: dict[int, _Party], waiting: Iterator[_Party]
    ) -> None:
        """Let rows begin anew where they sit; give empty seats to those that wait."""
        for seat in range(current.seats):
            place = slice(seat * SEAT_ROWS, (seat + 1) * SEAT_ROWS)
            if seat in seated:
                self._begin(seated[seat], seated[seat].renew())
                rows[place] = seated[seat].places()
            while not any(rows[place]) and (party := next(waiting, None)):
                self._begin(party, party.rows)
                rows[place] = party.places()
                if any(rows[place]):
                    current.seat(seat, party.reading)
                    seated[seat] = party

    def _begin(self, party: _Party, rows: Sequence[_Row]) -> None:
        """Write the first tokens of rows; one that ends with it may begin anew."""
        while rows:
            self._advance(rows, party.reading.logits.clone(), [0] * len(rows), self._first_bans, 0)
            rows = party.renew()

    def _advance(
        self,
        rows: Sequence[_Row],
        logits: torch.Tensor,
        indices: Sequence[int],
        bans: torch.Tensor,
        steps_back: int,
    ) -> None:
        """Give every row its next token, by the logits at its index; rows that end here have a draft."""
        for row, ranked in zip(rows, _ranked(rows, logits, indices, bans), strict=True):
            row.go_on(ranked, self.stops, steps_back)


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


def _ranked(rows: Sequence[_Row], logits: torch.Tensor, indices: Sequence[int], bans: torch.Tensor) -> list[Ranked]:
    """Return the likeliest tokens of each row with their log probabilities, in the order of logit plus noise.

    Writes into the logits.
    """
    values, ids, log_ps = likeliest(logits, bans)
    # What is left is small and wants float64: all of it on the CPU.
    values, ids, log_ps = (some.cpu()[list(indices)] for some in (values, ids, log_ps))
    seeds = torch.tensor([row.seed for row in rows])
    steps = torch.tensor([len(row.tokens) for row in rows])
    heat = torch.tensor([row.order.temperature for row in rows], dtype=torch.float64)
    noisy = values.double() / heat[:, None] + gumbel_noise(seeds, steps, ids)
    ranks = noisy.sort(stable=True, dim=-1, descending=True).indices
    ranked = zip(ids.gather(1, ranks).tolist(), log_ps.gather(1, ranks).tolist(), strict=True)
    return [list(zip(some_ids, some_log_ps, strict=True)) for some_ids, some_log_ps in ranked]


def likeliest(logits: torch.Tensor, bans: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, ids and log probabilities of the likeliest tokens of all computed rows: (rows, TOP_K) each.

    Of one row alone torch would sum in parts, one a thread, and so in another order. Writes into the logits.
    """
    logits = logits.float().index_fill_(1, bans, -torch.inf)
    values, ids = torch.topk(logits, min(TOP_K, logits.shape[-1]), dim=-1)
    return values, ids, values - torch.logsumexp(logits, -1, keepdim=True)


def _rows_of(order: Order) -> list[_Row]:
    return [_Row(order, candidate) for candidate in range(order.candidates)]


def _signed(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def _shift(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without copying the sign."""
    shifted: torch.Tensor = (values >> bits) & (2 ** (64 - bits) - 1)
    return shifted
