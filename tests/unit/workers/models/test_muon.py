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
