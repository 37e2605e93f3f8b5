"""The training loop beside every family: what it keeps lies where the weights are."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from workers.models.muon import optimizers
from workers.models.training import resume, save


class Trainee:
    """A layer with both optimizers, on any device."""

    def __init__(self, device: str) -> None:
        layer = nn.Linear(16, 16, device=device)
        muon, adam = optimizers(layer)
        self.modules: Mapping[str, nn.Module] = {"layer": layer}
        self.optimizers: Mapping[str, torch.optim.Optimizer] = {"muon": muon, "adam": adam}

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        del step, steps
        self.modules["layer"](torch.ones(2, 16)).sum().backward()
        for optimizer in self.optimizers.values():
            optimizer.step()
        return {}


# The weights of such a module are nowhere, so there is nothing that they could be copied to.
@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_the_state_of_optimizers_goes_on_beside_the_weights(tmp_path: Path):
    trained, elsewhere = Trainee("cpu"), Trainee("meta")
    trained.learn(0, 1)
    save(trained, tmp_path / "one.safetensors", 1)

    resume(elsewhere, tmp_path / "one.safetensors")

    places = {
        (name, field): value.device.type
        for name, optimizer in elsewhere.optimizers.items()
        for state in optimizer.state.values()
        for field, value in state.items()
    }
    assert places == {
        ("muon", "momentum"): "meta",
        ("adam", "exp_avg"): "meta",
        ("adam", "exp_avg_sq"): "meta",
        ("adam", "step"): "cpu",
    }
