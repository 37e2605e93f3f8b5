"""Write lead sheets with the trained network: seeded, in whole bars, the same piece whatever stands beside it.

Every forward pass has the same number of rows, idle ones among them; the noise that picks a word is a hash of seed,
step and word. All prompts have the same length, so nothing is padded.
"""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, DynamicCache

from core.errors import ModelLoadError
from core.music.pieces import METERS, Piece
from workers.models.decode import gumbel_noise, mixed_seed
from workers.models.music.grammar import Grammar
from workers.models.music.tokens import EOS, MOST_BARS, Conditions, piece_of

WEIGHTS = "model.safetensors"
ROWS = 16
TEMPERATURE = 0.95
TOP_P = 0.97
# No bar can be longer than the shortest notes make it; real ones have about 10 words.
MOST_WORDS = MOST_BARS * (1 + 2 + 108 // 3)


@dataclass(frozen=True)
class Order:
    """One piece to be written; the same order gives the same piece."""

    conditions: Conditions
    seed: int


@dataclass(frozen=True)
class Draft:
    """A piece as it was written, and how likely its words are by the model itself."""

    piece: Piece
    words: tuple[str, ...]
    mean_log_p: float


class Composer:
    """One loaded network; holds no state between calls."""

    def __init__(self, network: Any, vocabulary: dict[str, int]) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self._device = network.device
        self._words = sorted(vocabulary, key=vocabulary.__getitem__)

    @torch.inference_mode()
    def write(self, orders: Sequence[Order], temperature: float = TEMPERATURE) -> list[Draft]:
        """Return the draft of each order, in the order of the orders."""
        # Long pieces stand beside long ones, so that few rows idle.
        places = sorted(range(len(orders)), key=lambda i: _length(orders[i].conditions))
        drafts: dict[int, Draft] = {}
        for start in range(0, len(places), ROWS):
            chosen = places[start : start + ROWS]
            drafts |= zip(chosen, self._write([orders[i] for i in chosen], temperature), strict=True)
        return [drafts[i] for i in range(len(orders))]

    def _write(self, orders: list[Order], temperature: float) -> list[Draft]:
        rows = orders + [orders[-1]] * (ROWS - len(orders))
        grammar = Grammar(self.vocabulary, [order.conditions for order in rows], self._device)
        seeds = torch.tensor([mixed_seed(order.seed) for order in rows], device=self._device)
        ids = torch.tensor(
            [[self.vocabulary[word] for word in order.conditions.words] for order in rows], device=self._device
        )
        cache = DynamicCache()
        written, chances = [], []
        for step in range(MOST_WORDS):
            logits = self.network(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            tokens, log_ps = _pick(logits[:, -1].float(), grammar.allowed(), seeds, step, temperature)
            grammar.advance(tokens)
            written.append(tokens)
            chances.append(log_ps)
            if grammar.is_done:
                break
            ids = tokens[:, None]
        texts, log_p = torch.stack(written, 1).tolist(), torch.stack(chances, 1)
        return [self._draft(order, texts[i], log_p[i]) for i, order in enumerate(orders)]

    def _draft(self, order: Order, ids: list[int], log_p: torch.Tensor) -> Draft:
        words = [self._words[i] for i in ids]
        length = words.index(EOS)
        return Draft(piece_of(words[:length], order.conditions), tuple(words[:length]), float(log_p[:length].mean()))


def _length(conditions: Conditions) -> int:
    return conditions.bars * METERS[conditions.meter].bar * (conditions.energy or 3)


def _pick(
    logits: torch.Tensor, allowed: torch.Tensor, seeds: torch.Tensor, step: int, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the next word of each row and its log probability: of the likely ones the largest of logit plus noise."""
    log_ps = logits.masked_fill(~allowed, -torch.inf).log_softmax(-1)
    values, ids = (log_ps.double() / temperature).sort(dim=-1, descending=True, stable=True)
    chances = values.softmax(-1)
    # The likeliest words that together have the wanted probability, the one that reaches it among them.
    values = values.masked_fill(chances.cumsum(-1) - chances > TOP_P, -torch.inf)
    best = (values + gumbel_noise(seeds, torch.full_like(seeds, step), ids)).argmax(-1, keepdim=True)
    tokens = ids.gather(1, best)
    return tokens[:, 0], log_ps.gather(1, tokens)[:, 0]


def composer(folder: Path, device: torch.device, adapter: Path | None = None) -> Composer:
    """Load a folder of weights, with a LoRA adapter merged into them or without; float32, whatever is stored."""
    network, vocabulary = network_and_words(folder)
    if adapter:
        network = _adapted(network, adapter)
    return Composer(network.to(device), vocabulary)


def network_and_words(folder: Path) -> tuple[Any, dict[str, int]]:
    """Load a folder of weights in float32, and the words that they know, on the CPU."""
    lacking = [name for name in (WEIGHTS, "tokenizer.json") if not (folder / name).is_file()]
    if lacking:
        raise ModelLoadError(
            f"{folder} holds no weights of the starter music model ({lacking[0]} is missing): "
            "run `factory models train-starter music`, or set FACTORY_MUSIC_MODEL to another model"
        )
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), vocabulary


def _adapted(network: Any, adapter: Path) -> Any:
    try:
        with warnings.catch_warnings():
            # peft reads a property that transformers 6 renames; nothing that a user could change.
            warnings.simplefilter("ignore", FutureWarning)
            return PeftModel.from_pretrained(network, adapter).merge_and_unload()
    # What a header of safetensors may be wrong in is an error of its own kind, straight under Exception.
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelLoadError(f"adapter {adapter} does not fit its model: {reason}") from error
