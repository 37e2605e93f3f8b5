"""The forward pass that writes candidates: a constant number of seats, each a prompt with rows that continue it.

Whatever sits in the other seats, and whether a seat is empty, a row gets the same numbers in any company: every product
has the same shape, or one of a few numbers of rows that were seen to give the same bits (`counts.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

from workers.models.attention import shared_layers
from workers.models.cache import cache_of, chain, roomy_cache, stack
from workers.models.readings import Reading

# Candidates are ordered in fours (CANDIDATES in copy.py): three leave one row idle.
SEAT_ROWS = 4
# On a processor a pass of 32 rows costs two thirds of one of 64: full batches are a quarter quicker with 64. One pass
# of a graphics card takes more rows for the same time.
SEATS = {"cpu": 16, "cuda": 32}
# Long texts come a few at a time and write hundreds of tokens: half the seats, else most rows are idle.
LONG_ROOM = 128
# Bounds the memory of keys and values: 128 candidates with 320 tokens each; 0.9 GB for the starter in bfloat16.
MAX_CACHED_TOKENS = 128 * 320


@dataclass(frozen=True, order=True)
class Shape:
    """What decides the shape of every product in a pass; orders of one shape run together."""

    prefix: int
    suffix: int
    room: int

    @property
    def prompt(self) -> int:
        """Return the tokens of a prompt with its padding."""
        return self.prefix + self.suffix


class Newest(NamedTuple):
    """The newest token of the row at a place, the age-th that it wrote."""

    place: int
    token: int
    age: int


class Pass(Protocol):
    """One forward pass after the other, for the same seats."""

    seats: int

    @property
    def is_open(self) -> bool:
        """Whether a prompt may take a seat now."""
        ...

    def seat(self, seat: int, reading: Reading) -> None:
        """Give the rows of a seat a prompt to continue."""
        ...

    def forward(self, newest: Sequence[Newest]) -> torch.Tensor:
        """Return the logits of all computed rows, these tokens' at `indices_of` them: (computed rows, vocabulary)."""
        ...

    def indices_of(self, newest: Sequence[Newest]) -> Sequence[int]:
        """Return which of the computed rows is that of each of these tokens, which are of different rows."""
        ...


class SharedPass:
    """A pass whose seats hold their prompt once; a seat that falls empty is taken by the next prompt.

    Idle rows are left out, as far as that leaves one of the `counts` of rows; without any, all rows are computed.
    """

    is_open = True

    def __init__(self, model: Any, shape: Shape, counts: Sequence[int] = ()) -> None:
        self._model = model
        self._shape = shape
        self.seats = _seats(model, shape.prompt + SEAT_ROWS * shape.room, shape.room)
        rows = self.seats * SEAT_ROWS
        # Counts agree with each other: a pass that has none of them keeps to its own.
        self._counts = [count for count in counts if count <= rows] if rows in counts else [rows]
        self._starts = [0] * rows
        self._layers: list[Any] = []
        # Added to the scores. A row that sees nothing yet must not divide by zero, so this is not minus infinity.
        self._hidden = torch.finfo(torch.float32).min
        size = (self.seats, 1, SEAT_ROWS, shape.prompt + shape.room)
        self._mask = torch.full(size, self._hidden, device=model.device)

    def seat(self, seat: int, reading: Reading) -> None:
        """Give the rows of a seat a prompt to continue, whoever sat there before."""
        if not self._layers:
            sizes = (self.seats, SEAT_ROWS, self._shape.prompt, self._shape.room)
            self._layers = list(shared_layers(reading.prefix, sizes))
            self._cache = cache_of(self._layers)
        for layer, prefix, suffix in zip(self._layers, reading.prefix, reading.suffix, strict=True):
            layer.seat(seat, 0, prefix)
            layer.seat(seat, self._shape.prefix, suffix)
        self._mask[seat, :, :, : self._shape.prompt] = torch.where(reading.mask.bool(), 0.0, self._hidden)
        place = seat * SEAT_ROWS
        self._starts[place : place + SEAT_ROWS] = [reading.length] * SEAT_ROWS

    def forward(self, newest: Sequence[Newest]) -> torch.Tensor:
        """Return the logits of the computed rows, of these tokens first: (computed rows, vocabulary)."""
        count = next(count for count in self._counts if count >= len(newest))
        # What fills up writes once more what a row writes anyway.
        filled = [*newest, *[newest[-1]] * (count - len(newest))]
        device = self._model.device
        places, tokens, ages = (torch.tensor(some, device=device) for some in zip(*filled, strict=True))
        self._show(places, ages)
        for layer in self._layers:
            layer.places, layer.ages = places, ages
        positions = torch.tensor([self._starts[one.place] + one.age for one in filled], device=device)
        return _logits(self._model, tokens, positions, self._mask, self._cache)

    def indices_of(self, newest: Sequence[Newest]) -> Sequence[int]:
        """Return which of the computed rows is that of each of these tokens: they come first."""
        return range(len(newest))

    def _show(self, places: torch.Tensor, ages: torch.Tensor) -> None:
        """Let a row see what it wrote itself, not what was written at its place before."""
        rows = torch.zeros(len(self._starts), dtype=ages.dtype, device=ages.device).index_put_((places,), ages)
        is_seen = torch.arange(self._shape.room, device=ages.device) <= rows.view(self.seats, 1, SEAT_ROWS, 1)
        self._mask[..., self._shape.prompt :] = torch.where(is_seen, 0.0, self._hidden)


class PlainPass:
    """A pass for any model: every row has its own copy of the prompt, and all rows begin together."""

    def __init__(self, model: Any, shape: Shape) -> None:
        self._model = model
        self._room = shape.room
        self.seats = _seats(model, SEAT_ROWS * (shape.prompt + shape.room), shape.room)
        self._readings: list[Reading] = []
        self._mask: torch.Tensor | None = None

    @property
    def is_open(self) -> bool:
        """Whether no token was written yet: keys stand at the same place in all rows."""
        return self._mask is None

    def seat(self, seat: int, reading: Reading) -> None:
        """Give the rows of the next seat a prompt to continue."""
        assert seat == len(self._readings)
        self._readings.append(reading)

    def forward(self, newest: Sequence[Newest]) -> torch.Tensor:
        """Return the logits of all rows, idle ones too, which continue the last prompt: (rows, vocabulary)."""
        if self._mask is None:
            self._readings += [self._readings[-1]] * (self.seats - len(self._readings))
            rows = [reading for reading in self._readings for _ in range(SEAT_ROWS)]
            self._cache = roomy_cache(stack([chain([row.prefix, row.suffix]) for row in rows]), self._room)
            self._starts = [row.length for row in rows]
            self._mask = torch.cat([row.mask for row in rows])
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._starts), 1)], 1)
        tokens, ages = [0] * len(self._starts), [0] * len(self._starts)
        for place, token, age in newest:
            tokens[place], ages[place] = token, age
        device = self._model.device
        positions = torch.tensor([start + age for start, age in zip(self._starts, ages, strict=True)], device=device)
        return _logits(self._model, torch.tensor(tokens, device=device), positions, self._mask, self._cache)

    def indices_of(self, newest: Sequence[Newest]) -> Sequence[int]:
        """Return which of the computed rows is that of each of these tokens: all rows are computed."""
        return [one.place for one in newest]


def _seats(model: Any, tokens: int, room: int) -> int:
    """Return how many seats of so many tokens a pass has: fewer where prompts or what is written are long."""
    most = SEATS.get(model.device.type, SEATS["cuda"])
    return max(1, min(most if room < LONG_ROOM else most // 2, MAX_CACHED_TOKENS // tokens))


def _logits(model: Any, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Any) -> torch.Tensor:
    logits: torch.Tensor = model(
        input_ids=tokens[:, None],
        attention_mask=mask,
        position_ids=positions[:, None],
        past_key_values=cache,
        use_cache=True,
    ).logits[:, -1]
    return logits
