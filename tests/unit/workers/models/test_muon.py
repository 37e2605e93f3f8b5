"""Muon: every direction of an update is about as long as every other, and none is invented."""

import pytest
import torch

from workers.models.muon import orthogonalised


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
