"""How well a picture shows what a prompt asks for: a small network that maps latents into the space of the text.

Trained by contrast (InfoNCE): of a batch of concepts, each picture must find its own caption and each caption its
picture. It measures the painter, and picks the best of several pictures.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from workers.models.device import CPU
from workers.models.miniature.examples import Examples
from workers.models.miniature.text import WIDTH
from workers.models.miniature.vae import LATENT_CHANNELS
from workers.models.training import generator_at, warm_and_fall

BATCH = 96
LEARNING_RATE = 2e-3
MOST_NOISE = 0.6
SEED = 3


class Scorer(nn.Module):
    """Picture and text, each as one unit vector; their product is the score."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, 64, 3, 2, 1),
            nn.GroupNorm(8, 64),
            nn.SiLU(),
            nn.Conv2d(64, 128, 3, 2, 1),
            nn.GroupNorm(8, 128),
            nn.SiLU(),
            nn.Conv2d(128, 192, 3, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(192 * 4, WIDTH),
        )
        self.text = nn.Linear(WIDTH, WIDTH)
        self.sharpness = nn.Parameter(torch.tensor(2.5))

    def of_pictures(self, latents: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of latents (B, 8, 16, 16)."""
        return F.normalize(self.picture(latents), dim=1)

    def of_texts(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return unit vectors of text vectors (B, 384)."""
        return F.normalize(self.text(vectors), dim=1)


class ScorerTraining:
    """The scorer under training."""

    def __init__(self, examples: Examples, device: torch.device = CPU) -> None:
        torch.manual_seed(SEED)
        self.examples = examples
        self.device = device
        self.scorer = Scorer().to(device)
        self.adam = torch.optim.AdamW(self.scorer.parameters(), lr=0.0, weight_decay=0.02)
        self.modules = {"scorer": self.scorer}
        self.optimizers = {"adam": self.adam}

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        """Take one step; return the loss."""
        generator = generator_at(SEED, step)
        concepts = torch.randperm(len(self.examples.originals), generator=generator)[:BATCH]
        latents, drawn = self.examples.draw(concepts, generator)
        amount = MOST_NOISE * torch.rand(len(concepts), 1, 1, 1, generator=generator)
        latents = (latents + amount * torch.randn(latents.shape, generator=generator)).to(self.device)
        vectors = self.examples.vectors[drawn].to(self.device)
        pictures, texts = self.scorer.of_pictures(latents), self.scorer.of_texts(vectors)
        logits = pictures @ texts.T * self.scorer.sharpness.exp()
        own = torch.arange(len(concepts), device=self.device)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        self.adam.param_groups[0]["lr"] = LEARNING_RATE * warm_and_fall(step, steps)
        self.adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()
        return {"loss": float(loss.detach())}
