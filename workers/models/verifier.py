"""A verifier: tells from what a language model holds in its middle layers, while it writes, whether a line will do.

A linear probe, as in Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016): a
model often holds that a fact is on the wrong noun and writes it all the same. It costs two dot products a token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadError
from workers.models.tuning.trees import Line, packs_of

VERIFIER_NAME = "verifier.safetensors"
BIAS = "bias"
LAST = "last."
WAY_OUT = "restore the file, or take it away to rank lines by fluency alone"


@dataclass(frozen=True)
class Said:
    """What a verifier says of one token of a line: as one among all, and as the last one, should it be that."""

    among_all: float
    as_last: float


def verified(said: Sequence[Said]) -> float:
    """Return what a verifier says of a line, in nats as fluency is; 0 of one that it did not hear."""
    return sum(one.among_all for one in said) / len(said) + said[-1].as_last if said else 0.0


class Verifier:
    """What is added to the merit of a line: the mean over its tokens of one linear probe, and another of the last.

    `weights` and `last` are those of a layer by its number (1 is the first, and the last one is not to be used: what
    transformers tells of it is normed), each with the size of a hidden state; both have the same layers.
    """

    def __init__(
        self, weights: Mapping[int, torch.Tensor], last: Mapping[int, torch.Tensor] | None = None, bias: float = 0.0
    ) -> None:
        self.weights = {layer: weight.float() for layer, weight in sorted(weights.items())}
        self.last = {
            layer: (last or {}).get(layer, torch.zeros_like(one)).float() for layer, one in self.weights.items()
        }
        self.bias = bias

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the verifier of an adapter, None where it has none; raises ModelLoadError for one that is broken."""
        path = folder / VERIFIER_NAME
        if not path.is_file():
            return None
        try:
            tensors = load_file(path)
            bias = float(tensors.pop(BIAS))
            last = {int(name.removeprefix(LAST)): tensors.pop(name) for name in list(tensors) if name.startswith(LAST)}
            weights = {int(name): tensor for name, tensor in tensors.items()}
        except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise ModelLoadError(f"{path} holds no verifier ({error}): {WAY_OUT}") from error
        numbers = (*weights.values(), *last.values(), torch.tensor(bias))
        if not weights or not set(last) <= set(weights) or not all(bool(one.isfinite().all()) for one in numbers):
            raise ModelLoadError(f"{path} holds no verifier (no layers that agree, or no numbers): {WAY_OUT}")
        return cls(weights, last, bias)

    def write(self, folder: Path) -> None:
        """Write the verifier beside an adapter."""
        tensors = {str(layer): weight.contiguous() for layer, weight in self.weights.items()}
        tensors |= {f"{LAST}{layer}": weight.contiguous() for layer, weight in self.last.items()}
        save_file({**tensors, BIAS: torch.tensor(self.bias)}, folder / VERIFIER_NAME)

    def listen(self, model: Any) -> "Listener":
        """Attach the verifier to a model; raises ModelLoadError where it does not fit."""
        layers = getattr(model.get_decoder(), "layers", ())
        size = model.config.get_text_config().hidden_size
        for layer, weight in (*self.weights.items(), *self.last.items()):
            if not 1 <= layer < len(layers) or weight.shape != (size,):
                raise ModelLoadError(
                    f"{VERIFIER_NAME} does not fit the model: layer {layer} with {len(weight)} numbers, "
                    f"where the model has {len(layers)} layers of {size}: {WAY_OUT}"
                )
        return Listener(self, model)


class Listener:
    """A verifier that hears every forward pass of a model."""

    def __init__(self, verifier: Verifier, model: Any) -> None:
        self._bias = verifier.bias
        self._said: dict[int, torch.Tensor] = {}
        for layer, weight in verifier.weights.items():
            both = torch.stack([weight, verifier.last[layer]], 1).to(model.device)
            self._attach(layer, model.get_decoder().layers[layer - 1], both)

    def _attach(self, number: int, layer: torch.nn.Module, weights: torch.Tensor) -> None:
        def hear(_layer: torch.nn.Module, _inputs: Any, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            self._said[number] = hidden[:, -1].float() @ weights

        layer.register_forward_hook(hear)

    def heard(self) -> torch.Tensor:
        """Return what the probes of all layers say of each row of the last pass: (rows, 2), without the bias."""
        return torch.stack(list(self._said.values())).sum(0)

    def newest(self) -> list[Said]:
        """Return what the verifier says of the newest token of each row of the last pass."""
        found = self.heard().tolist()
        return [Said(among_all + self._bias, as_last) for among_all, as_last in found]


@torch.no_grad()
def hidden_of(model: Any, tokenizer: Any, lines: Sequence[Line], layers: Sequence[int]) -> torch.Tensor:
    """Return what the layers hold of each line, mean over its tokens and last one: (lines, 2 * layers * size)."""
    found = [torch.empty(0)] * len(lines)
    for places, packed in packs_of(tokenizer, lines):
        states = model.get_decoder()(
            input_ids=packed.ids.to(model.device),
            attention_mask=packed.mask.to(model.device, model.dtype),
            position_ids=packed.positions.to(model.device),
            use_cache=False,
            output_hidden_states=True,
        ).hidden_states
        held = torch.cat([states[layer][0].float() for layer in layers], -1)
        for place, sources in zip(places, torch.split(packed.sources, list(packed.lengths)), strict=True):
            # The first source is the last token of the ask; the others are the line's own.
            own = held[sources[1:]]
            found[place] = torch.cat([own.mean(0), own[-1]]).cpu()
    return torch.stack(found)
