"""The networks: a Llama as everybody has it, only small, and an LSTM of the same size to compare it with."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

Architecture = Literal["transformer", "lstm"]
ARCHITECTURES: tuple[Architecture, ...] = ("transformer", "lstm")
WIDTH = 256
LAYERS = 4
HEAD_WIDTH = 64
# Gives the LSTM as many parameters as the transformer.
LSTM_WIDTH = 464
LSTM_LAYERS = 2
MOST_POSITIONS = 1024
DROPOUT = 0.1


class Transformer(nn.Module):
    """A Llama that drops out what its layers add while it is trained; Llama itself has no dropout there."""

    def __init__(self, words: int, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        heads = max(1, width // HEAD_WIDTH)
        self.llama: Any = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=words,
                hidden_size=width,
                intermediate_size=int(width * 2.75),
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=heads,
                max_position_embeddings=MOST_POSITIONS,
                tie_word_embeddings=True,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                rms_norm_eps=1e-5,
            )
        )
        for layer in self.llama.model.layers:
            for part in (layer.self_attn.o_proj, layer.mlp.down_proj):
                part.register_forward_hook(_drop_out)

    @property
    def core(self) -> nn.Module:
        """Return what holds all weights, each once: the matrix that reads words also writes them."""
        core: nn.Module = self.llama.model
        return core

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, T, words) of ids (B, T) that are padded on the right."""
        # Causal attention never looks at padding on the right, so there is no mask.
        logits: torch.Tensor = self.llama(input_ids=ids, use_cache=False).logits
        return logits


def _drop_out(module: nn.Module, _: Sequence[Any], output: torch.Tensor) -> torch.Tensor:
    return F.dropout(output, DROPOUT, module.training)


class Lstm(nn.Module):
    """Two recurrent layers; words are read and written by the same matrix.

    Words must come in at the size that the gates expect, and what comes out must be of one size: with small words, as a
    Llama has them, 3000 steps taught nothing but how frequent each word is.
    """

    def __init__(self, words: int, width: int = WIDTH, hidden: int = LSTM_WIDTH) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.recurrent = nn.LSTM(width, hidden, LSTM_LAYERS, batch_first=True, dropout=DROPOUT)
        self.norm = nn.LayerNorm(hidden)
        self.out = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(DROPOUT)

    @property
    def core(self) -> nn.Module:
        """Return what holds all weights, each once."""
        return self

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the logits (B, T, words) of ids (B, T) that are padded on the right."""
        states, _ = self.recurrent(self.dropout(self.words(ids)))
        aims = self.out(self.dropout(self.norm(states)))
        logits: torch.Tensor = aims @ self.words.weight.T * aims.shape[-1] ** -0.5
        return logits


def new_network(architecture: Architecture, words: int, width: int = WIDTH) -> Transformer | Lstm:
    """Return an untrained network."""
    if architecture == "transformer":
        return Transformer(words, width)
    return Lstm(words, width, round(LSTM_WIDTH * width / WIDTH))
