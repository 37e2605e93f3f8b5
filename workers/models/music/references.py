"""From a reference to a model of music: the starter, a folder or a hub id; only safetensors, no code of its own."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers.utils import logging as transformers_logging

from core.errors import ModelLoadError
from core.learners import COMPOSER, type_of_folder
from core.logs import take_over
from workers.models.device import device_of, dtype_of, exact_dtype
from workers.models.music import model
from workers.models.music.ace_step import AceStep
from workers.models.music.model import STARTER, MusicModel
from workers.models.music.musicgen import MusicGen
from workers.models.music.recorded import RecordedMusicModel
from workers.models.music.weights import SHIPPED
from workers.models.starter import sha256_of

logger = logging.getLogger(__name__)

WANTED = ["*.json", "*.safetensors", "*.txt", "*.model"]
MUSICGEN, ACE_STEP = "musicgen", "AceStepPipeline"
RECORDERS: dict[str, type[MusicGen | AceStep]] = {MUSICGEN: MusicGen, ACE_STEP: AceStep}


def load(
    reference: str, device: str, dtype: str, cache: Path, threads: int, adapter: str | None = None
) -> MusicModel | RecordedMusicModel:
    """Load `starter`, or a folder or hub id of the starter's kind, of MusicGen or of ACE-Step.

    Those of the starter's kind take a LoRA adapter, a folder of peft.
    Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
    """
    if threads:
        torch.set_num_threads(threads)
    _quieten()
    place = device_of(device)
    adapter_folder = Path(adapter) if adapter else None
    if reference == STARTER:
        return model.load(STARTER, place, adapter=adapter_folder)
    folder = Path(reference) if Path(reference).is_dir() else _fetched(reference, cache)
    kind = _kind_of(folder)
    name = folder.resolve().name if Path(reference).is_dir() else reference
    if kind == COMPOSER:
        return model.load(name, place, folder, adapter_folder)
    if kind not in RECORDERS:
        raise ModelLoadError(
            f"{reference!r} is {kind or 'no model of music'}: FACTORY_MUSIC_MODEL takes `starter`, a folder that "
            "`factory models train-starter music` exported, MusicGen of transformers, or ACE-Step of diffusers"
        )
    if adapter:
        raise ModelLoadError(f"{kind} takes no adapter here: only models of the starter's kind do")
    recorder = _opened(kind, folder, name, place, dtype_of(dtype, exact_dtype(place)))
    if recorder.licence_warning:
        logger.warning("%s: %s", name, recorder.licence_warning)
    return RecordedMusicModel(recorder)


def composer_folder(reference: str, cache: Path) -> Path:
    """Return the weights of a model of the starter's kind, which alone can learn from ratings.

    Raises ModelLoadError for every other one.
    """
    if reference == STARTER:
        return SHIPPED
    folder = Path(reference) if Path(reference).is_dir() else _fetched(reference, cache)
    kind = _kind_of(folder)
    if kind != COMPOSER:
        raise ModelLoadError(
            f"{reference!r} is {kind or 'no model of music'}, which does not learn from ratings: models of the "
            "starter's kind do, set FACTORY_MUSIC_MODEL to one"
        )
    return folder


def _opened(kind: str, folder: Path, name: str, place: torch.device, dtype: torch.dtype) -> Any:
    files = sorted(folder.rglob("*.safetensors"))
    digest = hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()
    try:
        return RECORDERS[kind](folder, f"{name}@{digest[:8]}", place, dtype)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, ImportError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        raise ModelLoadError(
            f"no {kind} can be loaded from {folder}: {reason}; a whole folder written by save_pretrained is needed, "
            "with *.safetensors"
        ) from error


def _fetched(reference: str, cache: Path) -> Path:
    try:
        return Path(snapshot_download(reference, cache_dir=cache / "hub", allow_patterns=WANTED))
    except (OSError, HFValidationError) as error:
        raise ModelLoadError(
            f"music model {reference!r} is no existing folder and cannot be fetched from the hub "
            f"({type(error).__name__}): check the path, or the id and the network, "
            "or set FACTORY_MUSIC_MODEL to `starter`"
        ) from error


def _kind_of(folder: Path) -> str:
    try:
        return type_of_folder(folder)
    except (OSError, ValueError) as error:
        raise ModelLoadError(str(error)) from error


def _quieten() -> None:
    """Leave bars of progress to terminals, and prompts out of logs."""
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    take_over()
