"""A language model under training: it learns to find the line likelier that people like better.

The likelihood is fluency, the part of a line's merit that can be learnt: the verifier stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from schemas.learning import Recipe
from workers.models.tuning.adapter import AdapterTrainee, Choice, loss_by_fluency, places_of
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.trees import Line, Pack, packs_of, sums_of_lines


class PreferenceTrainee(AdapterTrainee):
    """The adapter of a language model, learning from choices between lines."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        weights: Mapping[str, nn.Parameter],
        lines: Sequence[Line],
        choices: Sequence[Choice],
        recipe: Recipe,
        member: Member = ALONE,
    ) -> None:
        super().__init__(weights, choices, recipe, member)
        self._model, self._tokenizer, self._lines = model, tokenizer, lines

    def loss_of(self, choices: Sequence[Choice], _lot: int) -> tuple[torch.Tensor, int]:
        """Return the loss of choices of one product, each with its weight, and how many are ordered right already."""
        wanted = places_of(choices)
        sums: list[torch.Tensor] = [torch.empty(0)] * len(wanted)
        tokens = [0] * len(wanted)
        for places, packed in packs_of(self._tokenizer, [self._lines[place] for place in wanted]):
            for place, found, length in zip(places, sums_of_lines(self._model, packed), packed.lengths, strict=True):
                sums[place], tokens[place] = found, length
        lengths = torch.tensor(tokens, device=sums[0].device)
        return loss_by_fluency(torch.stack(sums), lengths, choices, self._recipe)


@torch.no_grad()
def fluencies(model: Any, tokenizer: Any, lines: Sequence[Line]) -> list[float]:
    """Return how sure the model is of each line, in the units by which candidates are ranked."""
    found = [0.0] * len(lines)
    for places, packed in packs_of(tokenizer, lines):
        for place, value in zip(places, (sums_of_lines(model, packed) / roots_of(packed, model)).tolist(), strict=True):
            found[place] = value
    return found


@torch.no_grad()
def mean_log_p(model: Any, tokenizer: Any, lines: Sequence[Line]) -> float:
    """Return the mean log probability of a token of these lines."""
    total, tokens = 0.0, 0
    for _, packed in packs_of(tokenizer, lines):
        total += float(sums_of_lines(model, packed).sum())
        tokens += sum(packed.lengths)
    return total / tokens


def roots_of(packed: Pack, model: Any) -> torch.Tensor:
    """Return the square root of the tokens of each line: its log probability over this is its fluency."""
    return torch.tensor(packed.lengths, device=model.device).sqrt()
