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
        super().__init__()  # type: ignore[no-untyped-call]
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
    cache = DynamicCache()
    cache.layers = [RoomyLayer(keys, values, room) for keys, values in layers]
    return cache


def layers_of(cache: Any) -> Layers:
    """Return the keys and values of every layer of a cache."""
    return [(layer.keys, layer.values) for layer in cache.layers]


def row_of(cache: Any, row: int) -> Layers:
    """Return the keys and values of one row; no copy."""
    return [(keys[row : row + 1], values[row : row + 1]) for keys, values in layers_of(cache)]


def stack(caches: Sequence[Layers]) -> Layers:
    """Join rows below each other."""
    return [
        (torch.cat([keys for keys, _ in layers]), torch.cat([values for _, values in layers]))
        for layers in zip(*caches, strict=True)
    ]


def _with_room(tensor: torch.Tensor, room: int) -> torch.Tensor:
    rows, heads, length, size = tensor.shape
    roomy = tensor.new_empty(rows, heads, length + room, size)
    roomy[:, :, :length] = tensor
    return roomy
