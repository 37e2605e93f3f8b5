"""The weights of the miniature: taken from the checkpoints of a training, shipped in half precision, loaded again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadError, StateError
from workers.models.device import CPU
from workers.models.miniature import library
from workers.models.miniature.concepts import concepts
from workers.models.miniature.examples import Examples, examples
from workers.models.miniature.flow import new_unet
from workers.models.miniature.gan import Generator
from workers.models.miniature.library import Library
from workers.models.miniature.pictures import Pictures, pictures
from workers.models.miniature.scorer import Scorer
from workers.models.miniature.text import TextEncoder
from workers.models.miniature.vae import fold_whitening, new_vae, psnr
from workers.models.training import Plan

SHIPPED = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Networks:
    """All networks of the miniature, ready to use on the CPU in float32."""

    unet: Any
    vae: Any
    scorer: Scorer
    # Nothing where the GAN was not trained.
    generator: Generator | None
    library: Library
    encoder: TextEncoder


@dataclass(frozen=True)
class Record:
    """How far each part was trained, and how well the autoencoder gives pictures back."""

    steps: dict[str, int]
    psnr_seen: float
    psnr_held_out: float


def trained(plan: Plan, module: str) -> dict[str, torch.Tensor]:
    """Return the weights of a module in the checkpoint of a plan, whether that is fulfilled or not."""
    if not plan.checkpoint.is_file():
        raise StateError(
            f"{plan.name} is not trained in {plan.folder}: run `python -m workers.models.miniature.train {plan.name}`"
        )
    tensors = load_file(plan.checkpoint)
    prefix = f"module/{module}/"
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def steps_taken(plan: Plan) -> int:
    """Return how many steps are behind the checkpoint of a plan."""
    return int(load_file(plan.checkpoint)["step"]) if plan.checkpoint.is_file() else 0


def trained_vae(plan: Plan, art: Pictures, device: torch.device = CPU) -> Any:
    """Return the autoencoder of a checkpoint, its latents scaled for the pictures of the concepts."""
    vae = new_vae().to(device)
    vae.load_state_dict(trained(plan, "vae"))
    vae = vae.eval().requires_grad_(requires_grad=False)
    fold_whitening(vae, art.pixels[[art.position(concept.code) for concept in concepts()]])
    return vae


def trained_examples(plan: Plan, art: Pictures, device: torch.device = CPU) -> Examples:
    """Return the examples for the encoder of a checkpoint."""
    return examples(plan.folder, art, trained_vae(plan, art, device))


def export(plans: dict[str, Plan], folder: Path = SHIPPED, device: torch.device = CPU) -> Record:
    """Write what the checkpoints hold into a folder of weights."""
    folder.mkdir(parents=True, exist_ok=True)
    art = pictures(plans["vae"].folder)
    vae = trained_vae(plans["vae"], art, device)
    seen, held_out = art.split()
    record = Record(
        steps={name: steps_taken(plan) for name, plan in plans.items()},
        psnr_seen=round(psnr(vae, art.pixels[seen[:: len(seen) // 100]]), 2),
        psnr_held_out=round(psnr(vae, art.pixels[held_out]), 2),
    )
    learnt = examples(plans["vae"].folder, art, vae)
    originals = learnt.latents[learnt.originals, 0].float()
    library.save(library.new_library(concepts(), originals, TextEncoder()), folder / "library.safetensors")
    unet = new_unet()
    unet.load_state_dict(trained(plans["flow"], "average"))
    for name, model in (("vae", vae), ("unet", unet)):
        model.half().save_pretrained(folder / name)
    # The generator is no part of the painter: it may be trained later, or never.
    others = [("scorer", "scorer"), *([("gan", "average")] if steps_taken(plans["gan"]) else [])]
    for name, module in others:
        halves = {key: value.half() for key, value in trained(plans[name], module).items()}
        save_file(halves, folder / f"{name}.safetensors")
    (folder / "training.json").write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    # safetensors writes files that nobody else may read.
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    return record


def networks(folder: Path = SHIPPED) -> Networks:
    """Load all networks from a folder of weights."""
    if not (folder / "unet" / "config.json").is_file():
        raise ModelLoadError(f"{folder} holds no weights of the starter image model: install the package again")
    scorer, generator = Scorer(), None
    scorer.load_state_dict({key: value.float() for key, value in load_file(folder / "scorer.safetensors").items()})
    if (folder / "gan.safetensors").is_file():
        generator = Generator()
        generator.load_state_dict({key: value.float() for key, value in load_file(folder / "gan.safetensors").items()})
    return Networks(
        unet=UNet2DConditionModel.from_pretrained(folder / "unet", dtype=torch.float32).eval(),
        vae=AutoencoderKL.from_pretrained(folder / "vae", dtype=torch.float32).eval(),
        scorer=scorer.eval(),
        generator=generator.eval() if generator else None,
        library=library.load(folder / "library.safetensors"),
        encoder=TextEncoder(),
    )
