"""What the networks in the latent space learn from: latents of every concept, shifted, scaled, mirrored and recoloured.

Built once from the pictures, the encoder and the text encoder, and kept in the cache.
"""

import hashlib
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from safetensors import safe_open
from safetensors.torch import save_file

from workers.models.miniature.colours import NAMED, angle_of, hue_of, name_of, turn
from workers.models.miniature.concepts import Concept, captions, concepts
from workers.models.miniature.pictures import Pictures
from workers.models.miniature.text import TextEncoder, tokenizer_and_encoder
from workers.models.miniature.vae import encode

# Views of one picture: the first is the picture as it is.
VIEWS = 8
OTHER_HUES = 3
# Never larger than it is, and moved only as far as it then stays whole.
LEAST_SCALE = 0.84
# Of the drawn examples of a concept that has recoloured ones, this part shows it as it is.
ORIGINALS = 0.5


@dataclass(frozen=True)
class Item:
    """One concept in one colour, and its captions."""

    concept: int
    angle: float
    captions: tuple[str, ...]
    may_be_mirrored: bool


@dataclass(frozen=True)
class Examples:
    """Latents (items, views, 8, 16, 16), text states and vectors of captions; the last caption is the empty one."""

    latents: torch.Tensor
    states: torch.Tensor
    vectors: torch.Tensor
    concept_of_item: torch.Tensor
    # For each item: where its captions begin and end.
    captions_of_item: torch.Tensor

    @property
    def originals(self) -> torch.Tensor:
        """Return the items that show a concept as it is, in the order of the concepts."""
        _, first = torch.unique_consecutive(self.concept_of_item, return_counts=True)
        return torch.cat([torch.zeros(1, dtype=torch.long), first.cumsum(0)[:-1]])

    def draw(self, concepts: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents of these concepts, each in a random colour and view, and the number of a caption of each."""
        items = self._draw_items(concepts, generator)
        chosen = torch.randint(VIEWS, (len(items),), generator=generator)
        bounds = self.captions_of_item[items]
        lengths = bounds[:, 1] - bounds[:, 0]
        drawn = bounds[:, 0] + (torch.rand(len(items), generator=generator) * lengths).long()
        return self.latents[items, chosen].float(), drawn

    def _draw_items(self, concepts: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        originals = self.originals
        ends = torch.cat([originals[1:], torch.tensor([len(self.latents)])])
        start, others = originals[concepts], (ends - originals)[concepts] - 1
        other = 1 + (torch.rand(len(concepts), generator=generator) * others).long()
        is_original = torch.rand(len(concepts), generator=generator) < ORIGINALS
        return start + torch.where(is_original | (others == 0), 0, other)


def items(every: Sequence[Concept], pictures: Pictures) -> Iterator[Item]:
    """Yield each concept as it is, followed by its recoloured ones."""
    for number, concept in enumerate(every):
        hue = hue_of(pictures.pixels[pictures.position(concept.code)] / 255) if concept.may_be_recoloured else None
        own = captions(concept) if hue is None else captions(concept) + captions(concept, name_of(hue))
        yield Item(number, 0.0, own, concept.may_be_mirrored)
        if hue is not None:
            others = [name for name in NAMED if name != name_of(hue)]
            for name in random.Random(concept.code).sample(others, OTHER_HUES):
                yield Item(number, angle_of(name) - hue, captions(concept, name), concept.may_be_mirrored)


def examples(cache: Path, pictures: Pictures, vae: Any) -> Examples:
    """Return the examples; build them if the cache has none for this list of concepts and this encoder."""
    every = list(items(concepts(), pictures))
    path = cache / f"examples-{_fingerprint(every, vae)}.safetensors"
    if not path.is_file():
        draft = path.with_suffix(f".{os.getpid()}.draft")
        save_file(built(every, pictures, vae), draft)
        draft.replace(path)
    with safe_open(path, framework="pt") as file:
        return Examples(**{name: file.get_tensor(name) for name in Examples.__dataclass_fields__})


def _fingerprint(every: Sequence[Item], vae: Any) -> str:
    digest = hashlib.sha256(json.dumps([[item.concept, item.angle, item.captions] for item in every]).encode())
    # A weight that is trained with the encoder, and not touched when its latents are scaled.
    digest.update(vae.encoder.conv_in.weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def built(every: Sequence[Item], pictures: Pictures, vae: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of the examples of these items."""
    positions = [pictures.position(concept.code) for concept in concepts()]
    latents = [encode(vae, views(pictures.pixels[positions[item.concept]], item)) for item in every]
    texts = [caption for item in every for caption in item.captions]
    ends = torch.tensor([len(item.captions) for item in every]).cumsum(0)
    starts = torch.cat([torch.zeros(1, dtype=torch.long), ends[:-1]])
    tokenizer, encoder = tokenizer_and_encoder()
    states, vectors = TextEncoder(tokenizer, encoder.to(vae.device)).read([*texts, ""])
    return {
        "latents": torch.stack(latents).bfloat16().contiguous(),
        "states": states.cpu().bfloat16(),
        "vectors": vectors,
        "concept_of_item": torch.tensor([item.concept for item in every]),
        "captions_of_item": torch.stack([starts, ends], dim=1),
    }


def views(picture: torch.Tensor, item: Item) -> torch.Tensor:
    """Return a picture (4, H, W) in bytes as the views of an item: first as it is, then shifted, scaled, mirrored."""
    generator = torch.Generator().manual_seed(item.concept * 1000 + round(item.angle * 100) % 1000)
    chance = torch.rand(VIEWS, 4, generator=generator)
    scales = LEAST_SCALE + chance[:, 0] * (1 - LEAST_SCALE)
    mirrored = torch.where((chance[:, 1] < 0.5) & torch.tensor(item.may_be_mirrored), -1.0, 1.0)
    shifts = (chance[:, 2:] * 2 - 1) * (1 - scales[:, None]) / scales[:, None]
    scales[0], mirrored[0], shifts[0] = 1.0, 1.0, 0.0
    maps = torch.zeros(VIEWS, 2, 3)
    maps[:, 0, 0], maps[:, 1, 1], maps[:, :, 2] = mirrored / scales, 1 / scales, shifts
    pixels = turn((picture.float() / 255).expand(VIEWS, -1, -1, -1), torch.full((VIEWS,), item.angle))
    # What is moved in from outside is white and transparent: zero once it is turned round.
    blank = torch.tensor([1.0, 1.0, 1.0, 0.0]).view(1, 4, 1, 1)
    grid = F.affine_grid(maps, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels - blank, grid, mode="bicubic", align_corners=False) + blank
    # The first view is exact, not resampled.
    moved[0] = pixels[0]
    return (moved.clamp(0, 1) * 255).round().to(torch.uint8)
