"""How much of a known noise a pipeline leaves in a known picture: what Diffusion-DPO learns by and the gate judges by.

Pipelines hand their network more than a noisy picture and its time, and each hands it something else. So a pipeline is
run until it calls its network for the first time, and what it hands over is kept and used again with other pictures.
"""

import inspect
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from core.errors import ImpossibleWorkError, ModelLoadError
from workers.models.image import sequence_length
from workers.models.image_pipelines import denoiser_of
from workers.models.miniature.flow import STRENGTH
from workers.models.miniature.pipeline import MiniaturePipeline

NOISE_TIMES = 1000
FLOW = "flow_prediction"
PREDICTIONS = ("epsilon", "v_prediction", FLOW)


class _Called(Exception):  # noqa: N818 - ends a run in good order, and never leaves this module
    """The pipeline has called its network."""


@dataclass(frozen=True)
class Ask:
    """A prompt and the size in pixels that it is painted in."""

    prompt: str
    width: int
    height: int


@dataclass(frozen=True)
class Call:
    """What a pipeline hands its network for one prompt, beside the noisy picture and the time."""

    others: Mapping[str, Any]
    sample_name: str
    # Of the picture, as the network reads it: pixels in rows and columns, or in one row of patches.
    has_patches: bool
    # The time that was handed over, for its shape and type, and what a time of the schedule is multiplied by.
    time: torch.Tensor
    time_factor: float


def ask_of(recipe: Mapping[str, Any]) -> Ask:
    """Return what a manifest's recipe says was asked for; raises ImpossibleWorkError for one that does not say."""
    prompt, width, height = (recipe.get(name) for name in ("prompt", "width", "height"))
    if not isinstance(prompt, str) or not isinstance(width, int) or not isinstance(height, int):
        raise ImpossibleWorkError("its manifest holds no prompt and size, so nothing can learn from it")
    return Ask(prompt, width, height)


class Denoising:
    """A loaded pipeline, as something that takes noise away."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._network: Any = denoiser_of(pipe)
        self._takes = inspect.signature(pipe.__call__).parameters
        self._prediction = _prediction_of(pipe)
        # The starter never begins with noise alone, so more of it need not be known.
        self._most = STRENGTH if isinstance(pipe, MiniaturePipeline) else 1.0
        self._calls: dict[Ask, Call] = {}

    @torch.no_grad()
    def latents(self, data: bytes | Path, ask: Ask) -> torch.Tensor:
        """Return a delivered picture as the network knows it (1, C, H, W), in the size that it was painted in."""
        vae = self._pipe.vae
        pixels = _pixels(data, ask, has_alpha=getattr(vae.config, "in_channels", 3) == len("RGBA"))
        found = vae.encode(pixels.to(vae.device, vae.dtype))
        latents = found.latent_dist.mode() if hasattr(found, "latent_dist") else found.latents
        shift, factor = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
        scaled: torch.Tensor = (latents.float() - shift) * factor
        return scaled

    def error(self, ask: Ask, latents: torch.Tensor, noise: torch.Tensor, part: float) -> torch.Tensor:
        """Return the mean squared error of what the network says of a noisy picture; 0 to 1 says how noisy it is."""
        call = self._call(ask)
        noisy, target, time = self._noised(latents, noise.to(latents), part)
        if call.has_patches:
            noisy, target = (self._patches(one) for one in (noisy, target))
        arguments = {
            **call.others,
            call.sample_name: noisy.to(self._network.dtype),
            "timestep": torch.full_like(call.time, time * call.time_factor),
        }
        said = self._network(**arguments)[0].float()
        # Some networks also say how sure they are, in further channels.
        error: torch.Tensor = (said[:, : target.shape[1]] - target).square().mean()
        return error

    def _noised(
        self, latents: torch.Tensor, noise: torch.Tensor, part: float
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Return a noisy picture, what the network shall say of it, and the time that stands for so much noise."""
        if self._prediction == FLOW:
            share = part * self._most
            return (1 - share) * latents + share * noise, noise - latents, share * NOISE_TIMES
        kept_of = self._pipe.scheduler.alphas_cumprod
        time = min(int(part * len(kept_of)), len(kept_of) - 1)
        kept = float(kept_of[time])
        own, foreign = kept**0.5, (1 - kept) ** 0.5
        target = noise if self._prediction == "epsilon" else own * noise - foreign * latents
        return own * latents + foreign * noise, target, float(time)

    def _patches(self, latents: torch.Tensor) -> torch.Tensor:
        packed: torch.Tensor = self._pipe._pack_latents(latents, *latents.shape)  # noqa: SLF001 - no other door
        return packed

    def _call(self, ask: Ask) -> Call:
        if ask not in self._calls:
            self._calls[ask] = self._listened(ask)
        return self._calls[ask]

    @torch.no_grad()
    def _listened(self, ask: Ask) -> Call:
        heard: dict[str, Any] = {}
        hook = self._network.register_forward_pre_hook(_listener(self._network, heard), with_kwargs=True)
        try:
            self._pipe(**self._arguments(ask))
        except _Called:
            return _call_of(heard, type(self._pipe))
        finally:
            hook.remove()
            self._pipe.maybe_free_model_hooks()
        raise ModelLoadError(f"{type(self._pipe).__name__} never calls its network: it cannot learn from ratings")

    def _arguments(self, ask: Ask) -> dict[str, Any]:
        wanted = {
            "prompt": [ask.prompt],
            "generator": [torch.Generator().manual_seed(0)],
            "num_inference_steps": 2,
            "width": ask.width,
            "height": ask.height,
            "max_sequence_length": sequence_length(self._pipe),
            "use_resolution_binning": False,
        }
        # A distilled network is told its guidance; the others would be asked twice, for the prompt and without it.
        if not getattr(self._network.config, "guidance_embeds", False):
            wanted["guidance_scale"] = 1.0
        return {name: value for name, value in wanted.items() if name in self._takes and value is not None}


def _listener(network: Any, heard: dict[str, Any]) -> Callable[..., None]:
    signature = inspect.signature(network.forward)

    def listen(_network: Any, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        heard.update(signature.bind(*values, **named).arguments)
        raise _Called

    return listen


def _call_of(heard: Mapping[str, Any], kind: type) -> Call:
    name = next((one for one in ("sample", "hidden_states") if one in heard), "")
    sample, time = heard.get(name), heard.get("timestep")
    if sample is None or time is None or len(sample) != 1 or sample.dim() not in {3, 4}:
        raise ModelLoadError(f"{kind.__name__} hands its network something unknown here: it cannot learn from ratings")
    if sample.dim() == 3 and not hasattr(kind, "_pack_latents"):
        raise ModelLoadError(f"{kind.__name__} cuts pictures in a way unknown here: it cannot learn from ratings")
    moment = time if isinstance(time, torch.Tensor) else torch.tensor(time)
    others = {key: value for key, value in heard.items() if key not in {name, "timestep"}}
    # The first time of all is the noisiest; where it is no more than 1, times are told as parts.
    factor = 1 / NOISE_TIMES if float(moment.flatten()[0]) <= 1 else 1.0
    return Call(others, name, sample.dim() == 3, moment.clone(), factor)


def _prediction_of(pipe: Any) -> str:
    scheduler = pipe.scheduler
    name = type(scheduler).__name__
    said = FLOW if "FlowMatch" in name else getattr(scheduler.config, "prediction_type", "")
    if said not in PREDICTIONS or (said != FLOW and not hasattr(scheduler, "alphas_cumprod")):
        raise ModelLoadError(f"pipelines with a {name} cannot learn from ratings: their noise is unknown here")
    return str(said)


def _pixels(data: bytes | Path, ask: Ask, *, has_alpha: bool) -> torch.Tensor:
    """Return a picture (1, C, H, W) from -1 to 1; a subject with alpha lies on white, as its autoencoder knows it."""
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        whole = image.convert("RGBA") if has_alpha else image.convert("RGB")
    fitted = ImageOps.fit(whole, (ask.width, ask.height), Image.Resampling.LANCZOS)
    planes = torch.from_numpy(np.array(fitted, dtype=np.float32).transpose(2, 0, 1)) / 255
    if has_alpha:
        alpha = planes[3:]
        planes = torch.cat([planes[:3] * alpha + 1 - alpha, alpha])
    return planes[None] * 2 - 1
