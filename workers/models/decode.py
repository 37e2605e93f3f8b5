"""The decode loop: each brief is read once, each ask once, then all candidates of all jobs are written together.

A draft depends on its order alone, whatever stands beside it: every forward pass has a shape that follows from the
order (one prefix; SUFFIX_ROWS asks; as many candidates as a pass takes, idle ones among them), padding comes in whole
blocks, and the noise that picks a token is a hash of seed, step and token. The measurements are in
docs/decisions/0005-batch-invariance.md.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from workers.models.cache import Layers, layers_of, roomy_cache, row_of, stack

PREFIX_BLOCK = 64
SUFFIX_BLOCK = 32
SUFFIX_ROWS = 4
TOP_K = 40
# Bounds the memory of keys and values: 128 candidates with 320 tokens each; 0.9 GB for the starter.
MAX_CACHED_TOKENS = 128 * 320


@dataclass(frozen=True)
class Order:
    """What one job wants from the loop: its prompt, and how many candidates of what length."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    candidates: int
    max_tokens: int
    temperature: float
    seed: int


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
    """One candidate while it is being written; `order` and `candidate` say where it belongs."""

    order: int
    candidate: int
    seed: int
    temperature: float
    max_tokens: int
    tokens: list[int]
    log_p: float = 0.0
    lowest_log_p: float = 0.0

    def draft(self, *, is_finished: bool) -> Draft:
        length = len(self.tokens) + int(is_finished)
        return Draft(tuple(self.tokens), self.log_p / max(length, 1), self.lowest_log_p, is_finished)


@dataclass
class _Chunk:
    """As many candidates as one forward pass takes; rows that are None are idle."""

    rows: list[_Row | None]
    cache: DynamicCache
    mask: torch.Tensor
    logits: torch.Tensor


class Decoder:
    """Writes candidates with one causal language model; holds no state between calls."""

    def __init__(self, model: Any, stops: Sequence[int], bans: Sequence[int], newlines: Sequence[int]) -> None:
        self._model = model
        self._device = model.device
        # One pass of a graphics card takes more rows for the same time.
        self._rows_per_pass = 64 if self._device.type == "cpu" else 128
        size = model.config.get_text_config().vocab_size
        self._stops = self._flags(size, [*stops, *newlines])
        self._bans = self._flags(size, bans)
        # The first token is neither the end nor an empty line.
        self._first_bans = self._flags(size, [*bans, *stops, *newlines])

    def _flags(self, size: int, ids: Sequence[int]) -> torch.Tensor:
        flags = torch.zeros(size, dtype=torch.bool)
        flags[[i for i in ids if i < size]] = True
        return flags.to(self._device)

    @torch.inference_mode()
    def write(self, orders: Sequence[Order]) -> list[list[Draft]]:
        """Return the drafts of each order, in the order of the orders."""
        drafts: list[list[Draft | None]] = [[None] * order.candidates for order in orders]
        for indexes in self._slices(orders):
            chunks = self._prefill(orders, indexes)
            step = 0
            while chunks:
                self._pick_tokens(chunks, step, drafts)
                chunks = self._merge(chunks)
                for chunk in chunks:
                    self._forward(chunk)
                step += 1
        return [[draft for draft in row if draft] for row in drafts]

    def _slices(self, orders: Sequence[Order]) -> Iterator[list[int]]:
        """Yield indexes of orders that run together: padded alike, and not more than the memory bound."""
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, order in enumerate(orders):
            groups[_padded(order)].append(index)
        for (prefix, suffix), indexes in sorted(groups.items()):
            taken: list[int] = []
            cached = 0
            for index in indexes:
                order = orders[index]
                tokens = order.candidates * (prefix + suffix + order.max_tokens)
                if taken and cached + tokens > MAX_CACHED_TOKENS:
                    yield taken
                    taken, cached = [], 0
                taken.append(index)
                cached += tokens
            yield taken

    def _prefill(self, orders: Sequence[Order], indexes: list[int]) -> list[_Chunk]:
        """Read the prompts and fork them into candidates."""
        prefix_length, suffix_length = _padded(orders[indexes[0]])
        prefixes: dict[tuple[int, ...], Layers] = {}
        for index in indexes:
            prefix = orders[index].prefix
            if prefix not in prefixes:
                prefixes[prefix] = self._read_prefix(prefix, prefix_length)
        read: list[tuple[Layers, torch.Tensor]] = []
        for start in range(0, len(indexes), SUFFIX_ROWS):
            some = [orders[index] for index in indexes[start : start + SUFFIX_ROWS]]
            read += self._read_suffixes(some, prefixes, prefix_length, suffix_length)
        rows = [(place, row) for place, index in enumerate(indexes) for row in _rows_of(index, orders[index])]
        masks = [self._prompt_mask(orders[index], prefix_length, suffix_length) for index in indexes]
        size = self._rows_per_pass
        return [self._fork(rows[start : start + size], read, masks) for start in range(0, len(rows), size)]

    def _read_prefix(self, prefix: tuple[int, ...], length: int) -> Layers:
        ids, mask = self._pad([prefix], length)
        cache = DynamicCache()
        self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return layers_of(cache)

    def _read_suffixes(
        self,
        orders: list[Order],
        prefixes: dict[tuple[int, ...], Layers],
        prefix_length: int,
        suffix_length: int,
    ) -> list[tuple[Layers, torch.Tensor]]:
        filled = orders + [orders[-1]] * (SUFFIX_ROWS - len(orders))
        ids, mask = self._pad([order.suffix for order in filled], suffix_length)
        _, before = self._pad([order.prefix for order in filled], prefix_length)
        mask = torch.cat([before, mask], 1)
        cache = DynamicCache(stack([prefixes[order.prefix] for order in filled]))
        logits = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask)[:, prefix_length:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return [(row_of(cache, i), logits[i : i + 1]) for i in range(len(orders))]

    def _fork(
        self, rows: list[tuple[int, _Row]], read: list[tuple[Layers, torch.Tensor]], masks: list[torch.Tensor]
    ) -> _Chunk:
        places = [place for place, _ in rows]
        room = max(row.max_tokens for _, row in rows)
        places += [places[-1]] * (self._rows_per_pass - len(places))
        return _Chunk(
            rows=[row for _, row in rows] + [None] * (self._rows_per_pass - len(rows)),
            cache=roomy_cache(stack([read[place][0] for place in places]), room),
            mask=torch.cat([masks[place] for place in places]),
            logits=torch.cat([read[place][1] for place in places]),
        )

    def _pick_tokens(self, chunks: list[_Chunk], step: int, drafts: list[list[Draft | None]]) -> None:
        """Give every row its next token; rows that end here become drafts and leave idle places behind."""
        for chunk in chunks:
            tokens, log_ps = self._sample(chunk, step)
            for i, row in enumerate(chunk.rows):
                if row is None:
                    continue
                token = int(tokens[i])
                row.log_p += float(log_ps[i])
                row.lowest_log_p = min(row.lowest_log_p, float(log_ps[i]))
                is_finished = bool(self._stops[token])
                if not is_finished:
                    row.tokens.append(token)
                if is_finished or len(row.tokens) >= row.max_tokens:
                    drafts[row.order][row.candidate] = row.draft(is_finished=is_finished)
                    chunk.rows[i] = None
            chunk.mask = torch.cat([chunk.mask, chunk.mask.new_ones(len(chunk.rows), 1)], 1)
            chunk.logits = tokens

    def _sample(self, chunk: _Chunk, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the next token of each row and its log probability: top-k, then the largest of logit plus noise."""
        bans = self._bans if step else self._first_bans
        logits = chunk.logits.float().masked_fill(bans, -torch.inf)
        values, ids = torch.topk(logits, min(TOP_K, logits.shape[-1]), dim=-1)
        seeds = torch.tensor([row.seed if row else 0 for row in chunk.rows], device=self._device)
        temperatures = [row.temperature if row else 1.0 for row in chunk.rows]
        heat = torch.tensor(temperatures, device=self._device, dtype=torch.float64)
        noisy = values.double() / heat[:, None] + gumbel_noise(seeds, step, ids)
        best = noisy.argmax(-1, keepdim=True)
        log_ps = values.gather(1, best)[:, 0] - torch.logsumexp(logits, -1)
        return ids.gather(1, best)[:, 0], log_ps

    def _forward(self, chunk: _Chunk) -> None:
        chunk.logits = self._model(
            input_ids=chunk.logits[:, None],
            attention_mask=chunk.mask,
            position_ids=_positions(chunk.mask)[:, -1:],
            past_key_values=chunk.cache,
            use_cache=True,
        ).logits[:, -1]

    def _merge(self, chunks: list[_Chunk]) -> list[_Chunk]:
        """Drop what is finished: when the living rows fit into fewer chunks, move them together."""
        size = self._rows_per_pass
        living = [(chunk, i) for chunk in chunks for i, row in enumerate(chunk.rows) if row]
        wanted = -(-len(living) // size)
        if wanted == len(chunks) or not living:
            return chunks if living else []
        merged = []
        for start in range(0, len(living), size):
            part = living[start : start + size]
            idle = size - len(part)
            filled = part + [part[-1]] * idle
            merged.append(
                _Chunk(
                    rows=[chunk.rows[i] for chunk, i in part] + [None] * idle,
                    cache=roomy_cache(
                        stack([row_of(chunk.cache, i) for chunk, i in filled]),
                        max(_room(chunk.rows[i]) for chunk, i in part),
                    ),
                    mask=torch.stack([chunk.mask[i] for chunk, i in filled]),
                    logits=torch.stack([chunk.logits[i] for chunk, i in filled]),
                )
            )
        return merged

    def _prompt_mask(self, order: Order, prefix_length: int, suffix_length: int) -> torch.Tensor:
        _, before = self._pad([order.prefix], prefix_length)
        _, after = self._pad([order.suffix], suffix_length)
        return torch.cat([before, after], 1)

    def _pad(self, lists: Sequence[tuple[int, ...]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and attention mask, filled up on the left."""
        ids = torch.zeros(len(lists), length, dtype=torch.long)
        mask = torch.zeros(len(lists), length, dtype=torch.long)
        for i, tokens in enumerate(lists):
            ids[i, length - len(tokens) :] = torch.tensor(tokens, dtype=torch.long)
            mask[i, length - len(tokens) :] = 1
        return ids.to(self._device), mask.to(self._device)


def gumbel_noise(seeds: torch.Tensor, step: int, ids: torch.Tensor) -> torch.Tensor:
    """Return Gumbel noise for each (row, token): a hash of seed, step and token, so no generator has a state."""
    mixed = seeds[:, None] + ids * _signed(0x9E3779B97F4A7C15) + _signed(step * 0xD1B54A32D192ED03)
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


def _signed(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def _shift(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Shift right without copying the sign."""
    shifted: torch.Tensor = (values >> bits) & (2 ** (64 - bits) - 1)
    return shifted


def _padded(order: Order) -> tuple[int, int]:
    prefix = max(1, -(-len(order.prefix) // PREFIX_BLOCK)) * PREFIX_BLOCK
    return prefix, max(1, -(-len(order.suffix) // SUFFIX_BLOCK)) * SUFFIX_BLOCK


def _rows_of(index: int, order: Order) -> list[_Row]:
    return [
        _Row(index, candidate, mixed_seed(order.seed, candidate), order.temperature, order.max_tokens, [])
        for candidate in range(order.candidates)
    ]


def _positions(mask: torch.Tensor) -> torch.Tensor:
    positions: torch.Tensor = (mask.cumsum(1) - 1).clamp(min=0)
    return positions


def _room(row: _Row | None) -> int:
    """Return how many tokens a row may still take."""
    return row.max_tokens - len(row.tokens) + 1 if row else 0
