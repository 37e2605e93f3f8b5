"""The painter: a network that flows from noise to the latents of a picture, led by the text states of a prompt.

Rectified flow: x(t) = (1 - t) * picture + t * noise, and the network predicts noise - picture at time 1000 * t.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import UNet2DConditionModel

from workers.models.device import CPU
from workers.models.miniature.examples import Examples
from workers.models.miniature.text import WIDTH
from workers.models.miniature.vae import LATENT_CHANNELS, autocast
from workers.models.muon import has_finite_gradients, optimizers
from workers.models.training import generator_at, warm_and_fall

LATENT_SIZE = 16
LATENT_SHAPE = (LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE)
CHANNELS = (64, 128, 192)
HEAD_WIDTH = 32
BATCH = 32
MUON_RATE = 1e-2
ADAM_RATE = 1e-3
EMPTY_PROMPTS = 0.12
MOST_AVERAGING = 0.999
SEED = 2
GUIDANCE = 3.0
STEPS = 20
# How much of a picture that starts from the nearest concept is painted anew, from 0 (nothing) to 1 (all of it).
STRENGTH = 0.5


def new_unet(channels: Sequence[int] = CHANNELS) -> Any:
    """Return an untrained network."""
    unet: Any = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=tuple(channels),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        # diffusers calls the number of heads so.
        attention_head_dim=tuple(width // HEAD_WIDTH for width in channels),
        norm_num_groups=16,
    )
    return unet.to(memory_format=torch.channels_last)


class FlowTraining:
    """The network under training, and its running average, which is what gets used."""

    def __init__(
        self,
        examples: Examples,
        channels: Sequence[int] = CHANNELS,
        batch: int = BATCH,
        device: torch.device = CPU,
    ) -> None:
        torch.manual_seed(SEED)
        self.examples = examples
        self.batch = batch
        self.device = device
        self.unet = new_unet(channels).to(device)
        self.average = copy.deepcopy(self.unet).eval().requires_grad_(requires_grad=False)
        self.muon, self.adam = optimizers(self.unet, exclude=("conv_in", "conv_out", "time_emb"))
        self.modules = {"unet": self.unet, "average": self.average}
        self.optimizers = {"muon": self.muon, "adam": self.adam}

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step; return the loss."""
        generator = generator_at(SEED, step)
        concepts = torch.randint(len(self.examples.originals), (self.batch,), generator=generator)
        pictures, drawn = self.examples.draw(concepts, generator)
        drawn[torch.rand(self.batch, generator=generator) < EMPTY_PROMPTS] = len(self.examples.states) - 1
        states = self.examples.states[drawn].to(self.device).float()
        times = torch.sigmoid(torch.randn(self.batch, 1, 1, 1, generator=generator))
        noise = torch.randn(pictures.shape, generator=generator)
        pictures, times, noise = pictures.to(self.device), times.to(self.device), noise.to(self.device)
        mixed = ((1 - times) * pictures + times * noise).contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            velocity = self.unet(mixed, times.flatten() * 1000, states).sample
        loss = F.mse_loss(velocity.float(), noise - pictures)
        self._step(loss, step, steps)
        return {"loss": float(loss.detach())}

    def _step(self, loss: torch.Tensor, step: int, steps: int) -> None:
        part = warm_and_fall(step, steps)
        self.muon.param_groups[0]["lr"] = MUON_RATE * part
        self.adam.param_groups[0]["lr"] = ADAM_RATE * part
        self.unet.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if not has_finite_gradients(self.unet):
            return
        torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
        self.muon.step()
        self.adam.step()
        averaging = min(MOST_AVERAGING, (1 + step) / (20 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.unet.parameters()), 1 - averaging)


def seeded_noise(seeds: Sequence[int]) -> torch.Tensor:
    """Return the noise of each seed, whatever its neighbours."""
    return torch.stack([torch.randn(LATENT_SHAPE, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def paint(  # noqa: PLR0913
    unet: Callable[..., Any],
    states: torch.Tensor,
    empty: torch.Tensor,
    noise: torch.Tensor,
    *,
    reference: torch.Tensor | None = None,
    strength: float = 1.0,
    steps: int = STEPS,
    guidance: float = GUIDANCE,
) -> torch.Tensor:
    """Return latents for text states (B, T, 384); from pure noise, or from a reference noised to a strength in 0..1.

    `empty` holds the states of what guidance leads away from: one for all, or one for each. A guidance of 1 leads away
    from nothing, and needs half of the work.
    """
    start = 1.0 if reference is None else strength
    latents = noise if reference is None else (1 - start) * reference + start * noise
    is_led = guidance != 1
    context = torch.cat([states, empty.expand_as(states)]) if is_led else states
    times = torch.linspace(start, 0, max(2, round(steps * start)) + 1)
    for now, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        moment = torch.full((len(context),), now * 1000, device=latents.device)
        both = unet(torch.cat([latents, latents]) if is_led else latents, moment, context).sample
        led, free = both.chunk(2) if is_led else (both, both)
        latents = latents + (after - now) * (free + guidance * (led - free))
    return latents
