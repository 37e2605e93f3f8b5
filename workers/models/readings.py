"""Prompts, read once: each brief, then the asks that follow it; what was read lately is kept.

Every pass has a shape that follows from the prompt (PREFIX_ROWS briefs; SUFFIX_ROWS asks; padding in whole blocks), so
what is kept is bit for bit what reading again would give.
"""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from workers.models.cache import Layers, layers_of, size_bytes, stack, tail
from workers.models.prompts import Prompt

PREFIX_BLOCK = 64
SUFFIX_BLOCK = 32
SUFFIX_ROWS = 4
# A graphics card reads several briefs in the time of one; a processor does not, and few jobs would pay for all rows.
PREFIX_ROWS = {"cpu": 1, "cuda": 8}
# 220 prompts of the starter in float32 with their briefs: more than three threads hold in full batches at a time.
KEPT_BYTES = 512 * 2**20

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """What was read of a prompt, each tensor with one row: keys and values of its two parts, and what may follow.

    `mask` tells tokens from padding; `length` counts without padding.
    """

    prefix: Layers
    suffix: Layers
    mask: torch.Tensor
    length: int
    logits: torch.Tensor


class Reader:
    """Reads prompts with one model and keeps what it read lately."""

    def __init__(self, model: Any, kept_bytes: int = KEPT_BYTES, prefix_rows: int | None = None) -> None:
        self._model = model
        self._prefix_rows = prefix_rows or PREFIX_ROWS.get(model.device.type, PREFIX_ROWS["cuda"])
        self._limit_bytes = kept_bytes
        self.forget()

    def forget(self) -> None:
        """Let go of all that was read."""
        self._readings: OrderedDict[Prompt, Reading] = OrderedDict()
        self._prefixes: dict[Tokens, Layers] = {}
        # A prefix is kept as long as a prompt that begins with it.
        self._users: Counter[Tokens] = Counter()
        self._kept_bytes = 0

    def read(self, prompts: Sequence[Prompt]) -> list[Reading]:
        """Return what was read of each prompt, now or before; all of them are padded alike."""
        found = {prompt: self._readings[prompt] for prompt in prompts if prompt in self._readings}
        unread = [prompt for prompt in dict.fromkeys(prompts) if prompt not in found]
        known = self._read_prefixes([prompt.prefix for prompt in unread])
        for start in range(0, len(unread), SUFFIX_ROWS):
            found |= self._read_suffixes(unread[start : start + SUFFIX_ROWS], known)
        for prompt, reading in found.items():
            self._keep(prompt, reading)
        return [found[prompt] for prompt in prompts]

    def _read_prefixes(self, prefixes: Sequence[Tokens]) -> dict[Tokens, Layers]:
        found = {prefix: self._prefixes[prefix] for prefix in prefixes if prefix in self._prefixes}
        unread = [prefix for prefix in dict.fromkeys(prefixes) if prefix not in found]
        # Where nothing is padded attention takes another way: such briefs are read beside their like.
        for is_padded in (True, False):
            alike = [prefix for prefix in unread if _is_padded(prefix) == is_padded]
            for start in range(0, len(alike), self._prefix_rows):
                found |= self._read_alike(alike[start : start + self._prefix_rows])
        return found

    def _read_alike(self, prefixes: Sequence[Tokens]) -> dict[Tokens, Layers]:
        filled = [*prefixes, *[prefixes[-1]] * (self._prefix_rows - len(prefixes))]
        ids, mask = self._padded(filled, padded_length(prefixes[0], PREFIX_BLOCK))
        cache = DynamicCache()
        self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=_last(ids),
        )
        layers = layers_of(cache)
        return {prefix: tail(layers, i, 0) for i, prefix in enumerate(prefixes)}

    def _read_suffixes(self, prompts: Sequence[Prompt], prefixes: dict[Tokens, Layers]) -> dict[Prompt, Reading]:
        filled = [*prompts, *[prompts[-1]] * (SUFFIX_ROWS - len(prompts))]
        start, end = padded(prompts[0])
        ids, mask = self._padded([prompt.suffix for prompt in filled], end)
        _, before = self._padded([prompt.prefix for prompt in filled], start)
        mask = torch.cat([before, mask], 1)
        cache = DynamicCache(stack([prefixes[prompt.prefix] for prompt in filled]))
        logits = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=_positions(mask)[:, start:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=_last(ids),
        ).logits[:, -1]
        layers = layers_of(cache)
        return {
            prompt: Reading(
                prefix=prefixes[prompt.prefix],
                suffix=tail(layers, i, start),
                mask=mask[i : i + 1],
                length=len(prompt.prefix) + len(prompt.suffix),
                logits=logits[i : i + 1].clone(),
            )
            for i, prompt in enumerate(prompts)
        }

    def _keep(self, prompt: Prompt, reading: Reading) -> None:
        """Keep a reading as the youngest; the oldest go when there are too many."""
        if prompt not in self._readings:
            self._readings[prompt] = reading
            self._kept_bytes += _own_bytes(reading)
            self._users[prompt.prefix] += 1
            if prompt.prefix not in self._prefixes:
                self._prefixes[prompt.prefix] = reading.prefix
                self._kept_bytes += size_bytes(reading.prefix)
        self._readings.move_to_end(prompt)
        while self._kept_bytes > self._limit_bytes:
            self._drop(*self._readings.popitem(last=False))

    def _drop(self, prompt: Prompt, reading: Reading) -> None:
        self._kept_bytes -= _own_bytes(reading)
        self._users[prompt.prefix] -= 1
        if not self._users[prompt.prefix]:
            del self._users[prompt.prefix], self._prefixes[prompt.prefix]
            self._kept_bytes -= size_bytes(reading.prefix)

    def _padded(self, lists: Sequence[Tokens], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ids and attention mask, filled up on the left."""
        ids = torch.zeros(len(lists), length, dtype=torch.long)
        mask = torch.zeros(len(lists), length, dtype=torch.long)
        for i, tokens in enumerate(lists):
            ids[i, length - len(tokens) :] = torch.tensor(tokens, dtype=torch.long)
            mask[i, length - len(tokens) :] = 1
        return ids.to(self._model.device), mask.to(self._model.device)


def padded(prompt: Prompt) -> tuple[int, int]:
    """Return the length of both parts in whole blocks."""
    return padded_length(prompt.prefix, PREFIX_BLOCK), padded_length(prompt.suffix, SUFFIX_BLOCK)


def padded_length(tokens: Tokens, block: int) -> int:
    """Return the length in whole blocks, one at least."""
    return max(1, -(-len(tokens) // block)) * block


def _is_padded(prefix: Tokens) -> bool:
    return len(prefix) < padded_length(prefix, PREFIX_BLOCK)


def _own_bytes(reading: Reading) -> int:
    return size_bytes(reading.suffix) + reading.logits.nbytes


def _last(ids: torch.Tensor) -> torch.Tensor:
    """Return which logits are wanted, as an index: for a slice of the hidden states torch copies the whole head."""
    return torch.tensor([ids.shape[1] - 1], device=ids.device)


def _positions(mask: torch.Tensor) -> torch.Tensor:
    positions: torch.Tensor = (mask.cumsum(1) - 1).clamp(min=0)
    return positions
