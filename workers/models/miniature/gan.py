"""Pictures of nothing in particular: a generator that learns the latents of all concepts against an adversary.

It reads no text. It shows what adversarial training alone gives in minutes, and makes abstract subjects.
"""

from collections.abc import Mapping

import torch
from torch import nn

from workers.models.device import CPU
from workers.models.miniature.examples import Examples
from workers.models.miniature.flow import MOST_AVERAGING
from workers.models.miniature.vae import LATENT_CHANNELS, Discriminator, hinge
from workers.models.training import generator_at, warm_and_fall

NOISE = 64
WIDTH = 192
BATCH = 64
LEARNING_RATE = 4e-4
# Noise on what the adversary sees, less and less: else it knows the few real pictures by heart.
MOST_NOISE = 0.5
SEED = 4


class Generator(nn.Module):
    """From 64 random numbers to latents (8, 16, 16)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(NOISE, WIDTH * 16)
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2),
                nn.Conv2d(before, after, 3, 1, 1),
                nn.GroupNorm(8, after),
                nn.SiLU(),
                nn.Conv2d(after, after, 3, 1, 1),
                nn.GroupNorm(8, after),
                nn.SiLU(),
            )
            for before, after in ((WIDTH, WIDTH), (WIDTH, WIDTH // 2))
        )
        self.last = nn.Conv2d(WIDTH // 2, LATENT_CHANNELS, 3, 1, 1)

    def forward(self, noise: torch.Tensor) -> torch.Tensor:
        """Return latents for noise (B, 64)."""
        values = self.first(noise).view(-1, WIDTH, 4, 4)
        for layer in self.layers:
            values = layer(values)
        latents: torch.Tensor = self.last(values)
        return latents

    @torch.no_grad()
    def sample(self, seeds: list[int]) -> torch.Tensor:
        """Return the latents of each seed."""
        noise = [torch.randn(NOISE, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return self(torch.stack(noise).to(self.first.weight.device))  # type: ignore[no-any-return]


class GanTraining:
    """Generator and adversary under training; the running average of the generator is what gets used."""

    def __init__(self, examples: Examples, batch: int = BATCH, device: torch.device = CPU) -> None:
        torch.manual_seed(SEED)
        self.examples = examples
        self.batch = batch
        self.device = device
        self.generator, self.average = (
            Generator().to(device),
            Generator().to(device).requires_grad_(requires_grad=False),
        )
        self.average.load_state_dict(self.generator.state_dict())
        self.adversary = Discriminator(LATENT_CHANNELS, width=64).to(device)
        self.adam = torch.optim.AdamW(self.generator.parameters(), lr=0.0, betas=(0.0, 0.9))
        self.adversary_adam = torch.optim.AdamW(self.adversary.parameters(), lr=0.0, betas=(0.0, 0.9))
        self.modules = {"generator": self.generator, "average": self.average, "adversary": self.adversary}
        self.optimizers = {"adam": self.adam, "adversary": self.adversary_adam}

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step of both; return their losses."""
        chance = generator_at(SEED, step)
        concepts = torch.randint(len(self.examples.originals), (self.batch,), generator=chance)
        real, _ = self.examples.draw(concepts, chance)
        real = real.to(self.device)
        made = self.generator(torch.randn(self.batch, NOISE, generator=chance).to(self.device))
        blur = MOST_NOISE * (1 - step / steps)
        for optimizer, factor in ((self.adam, 1), (self.adversary_adam, 2)):
            optimizer.param_groups[0]["lr"] = factor * LEARNING_RATE * warm_and_fall(step, steps)

        def seen(latents: torch.Tensor) -> torch.Tensor:
            noise = torch.randn(latents.shape, generator=chance)
            verdict: torch.Tensor = self.adversary(latents + blur * noise.to(self.device))[0]
            return verdict

        adversary_loss = hinge(seen(real), seen(made.detach()))
        self.adversary_adam.zero_grad()
        adversary_loss.backward()  # type: ignore[no-untyped-call]
        self.adversary_adam.step()
        loss = -seen(made).mean()
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(current, 1 - min(MOST_AVERAGING, (1 + step) / (20 + step)))
        return {"generator": float(loss.detach()), "adversary": float(adversary_loss.detach())}
