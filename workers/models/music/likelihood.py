"""How likely a composer finds pieces that were written: by the words it could choose among, as when it writes itself.

Words that the grammar leaves no choice about cost nothing: the numbers of bars, and the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.errors import ImpossibleWorkError
from core.music.pieces import METERS, MODES, STYLES
from workers.models.device import CPU
from workers.models.music.examples import batch_of
from workers.models.music.grammar import Grammar
from workers.models.music.tokens import ENERGIES, EOS, MOST_BARS, PROMPT_WORDS, UNKNOWN, Conditions

# Pieces in one pass; each has some 150 words.
ROWS = 16


@dataclass(frozen=True)
class WrittenPiece:
    """The conditions of a piece and its words, without those of the prompt and the end."""

    conditions: Conditions
    words: tuple[str, ...]


@dataclass(frozen=True)
class PieceRow:
    """A piece as numbers: the prompt, its words and the end, and for each word behind the prompt what was allowed."""

    ids: tuple[int, ...]
    # Flags of words, a row for each word behind the prompt.
    allowed: torch.Tensor

    @property
    def words(self) -> int:
        """Return how many words were written."""
        return len(self.ids) - PROMPT_WORDS - 1


def piece_of_recipe(recipe: Mapping[str, Any]) -> WrittenPiece:
    """Return the piece that the recipe of a manifest holds; raises ImpossibleWorkError for a recipe without one."""
    words, bars = recipe.get("words"), recipe.get("written_bars")
    meter, mode, style, energy = (recipe.get(name) for name in ("meter", "mode", "style", "energy"))
    is_whole = isinstance(words, str) and isinstance(bars, int) and 1 <= bars <= MOST_BARS
    if not is_whole or meter not in METERS or mode not in MODES or style not in STYLES or energy not in ENERGIES:
        raise ImpossibleWorkError("its manifest does not hold its words and conditions, so nothing can learn from it")
    return WrittenPiece(Conditions(str(meter), int(bars or 0), mode, style, energy), tuple(str(words).split()))


def row_of(piece: WrittenPiece, vocabulary: Mapping[str, int]) -> PieceRow:
    """Return a piece as numbers; a word that the vocabulary does not have is its unknown one."""
    unknown = vocabulary[UNKNOWN]
    written = torch.tensor([vocabulary.get(word, unknown) for word in (*piece.words, EOS)])
    grammar = Grammar(vocabulary, [piece.conditions], CPU)
    allowed = []
    for word in written:
        allowed.append(grammar.allowed()[0])
        grammar.advance(word[None])
    options = torch.stack(allowed)
    # What was written counts as allowed: another grammar may have written it.
    options[torch.arange(len(written)), written] = True
    prompt = [vocabulary.get(word, unknown) for word in piece.conditions.words]
    return PieceRow((*prompt, *written.tolist()), options)


def sums_of_pieces(network: Any, rows: Sequence[PieceRow]) -> torch.Tensor:
    """Return the log probability of each piece (B,), its conditions given."""
    device = network.device
    ids = batch_of([row.ids for row in rows]).to(device)
    logits = network(input_ids=ids[:, :-1], use_cache=False).logits[:, PROMPT_WORDS - 1 :].float()
    targets = ids[:, PROMPT_WORDS:]
    options = torch.ones(logits.shape, dtype=torch.bool)
    counts = torch.zeros(targets.shape)
    for place, row in enumerate(rows):
        options[place, : len(row.allowed)] = row.allowed
        counts[place, : len(row.allowed)] = 1
    log_ps = logits.masked_fill(~options.to(device), -torch.inf).log_softmax(-1)
    sums: torch.Tensor = (log_ps.gather(2, targets[..., None])[..., 0] * counts.to(device)).sum(1)
    return sums


@torch.no_grad()
def fluencies(network: Any, rows: Sequence[PieceRow]) -> list[float]:
    """Return how sure a network is of each piece: its log probability over the root of its words."""
    found: list[float] = []
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        sums = sums_of_pieces(network, part).tolist()
        found += [total / max(row.words, 1) ** 0.5 for total, row in zip(sums, part, strict=True)]
    return found


@torch.no_grad()
def mean_log_p(network: Any, rows: Sequence[Sequence[int]]) -> float:
    """Return the mean log probability of a word of tunes, given as numbers; here nothing is forbidden."""
    total, words = 0.0, 0
    for start in range(0, len(rows), ROWS):
        ids = batch_of(rows[start : start + ROWS]).to(network.device)
        log_ps = network(input_ids=ids[:, :-1], use_cache=False).logits[:, PROMPT_WORDS - 1 :].float().log_softmax(-1)
        targets = ids[:, PROMPT_WORDS:]
        found = log_ps.gather(2, targets[..., None])[..., 0]
        total += float(found[targets != 0].sum())
        words += int((targets != 0).sum())
    return total / max(words, 1)
