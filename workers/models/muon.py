"""Muon, the optimizer of matrices, beside AdamW for all that is no matrix: fewer steps to the same loss.

Muon replaces the gradient of a weight matrix by the nearest orthogonal matrix (Jordan et al., 2024).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

import torch
from torch import nn

ITERATIONS = 5
# The coefficients of the quintic iteration, from the authors.
QUINTIC = (3.4445, -4.7750, 2.0315)
# Narrower matrices gain nothing.
LEAST_WIDTH = 8


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Return about the nearest orthogonal matrix of each (..., rows, columns), by Newton-Schulz in float32.

    Each iteration multiplies by a polynomial of the square matrix of inner products. Iterating on that alone, and
    multiplying once at the end, takes 2.5 times less for matrices nine times as wide as high, as convolutions have.
    bfloat16 does for iterations on the matrix itself, not here: what it rounds in the products of a matrix of low rank,
    as early gradients are, grows to thousands of times the length wanted.
    """
    first, second, third = QUINTIC
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    wide = (matrices.mT if is_tall else matrices).float()
    wide = wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    products = wide @ wide.mT
    one = torch.eye(products.shape[-1], dtype=wide.dtype, device=wide.device)
    factor = one
    for _ in range(ITERATIONS):
        step = first * one + second * products + third * products @ products
        factor = step @ factor
        # All of these are polynomials of one symmetric matrix, so their order does not matter.
        products = step @ products @ step
    result: torch.Tensor = factor @ wide
    return result.mT if is_tall else result


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; convolutions are read as matrices of outputs by all else."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; a closure is not supported."""
        assert closure is None
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    alike[param.shape[0], param[0].numel()].append(param)
            # Matrices of one shape go through as one: a GPU is given a tenth of the orders.
            for params in alike.values():
                ahead = torch.stack([self._ahead(param, group["momentum"]) for param in params])
                scale = max(1.0, ahead.shape[1] / ahead.shape[2]) ** 0.5
                for param, update in zip(params, orthogonalised(ahead), strict=True):
                    param.add_(update.reshape(param.shape), alpha=-group["lr"] * scale)

    def _ahead(self, param: nn.Parameter, factor: float) -> torch.Tensor:
        """Move the momentum of a weight on; return it, looked ahead, as a matrix."""
        assert param.grad is not None
        momentum: torch.Tensor = self.state[param].setdefault("momentum", torch.zeros_like(param))
        momentum.lerp_(param.grad, 1 - factor)
        return param.grad.lerp(momentum, factor).reshape(param.shape[0], -1)


def has_finite_gradients(model: nn.Module) -> bool:
    """Tell whether a step may be taken: one gradient that is no number would make all weights none."""
    gradients = [param.grad for param in model.parameters() if param.grad is not None]
    return bool(torch.nn.utils.get_total_norm(gradients).isfinite())


def optimizers(model: nn.Module, exclude: Collection[str] = ()) -> tuple[Muon, torch.optim.AdamW]:
    """Return Muon for the matrices of a model and AdamW for the rest and for names that contain an excluded part."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, param in model.named_parameters():
        is_matrix = param.ndim >= 2 and min(param.shape[0], param[0].numel()) > LEAST_WIDTH
        (matrices if is_matrix and not any(part in name for part in exclude) else rest).append(param)
    return Muon(matrices, lr=0.0), torch.optim.AdamW(rest, lr=0.0, betas=(0.9, 0.99), weight_decay=0.0)
