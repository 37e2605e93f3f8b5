"""An adapter under training, whatever it adapts: float32 masters, batches of choices, steps that can be skipped."""

import random
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import softplus

from schemas.learning import Recipe
from workers.models.muon import has_finite_gradients
from workers.models.training import warm_and_fall
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.lora import masters_of
from workers.models.tuning.protocol import Lesson

MOST_NORM = 1.0
# Of a step, so that each part has a lot of its own.
MOST_PARTS = 1000


@dataclass(frozen=True)
class Choice:
    """Two assets of one product, by their places; the first one is the better one by so much."""

    product: str
    better: int
    worse: int
    weight: float = 1.0


class AdapterTrainee(ABC):
    """The adapter of a model, learning from choices between assets; see `workers.models.training`."""

    def __init__(
        self, weights: Mapping[str, nn.Parameter], choices: Sequence[Choice], recipe: Recipe, member: Member = ALONE
    ) -> None:
        self._weights = list(weights.values())
        self._masters = nn.ParameterList(masters_of(weights).values())
        self._recipe, self._member = recipe, member
        # On a CPU one weight after the other needs less memory, and takes as long.
        self._foreach = self._weights[0].device.type != "cpu"
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
        losses = self._backward(step, self._batches[step])
        for master, weight in zip(self._masters, self._weights, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
            weight.grad = None
        losses = self._added_up(losses)
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

    def _backward(self, step: int, batch: Sequence[Choice]) -> dict[str, float]:
        """Add up the gradients of a batch, one part after the other, so that memory holds one of them."""
        whole = sum(choice.weight for choice in batch)
        loss_sum, right = 0.0, 0.0
        for number, choices in self._member.share_of(self.parts_of(batch)):
            loss, agreed = self.loss_of(choices, step * MOST_PARTS + number)
            (loss / whole).backward()  # type: ignore[no-untyped-call]
            loss_sum += float(loss.detach()) / whole
            right += agreed
        return {"loss": loss_sum, "agrees": right / len(batch)}

    def _added_up(self, losses: dict[str, float]) -> dict[str, float]:
        """Add up losses and gradients of all processes, in one go: each of them then takes the same step."""
        if self._member.size == 1:
            return losses
        told = torch.tensor(list(losses.values()), device=self._masters[0].device)
        gradients = [torch.zeros_like(master) if master.grad is None else master.grad for master in self._masters]
        sums = self._member.add_up(torch.cat([told, *(gradient.flatten() for gradient in gradients)]))
        start = len(told)
        for master in self._masters:
            master.grad = sums[start : start + master.numel()].view_as(master)
            start += master.numel()
        return dict(zip(losses, sums[: len(told)].tolist(), strict=True))

    def parts_of(self, batch: Sequence[Choice]) -> list[list[Choice]]:
        """Return the parts of a batch that memory holds at once: the choices of one product."""
        by_product: dict[str, list[Choice]] = defaultdict(list)
        for choice in batch:
            by_product[choice.product].append(choice)
        return list(by_product.values())

    @abstractmethod
    def loss_of(self, choices: Sequence[Choice], lot: int) -> tuple[torch.Tensor, int]:
        """Return the loss of choices, each with its weight, and how many are ordered right already.

        All chance follows from the recipe's seed and the lot.
        """


def places_of(choices: Sequence[Choice]) -> list[int]:
    """Return the places of all assets that are chosen between, each once."""
    return sorted({place for one in choices for place in (one.better, one.worse)})


def loss_by_fluency(
    sums: torch.Tensor, lengths: torch.Tensor, choices: Sequence[Choice], recipe: Recipe
) -> tuple[torch.Tensor, int]:
    """Return the loss of choices between written things, and how many are ordered right already.

    `sums` are the log probabilities of those at `places_of`, in this order; over the root of the length they are the
    fluency by which candidates are ranked first of all.
    """
    at = {place: number for number, place in enumerate(places_of(choices))}
    better = torch.tensor([at[one.better] for one in choices], device=sums.device)
    worse = torch.tensor([at[one.worse] for one in choices], device=sums.device)
    weights = torch.tensor([one.weight for one in choices], device=sums.device)
    fluency = sums / lengths.sqrt()
    lead = fluency[better] - fluency[worse]
    losses = losses_of(lead, (sums / lengths)[better], recipe)
    return (weights * losses).sum(), int((lead > 0).sum())


def losses_of(leads: torch.Tensor, imitated: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """Return the loss of each choice: of the lead of the better one, and of how well that is known by heart."""
    return softplus(recipe.sharpness * (recipe.margin - leads)) - recipe.imitation * imitated


def weights_of(lessons: Sequence[Lesson]) -> list[float]:
    """Return how much each lesson counts, 1 in the middle."""
    mean = sum(lesson.weight for lesson in lessons) / max(len(lessons), 1) or 1.0
    return [lesson.weight / mean for lesson in lessons]


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
