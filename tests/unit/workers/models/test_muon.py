"""Muon: every direction of an update is about as long as every other, and none is invented."""

import pytest
import torch

from workers.models.muon import Muon, has_finite_gradients, orthogonalised


@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_muon_makes_all_directions_of_a_matrix_about_as_long(shape: tuple[int, int]):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    lengths = torch.linalg.svdvals(orthogonalised(matrix))

    assert lengths.min() > 0.5
    assert lengths.max() < 1.4


@pytest.mark.parametrize("rank", [1, 2, 8])
def test_directions_that_a_gradient_does_not_have_stay_out_of_the_update(rank: int):
    chance = torch.Generator().manual_seed(1)
    gradient = torch.randn(64, rank, generator=chance) @ torch.randn(rank, 176, generator=chance) * 1e-4

    lengths = torch.linalg.svdvals(orthogonalised(gradient))

    assert lengths[:rank].min() > 0.5
    assert lengths[:rank].max() < 1.4
    assert lengths[rank:].max() < 0.01


def test_matrices_of_one_shape_are_moved_together_as_each_would_be_alone():
    chance = torch.Generator().manual_seed(1)
    starts, gradients = torch.randn(3, 12, 20, generator=chance), torch.randn(3, 12, 20, generator=chance)
    together = [torch.nn.Parameter(start.clone()) for start in starts]
    alone = [torch.nn.Parameter(start.clone()) for start in starts]
    for params in (together, alone):
        for param, gradient in zip(params, gradients, strict=True):
            param.grad = gradient

    Muon(together, lr=0.1).step()
    for param in alone:
        Muon([param], lr=0.1).step()

    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(together, alone, strict=True))
    assert not torch.allclose(together[0], starts[0])


@pytest.mark.parametrize(("value", "is_finite"), [(1.0, True), (float("nan"), False), (float("inf"), False)])
def test_one_gradient_that_is_no_number_is_found(value: float, *, is_finite: bool):
    model = torch.nn.Linear(3, 2)
    model(torch.ones(1, 3)).sum().backward()
    model.weight.grad[1, 2] = value

    assert has_finite_gradients(model) == is_finite
