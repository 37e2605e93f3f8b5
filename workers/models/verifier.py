"""A verifier: tells from what a language model holds in its middle layers, while it writes, whether a line will do.

A linear probe, as in Alain and Bengio, "Understanding intermediate layers using linear classifier probes" (2016): a
model often holds that a fact is on the wrong noun and writes it all the same. It costs a dot product a token.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadError
from workers.models.tuning.trees import Line, packs_of

VERIFIER_NAME = "verifier.safetensors"
BIAS = "bias"
WAY_OUT = "restore the file, or take it away to rank lines by fluency alone"


class Verifier:
    """What is added to the merit of a line, in nats as fluency is: the mean over its tokens of a linear probe.

    `weights` are those of a layer by its number (1 is the first, and the last one is not to be used: what transformers
    tells of it is normed), each with the size of a hidden state.
    """

    def __init__(self, weights: Mapping[int, torch.Tensor], bias: float) -> None:
        self.weights = {layer: weight.float() for layer, weight in sorted(weights.items())}
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
            weights = {int(name): tensor for name, tensor in tensors.items()}
        except (OSError, SafetensorError, ValueError, KeyError, RuntimeError) as error:
            raise ModelLoadError(f"{path} holds no verifier ({error}): {WAY_OUT}") from error
        if not weights or not all(bool(one.isfinite().all()) for one in (*weights.values(), torch.tensor(bias))):
            raise ModelLoadError(f"{path} holds no verifier (no layer, or no numbers): {WAY_OUT}")
        return cls(weights, bias)

    def write(self, folder: Path) -> None:
        """Write the verifier beside an adapter."""
        tensors = {str(layer): weight.contiguous() for layer, weight in self.weights.items()}
        save_file({**tensors, BIAS: torch.tensor(self.bias)}, folder / VERIFIER_NAME)

    def listen(self, model: Any) -> "Listener":
        """Attach the verifier to a model; raises ModelLoadError where it does not fit."""
        layers = getattr(model.get_decoder(), "layers", ())
        size = model.config.get_text_config().hidden_size
        for layer, weight in self.weights.items():
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
            self._attach(layer, model.get_decoder().layers[layer - 1], weight.to(model.device))

    def _attach(self, number: int, layer: torch.nn.Module, weight: torch.Tensor) -> None:
        def hear(_layer: torch.nn.Module, _inputs: Any, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            self._said[number] = hidden[:, -1].float() @ weight

        layer.register_forward_hook(hear)

    def newest(self) -> list[float]:
        """Return what the verifier says of the newest token of each row of the last pass."""
        found: list[float] = (torch.stack(list(self._said.values())).sum(0) + self._bias).tolist()
        return found


@torch.no_grad()
def hidden_means(model: Any, tokenizer: Any, lines: Sequence[Line], layers: Sequence[int]) -> torch.Tensor:
    """Return what the layers hold of each line, the mean over its tokens: (lines, layers times size)."""
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
            found[place] = held[sources[1:]].mean(0).cpu()
    return torch.stack(found)
