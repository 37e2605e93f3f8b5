"""Keys and values of a language model, cut and joined: rows of many caches become one, with room to grow."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

# Keys and values of each layer: (rows, heads, tokens, size of a head).
Layers = list[tuple[torch.Tensor, torch.Tensor]]


class RoomyLayer(DynamicLayer):
    """One layer in tensors that are large enough from the start: nothing is copied when a token comes."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, room: int) -> None:
        super().__init__()
        self.dtype, self.device = keys.dtype, keys.device
        self.is_initialized = True
        self._length = keys.shape[2]
        self._keys, self._values = _with_room(keys, room), _with_room(values, room)
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_more: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append in place; return all keys and values so far."""
        end = self._length + key_states.shape[2]
        self._keys[:, :, self._length : end] = key_states
        self._values[:, :, self._length : end] = value_states
        self._length = end
        return self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.keys, self.values = self._keys[:, :, : self._length], self._values[:, :, : self._length]
        return self.keys, self.values


def roomy_cache(layers: Layers, room: int) -> DynamicCache:
    """Return a cache that starts with these keys and values and takes `room` tokens more."""
    return cache_of([RoomyLayer(keys, values, room) for keys, values in layers])


def cache_of(layers: Sequence[DynamicLayer]) -> DynamicCache:
    """Return a cache of these layers."""
    cache = DynamicCache()
    cache.layers = list(layers)
    return cache


def layers_of(cache: Any) -> Layers:
    """Return the keys and values of every layer of a cache."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def stack(caches: Sequence[Layers]) -> Layers:
    """Join rows below each other."""
    return _joined(caches, 0)


def chain(caches: Sequence[Layers]) -> Layers:
    """Join tokens behind each other."""
    return _joined(caches, 2)


def tail(layers: Layers, row: int, start: int) -> Layers:
    """Copy the tokens of one row from `start` on: the rest may be let go."""
    return [
        (keys[row : row + 1, :, start:].clone(), values[row : row + 1, :, start:].clone()) for keys, values in layers
    ]


def size_bytes(layers: Layers) -> int:
    """Return the memory of keys and values."""
    return sum(keys.nbytes + values.nbytes for keys, values in layers)


def _joined(caches: Sequence[Layers], dimension: int) -> Layers:
    return [
        (torch.cat([keys for keys, _ in layers], dimension), torch.cat([values for _, values in layers], dimension))
        for layers in zip(*caches, strict=True)
    ]


def _with_room(tensor: torch.Tensor, room: int) -> torch.Tensor:
    rows, heads, length, size = tensor.shape
    roomy = tensor.new_empty(rows, heads, length + room, size)
    roomy[:, :, :length] = tensor
    return roomy
