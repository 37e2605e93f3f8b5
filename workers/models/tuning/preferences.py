"""A language model under training: it learns to find the line likelier that people like better.

The likelihood is that by which candidates are ranked, fluency: what is learnt is what is served.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import softplus

from schemas.learning import Recipe
from workers.models.muon import has_finite_gradients
from workers.models.training import warm_and_fall
from workers.models.tuning.lora import masters_of
from workers.models.tuning.trees import Line, Pack, packs_of, sums_of_lines

MOST_NORM = 1.0


@dataclass(frozen=True)
class Choice:
    """Two lines of one product, by their places; the first one is the better one by so much."""

    product: str
    better: int
    worse: int
    weight: float = 1.0


class PreferenceTrainee:
    """The adapter of a model, learning from choices between lines; see `workers.models.training`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        weights: Mapping[str, nn.Parameter],
        lines: Sequence[Line],
        choices: Sequence[Choice],
        recipe: Recipe,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._weights = list(weights.values())
        self._masters = nn.ParameterList(masters_of(weights).values())
        self._lines, self._recipe = lines, recipe
        # On a CPU one weight after the other needs less memory, and takes as long.
        self._foreach = model.device.type != "cpu"
        self._optimizer = torch.optim.AdamW(self._masters, weight_decay=0.0, foreach=self._foreach)
        self._batches = batches_of(choices, recipe)
        self.modules = {"adapter": self._masters}
        self.optimizers = {"adamw": self._optimizer}

    @property
    def steps(self) -> int:
        """Return how many steps the training has."""
        return len(self._batches)

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step; one without finite gradients is not taken."""
        # After a checkpoint was read, the masters know more than the weights.
        self.use_masters()
        batch = self._batches[step]
        losses = self._backward(batch)
        for master, weight in zip(self._masters, self._weights, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        if not has_finite_gradients(self._masters):
            return {**losses, "loss": 0.0, "skipped": 1.0}
        torch.nn.utils.clip_grad_norm_(self._masters, MOST_NORM, foreach=self._foreach)
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * warm_and_fall(step, steps, self._recipe.warm_up_steps)
        self._optimizer.step()
        return {**losses, "skipped": 0.0}

    @torch.no_grad()
    def use_masters(self) -> None:
        """Put what was learnt into the model."""
        for master, weight in zip(self._masters, self._weights, strict=True):
            weight.copy_(master)

    def _backward(self, batch: Sequence[Choice]) -> dict[str, float]:
        """Add up the gradients of a batch, one product after the other, so that memory holds one of them."""
        by_product: dict[str, list[Choice]] = defaultdict(list)
        for choice in batch:
            by_product[choice.product].append(choice)
        whole = sum(choice.weight for choice in batch)
        loss_sum, right = 0.0, 0.0
        for choices in by_product.values():
            loss, agreed = self._loss(choices)
            (loss / whole).backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach()) / whole
            right += agreed
        return {"loss": loss_sum, "agrees": right / len(batch)}

    def _loss(self, choices: Sequence[Choice]) -> tuple[torch.Tensor, int]:
        """Return the loss of choices of one product, each with its weight, and how many are ordered right already."""
        wanted = sorted({place for one in choices for place in (one.better, one.worse)})
        sums: list[torch.Tensor] = [torch.empty(0)] * len(wanted)
        tokens = [0] * len(wanted)
        for places, packed in packs_of(self._tokenizer, [self._lines[place] for place in wanted]):
            for place, found, length in zip(places, sums_of_lines(self._model, packed), packed.lengths, strict=True):
                sums[place], tokens[place] = found, length
        at = {place: number for number, place in enumerate(wanted)}
        found, lengths = torch.stack(sums), torch.tensor(tokens, device=sums[0].device)
        better = torch.tensor([at[one.better] for one in choices], device=found.device)
        worse = torch.tensor([at[one.worse] for one in choices], device=found.device)
        weights = torch.tensor([one.weight for one in choices], device=found.device)
        fluency = found / lengths.sqrt()
        lead = fluency[better] - fluency[worse]
        recipe = self._recipe
        losses = softplus(recipe.sharpness * (recipe.margin - lead)) - recipe.imitation * (found / lengths)[better]
        return (weights * losses).sum(), int((lead > 0).sum())


def batches_of(choices: Sequence[Choice], recipe: Recipe) -> list[list[Choice]]:
    """Return the choices of each step; the order follows from the recipe alone.

    Those of one product stay together, since its brief is then read once.
    """
    by_product: dict[str, list[Choice]] = defaultdict(list)
    for choice in choices:
        by_product[choice.product].append(choice)
    batches = []
    for epoch in range(recipe.epochs):
        order = random.Random(f"{recipe.seed}-{epoch}")
        products = sorted(by_product)
        order.shuffle(products)
        in_order = [
            choice for product in products for choice in order.sample(by_product[product], k=len(by_product[product]))
        ]
        size = recipe.pairs_a_step
        cut = [in_order[start : start + size] for start in range(0, len(in_order), size)]
        order.shuffle(cut)
        batches += cut
    return batches


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
