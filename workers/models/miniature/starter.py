"""The starter image model as a folder that diffusers loads: our weights, and the text encoder out of its package.

The folder is put together once, under another name, and renamed at the end, so that a kill leaves nothing that could be
taken for a model.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

from core.errors import ModelLoadError
from workers.models.miniature.text import minilm_folder, tokenizer_and_encoder
from workers.models.miniature.weights import SHIPPED
from workers.models.starter import SUMS_NAME, draft_of, make_once, put_in_place, sha256_of

NOTICE = Path(__file__).parent / "NOTICE"
LIBRARY = "library.safetensors"


def starter_folder(cache: Path, weights: Path = SHIPPED) -> Path:
    """Return the folder of the starter image model below `cache`; put it together if it is not there or was damaged."""
    folder = cache / f"miniature-{_fingerprint(weights)}"
    make_once(folder, lambda: _assemble(weights, folder))
    return folder


def _fingerprint(weights: Path) -> str:
    digest = hashlib.sha256()
    for file in (*_files(weights), minilm_folder() / "model.safetensors"):
        digest.update(sha256_of(file).encode())
    return digest.hexdigest()[:8]


def _files(weights: Path) -> list[Path]:
    files = [weights / name / "diffusion_pytorch_model.safetensors" for name in ("unet", "vae")] + [weights / LIBRARY]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ModelLoadError(
            f"the starter image model is not trained here ({missing[0]} is missing): "
            "run `factory models train-starter image`, or set FACTORY_IMAGE_MODEL to a pipeline"
        )
    return files


def _assemble(weights: Path, folder: Path) -> None:
    draft = draft_of(folder)
    try:
        _pipeline(weights).save_pretrained(draft)
        shutil.copy(NOTICE, draft / NOTICE.name)
        shutil.copy(weights / LIBRARY, draft / LIBRARY)
        files = sorted(path for path in draft.rglob("*") if path.is_file())
        sums = {path.relative_to(draft).as_posix(): sha256_of(path) for path in files}
        (draft / SUMS_NAME).write_text(json.dumps(sums, indent=1), encoding="utf-8")
        # What was written under a temporary name is private; a model may be read by every account that runs a worker.
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _pipeline(weights: Path) -> Any:
    tokenizer, encoder = tokenizer_and_encoder()
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(weights / "vae", dtype=torch.float16),
        text_encoder=encoder.half(),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel.from_pretrained(weights / "unet", dtype=torch.float16),
        # Rectified flow inside the pipeline of Stable Diffusion.
        scheduler=DPMSolverMultistepScheduler(
            num_train_timesteps=1000,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=1.0,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
