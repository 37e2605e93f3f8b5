"""Attention of candidates that have a prompt in common: its keys and values are held once for all of them.

A seat is one prompt with a fixed number of rows that continue it. A row attends to the prompt of its seat and to what
it wrote itself: two products, one softmax. Transformers hands over what our cache layer returns as keys, so the layer
returns itself; while prompts are read the keys are plain tensors, and attention is what it always was.
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from workers.models.cache import Layers

NAME = "shared_prompt"
# Families whose attention is softmax(q k) v and nothing else; tests hold each to its own forward pass.
FAMILIES = frozenset({"granite", "llama", "mistral", "olmo2", "qwen2", "qwen3"})


class SharedLayer(DynamicLayer):
    """One layer of a pass: the prompt of each seat, and what each of its rows wrote, at any age of the row."""

    def __init__(self, like: tuple[torch.Tensor, torch.Tensor], shape: tuple[int, int, int, int]) -> None:
        """Make place for (seats, rows a seat, tokens of a prompt, tokens of a row) like these keys and values."""
        super().__init__()
        seats, rows, prompt, room = shape
        # Zeros, because what is masked counts zero times, and zero times a stray NaN were one.
        self.prompts = [some.new_zeros(seats, some.shape[1], prompt, some.shape[3]) for some in like]
        self.own = [some.new_zeros(seats, some.shape[1], rows, room, some.shape[3]) for some in like]
        self._seats = torch.arange(seats, device=like[0].device).repeat_interleave(rows)
        self._rows = torch.arange(rows, device=like[0].device).repeat(seats)
        # Of the rows that a pass computes: where they sit, and how many tokens each has written.
        self.places, self.ages = torch.arange(seats * rows, device=like[0].device), torch.zeros_like(self._rows)

    def seat(self, seat: int, start: int, prompt: tuple[torch.Tensor, torch.Tensor]) -> None:
        """Copy a part of a prompt to its place."""
        for place, some in zip(self.prompts, prompt, strict=True):
            place[seat, :, start : start + some.shape[2]] = some[0]

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_more: Any) -> Any:
        """Write the token of each computed row at its age; return the layer itself, for `attend`."""
        for own, states in zip(self.own, (key_states, value_states), strict=True):
            own[self._seats[self.places], :, self._rows[self.places], self.ages] = states[:, :, 0]
        return self, self

    def attend(self, query: torch.Tensor, mask: torch.Tensor, scaling: float) -> torch.Tensor:
        """Return what each computed row sees: (computed rows, 1, heads, size of a head)."""
        seats, heads, rows, _, size = self.own[0].shape
        length = self.prompts[0].shape[2]
        # All seats attend, so that these products have one shape; they cost little.
        query = query.new_zeros(seats * rows, *query.shape[1:]).index_copy_(0, self.places, query)
        # (all rows, query heads, 1, size) -> (seats, heads, rows, queries a head, size)
        queries = query.reshape(seats, rows, heads, -1, size).transpose(1, 2)
        seen = queries.reshape(seats, heads, -1, size) @ self.prompts[0].transpose(-1, -2)
        own = queries @ self.own[0].transpose(-1, -2)
        scores = torch.cat([seen.view(*own.shape[:-1], length), own], -1).float()
        weights = scores.mul_(scaling).add_(mask[:, :, :, None]).softmax(-1).to(query.dtype)
        shared = weights[..., :length].reshape(seats, heads, -1, length) @ self.prompts[1]
        written = weights[..., length:] @ self.own[1]
        found = shared.view(written.shape) + written
        return found.transpose(1, 2).reshape(seats * rows, 1, -1, found.shape[-1])[self.places]


def shares_prompts(model: Any) -> bool:
    """Let a model attend in seats; return False, and leave it alone, where its attention has rules of its own."""
    config = model.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if config.model_type not in FAMILIES or getattr(config, "sliding_window", None) or kinds != {"full_attention"}:
        return False
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    return True


def shared_layers(like: Layers, shape: tuple[int, int, int, int]) -> list[SharedLayer]:
    """Return an empty layer for each of these keys and values."""
    return [SharedLayer(layer, shape) for layer in like]


def _attend(
    module: torch.nn.Module, query: torch.Tensor, key: Any, value: Any, attention_mask: Any, **more: Any
) -> tuple[torch.Tensor, None]:
    if isinstance(key, SharedLayer):
        return key.attend(query, attention_mask, more["scaling"]), None
    found: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **more)
    return found
