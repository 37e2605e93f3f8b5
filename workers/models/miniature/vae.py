"""The autoencoder: pictures of 128 pixels to latents of 8 x 16 x 16 and back, sharpened by an adversary.

The adversary is a patch discriminator with spectral norm; the autoencoder is also asked to match its features. In the
second part of the training noise is laid on the latents, so that small errors of the flow network decode cleanly.
The encoder is ready at half of the steps: from then on the latents stay as they are, and only the decoder and its
adversary learn, so that the flow network can be trained beside them.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from diffusers import AutoencoderKL
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from workers.models.device import CPU, quick_dtype
from workers.models.miniature.colours import TO_YIQ, turn
from workers.models.miniature.pictures import SIZE, Pictures
from workers.models.muon import has_finite_gradients, optimizers
from workers.models.training import generator_at, warm_and_fall

LATENT_CHANNELS = 8
CHANNELS = (16, 32, 64, 128)
CROP = 64
CROP_BATCH = 8
FULL_BATCH = 3
LEARNING_RATE = 1e-3
# Muon's steps have a size of their own.
MUON_FACTOR = 10
KL_WEIGHT = 1e-3
ADVERSARY_WEIGHT = 0.02
FEATURE_WEIGHT = 0.5
ENCODER_UNTIL = 0.5
ADVERSARY_FROM = 0.5
FULL_FROM = 0.75
NOISE_FROM = 0.4
MOST_NOISE = 0.4
SEED = 1


def new_vae() -> Any:
    """Return an untrained autoencoder."""
    blocks = len(CHANNELS)
    vae: Any = AutoencoderKL(
        in_channels=4,
        out_channels=4,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        # Norms over groups of few channels erase the colour.
        norm_num_groups=1,
        sample_size=SIZE,
        scaling_factor=1.0,
        force_upcast=False,
    )
    return vae.to(memory_format=torch.channels_last)


class Discriminator(nn.Module):
    """Says of each patch whether it is real."""

    def __init__(self, in_channels: int = 4, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(in_channels, width, 4, 2, 1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, 2, 1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, 1, 1)),
            ]
        )
        self.verdict = nn.Conv2d(4 * width, 1, 3, 1, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the verdict on each patch and the features on the way."""
        features = []
        for layer in self.layers:
            pixels = F.leaky_relu(layer(pixels), 0.2)
            features.append(pixels)
        return self.verdict(pixels), features


def hinge(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Return the loss of a discriminator."""
    return F.relu(1 - real.float()).mean() + F.relu(1 + made.float()).mean()


def autocast(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where it is safe, on a device that is quick with it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=quick_dtype(device) == torch.bfloat16)


class VaeTraining:
    """The autoencoder and its adversary under training."""

    def __init__(self, pictures: Pictures, device: torch.device = CPU, batches: int = 1) -> None:
        torch.manual_seed(SEED)
        self.pixels = pictures.pixels
        self.seen, _ = pictures.split()
        self.device, self.batches = device, batches
        self.vae = new_vae().to(device)
        adversary: Any = Discriminator().to(device)
        self.adversary = adversary.to(memory_format=torch.channels_last)
        encoder = nn.ModuleList([self.vae.encoder, self.vae.quant_conv])
        decoder = nn.ModuleList([self.vae.decoder, self.vae.post_quant_conv])
        self.of_encoder, self.of_decoder = optimizers(encoder), optimizers(decoder)
        self.adversary_adam = torch.optim.AdamW(self.adversary.parameters(), lr=4e-4, betas=(0.5, 0.9))
        self.modules = {"vae": self.vae, "adversary": self.adversary}
        names = ("encoder-muon", "encoder-adam", "decoder-muon", "decoder-adam", "adversary")
        every = (*self.of_encoder, *self.of_decoder, self.adversary_adam)
        self.optimizers = dict(zip(names, every, strict=True))

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step of both; return the losses."""
        progress = step / steps
        generator = generator_at(SEED, step)
        # Whole pictures teach the norms and the attention, crops show more of the details.
        is_full = progress >= FULL_FROM or step % 2 == 1
        real = self.batch(generator, SIZE if is_full else CROP, self.batches * (FULL_BATCH if is_full else CROP_BATCH))
        with torch.set_grad_enabled(step < int(steps * ENCODER_UNTIL)):
            latents, divergence = self._encode(real, generator, noise=MOST_NOISE if progress >= NOISE_FROM else 0.0)
        with autocast(self.device):
            made = self.vae.decode(latents).sample.float()
        losses = {**_differences(made, real), "kl": divergence}
        loss = losses["l1"] + 0.5 * losses["edges"] + losses["colour"] + KL_WEIGHT * divergence
        strength = min(1.0, (progress - ADVERSARY_FROM) * 10)
        if strength > 0:
            verdict, features = self._judge(made, real)
            loss = loss + strength * (ADVERSARY_WEIGHT * verdict + FEATURE_WEIGHT * features)
            losses |= {"features": features}
        self._step_vae(loss, step, steps)
        if strength > 0:
            losses |= {"adversary": self._step_adversary(real, made.detach())}
        zero = torch.zeros((), device=self.device)
        return {
            key: float(losses.get(key, zero).detach())
            for key in ("l1", "edges", "colour", "kl", "features", "adversary")
        }

    def batch(self, generator: torch.Generator, size: int, count: int) -> torch.Tensor:
        """Return random crops in -1..1, some mirrored, some in another hue; mostly empty ones are drawn again."""
        crops = [self._crop(generator, size) for _ in range(count)]
        pixels = torch.stack(crops).to(self.device).float() / 255
        is_turned = torch.rand(count, generator=generator) < 0.4
        angles = torch.rand(count, generator=generator) * 2 * torch.pi * is_turned
        return (turn(pixels, angles.to(self.device)) * 2 - 1).contiguous(memory_format=torch.channels_last)

    def _crop(self, generator: torch.Generator, size: int) -> torch.Tensor:
        def below(end: int) -> int:
            return int(torch.randint(end, (), generator=generator))

        picture = self.pixels[self.seen[below(len(self.seen))]]
        for _ in range(3):
            top, left = below(SIZE - size + 1), below(SIZE - size + 1)
            crop = picture[:, top : top + size, left : left + size]
            if crop[3].float().mean() > 25:
                break
        return crop.flip(2) if below(2) else crop

    def _encode(
        self, real: torch.Tensor, generator: torch.Generator, noise: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sampled latents and their divergence from a unit normal."""
        with autocast(self.device):
            posterior = self.vae.encode(real).latent_dist
        mean, logvar = posterior.mean.float(), posterior.logvar.float()
        divergence = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        own = (0.5 * logvar).exp() * torch.randn(mean.shape, generator=generator).to(self.device)
        spread = mean.detach().std(dim=(0, 2, 3), keepdim=True)
        amount = noise * torch.rand(len(real), 1, 1, 1, generator=generator)
        laid = (amount * torch.randn(mean.shape, generator=generator)).to(self.device)
        return mean + own + spread * laid, divergence

    def _judge(self, made: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with autocast(self.device):
            verdict, made_features = self.adversary(made)
            with torch.no_grad():
                _, real_features = self.adversary(real)
        distances = [
            (one.float() - other.float()).abs().mean() for one, other in zip(made_features, real_features, strict=True)
        ]
        return -verdict.float().mean(), torch.stack(distances).mean()

    def _step_vae(self, loss: torch.Tensor, step: int, steps: int) -> None:
        encoder_steps = int(steps * ENCODER_UNTIL)
        learners = [(self.of_decoder, warm_and_fall(step, steps))]
        if step < encoder_steps:
            learners.append((self.of_encoder, warm_and_fall(step, encoder_steps)))
        for (muon, adam), part in learners:
            muon.param_groups[0]["lr"] = MUON_FACTOR * LEARNING_RATE * part
            adam.param_groups[0]["lr"] = LEARNING_RATE * part
        self.vae.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if not has_finite_gradients(self.vae):
            return
        for (muon, adam), _ in learners:
            torch.nn.utils.clip_grad_norm_(adam.param_groups[0]["params"], 1.0)
            muon.step()
            adam.step()

    def _step_adversary(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        with autocast(self.device):
            loss = hinge(self.adversary(real)[0], self.adversary(made)[0])
        self.adversary_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adversary_adam.step()
        return loss.detach()


def _differences(made: torch.Tensor, real: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return how far a picture is off: in its values, in its edges, and in the colour of its areas."""
    error = made - real
    edges = error.diff(dim=3).abs().mean() + error.diff(dim=2).abs().mean()
    areas = F.avg_pool2d(error[:, :3], 4)
    chroma = torch.einsum("ij,bjhw->bihw", TO_YIQ[1:].to(areas.device), areas)
    return {"l1": error.abs().mean(), "edges": edges, "colour": areas.abs().mean() + 2 * chroma.abs().mean()}


@torch.no_grad()
def fold_whitening(vae: Any, pixels: torch.Tensor) -> None:
    """Scale the latents of these pictures to mean 0 and variance 1 a channel, within the two outermost layers."""
    latents = encode(vae, pixels).to(vae.device)
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    count = len(mean)
    into, out_of = vae.quant_conv, vae.post_quant_conv
    into.weight[:count] /= spread.view(-1, 1, 1, 1)
    into.bias[:count] = (into.bias[:count] - mean) / spread
    into.bias[count:] -= 2 * spread.log()
    out_of.bias += torch.einsum("oi,i->o", out_of.weight[:, :, 0, 0], mean)
    out_of.weight *= spread.view(1, -1, 1, 1)


@torch.no_grad()
def encode(vae: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return the latents (B, 8, 16, 16) of pictures (B, 4, 128, 128) in bytes."""
    parts = (part.to(vae.device).float() / 127.5 - 1 for part in torch.split(pixels, 16))
    return torch.cat([vae.encode(part).latent_dist.mean.cpu() for part in parts])


@torch.no_grad()
def decode(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Return pictures in bytes from latents."""
    values = torch.cat([vae.decode(part.to(vae.device)).sample.cpu() for part in torch.split(latents, 16)])
    return ((values.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def psnr(vae: Any, pixels: torch.Tensor) -> float:
    """Return the mean peak signal-to-noise ratio of reconstructed pictures in dB."""
    errors = (decode(vae, encode(vae, pixels)).float() - pixels.float()).square().mean((1, 2, 3)) / 255**2
    return float((-10 * errors.clamp(min=1e-10).log10()).mean())
