"""Keeps a language model on its brief while it writes: from tokens to the text that `workers.checks` can judge."""

from collections.abc import Collection, Sequence
from typing import Any

from schemas.jobs import Brief
from workers.checks.beginnings import Beginnings

# SentencePiece writes a space so, and drops it when a single token is decoded.
_SPACE = "\u2581"


class BriefGuard:
    """Allows the tokens with which a line for one brief may go on."""

    def __init__(self, brief: Brief, pieces: Sequence[str], stops: Collection[int]) -> None:
        self._beginnings = Beginnings(brief)
        self._pieces = pieces
        self._stops = stops

    def allows(self, tokens: Sequence[int], token: int) -> bool:
        """Return whether the token, maybe one that ends the line, may follow these."""
        text = "".join(self._pieces[one] for one in tokens)
        if token in self._stops:
            return self._beginnings.may_end(text)
        return self._beginnings.may_continue(text, self._pieces[token])


def pieces_of(tokenizer: Any) -> list[str]:
    """Return the text of every token as it stands inside a line, with the space before it."""
    ids = list(range(len(tokenizer)))
    names = tokenizer.convert_ids_to_tokens(ids)
    texts = tokenizer.batch_decode([[one] for one in ids])
    return [
        name.replace(_SPACE, " ") if name and _SPACE in name else text for name, text in zip(names, texts, strict=True)
    ]
