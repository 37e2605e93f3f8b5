"""From a reference to a diffusers pipeline on a device: only safetensors, no code of its own, never fused."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoPipelineForText2Image, DiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError
from transformers.utils import logging as transformers_logging

from core.errors import ModelLoadError
from core.logs import take_over
from workers.models.device import device_of, dtype_of, exact_dtype
from workers.models.miniature import pipeline
from workers.models.miniature.starter import starter_folder
from workers.models.starter import sha256_of

STARTER = "starter"
ADAPTER_WEIGHTS = "pytorch_lora_weights.safetensors"
# What torch can read, and what may run code while it is read.
PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth")
# Characters of what a library says went wrong; some of them tell long stories.
MOST_OF_A_REASON = 200


@dataclass(frozen=True)
class ImageOptions:
    """What a device has room for, and how a distilled pipeline wants to be run."""

    # Where the weights wait for their turn: on the card, or whole networks or single layers in the memory of the host.
    offload: Literal["none", "model", "sequential"] = "none"
    # Attention by parts, and one picture at a time into pixels.
    slicing: bool = False
    # Large pictures into pixels tile by tile, blended where they meet.
    tiling: bool = False
    # Pictures in one call of the pipeline; by default as many as `usual_pass_size` says.
    pass_size: int | None = None
    # Where a brief gives none; the pipeline's own when not given either.
    steps: int | None = None
    guidance: float | None = None


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline on its device, and the name of its weights."""

    pipe: Any
    version: str
    device: str
    dtype: str


def load_pipeline(
    reference: str, adapter: str | None, device: str, dtype: str, cache: Path, options: ImageOptions
) -> LoadedPipeline:
    """Load `starter`, a local folder or a hub id, with a LoRA adapter (a folder or a hub id) or none.

    Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
    """
    _quieten()
    place = device_of(device)
    number_format = dtype_of(dtype, exact_dtype(place))
    if options.offload != "none" and place.type != "cuda":
        raise ModelLoadError(
            f"offloading ({options.offload}) moves weights off a card, but the device is {place}: none"
        )
    folder = _pipeline_folder(reference, cache)
    _refuse_unsafe(folder)
    lora_file = adapter_file(adapter, cache) if adapter else None
    pipe = pipeline.load(folder, number_format) if reference == STARTER else _read_pipeline(folder, number_format)
    if adapter and lora_file:
        add_adapter(pipe, adapter, lora_file)
    _save_memory(pipe, place, options)
    weights = sorted(folder.glob("*/*.safetensors")) + ([lora_file] if lora_file else [])
    name = _name(reference) + (f"+{_name(adapter)}" if adapter else "")
    version = f"{name}@{_sha256(weights)[:8]}"
    return LoadedPipeline(pipe, version, str(place), str(number_format).removeprefix("torch."))


def denoiser_of(pipe: Any) -> Any:
    """Return the network that takes the noise away."""
    return getattr(pipe, "unet", None) or pipe.transformer


def _quieten() -> None:
    """Leave bars to terminals and prompts out of logs: both libraries print what of a prompt they cut off."""
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    take_over()


def _pipeline_folder(reference: str, cache: Path) -> Path:
    if reference == STARTER:
        return starter_folder(cache)
    if Path(reference).is_dir():
        return Path(reference)
    try:
        # Fetches what the pipeline needs, and not the other formats of the same weights.
        return Path(DiffusionPipeline.download(reference, cache_dir=cache / "hub", use_safetensors=True))
    except HFValidationError as error:
        raise ModelLoadError(
            f"image model {reference!r} is neither `starter`, nor an existing folder, nor a hub id like `org/name`"
        ) from error
    except (OSError, ValueError, AttributeError) as error:
        raise ModelLoadError(
            f"image model {reference!r} cannot be fetched from the hub ({_first_line(error)}): "
            "check the id and the network, or set FACTORY_IMAGE_MODEL to `starter` or a pipeline folder"
        ) from error


def _refuse_unsafe(folder: Path) -> None:
    """Refuse what is no pipeline, what brings code, and what holds weights only as pickles."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelLoadError(f"{folder} is no pipeline: {index.name} is missing; a diffusers folder is needed")
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelLoadError(f"{index} is no JSON: {error}") from error
    if not isinstance(parts.get("_class_name"), str) or any(folder.rglob("*.py")):
        raise ModelLoadError(
            f"{folder} brings code of its own, which is never run here: use a stock diffusers pipeline"
        )
    for part in sorted(path for path in folder.iterdir() if path.is_dir() and path.name in parts):
        if any(any(part.glob(kind)) for kind in PICKLES) and not any(part.glob("*.safetensors")):
            raise ModelLoadError(
                f"{part} has no *.safetensors, only pickled weights, which may run code: "
                "save the pipeline again with save_pretrained(folder, safe_serialization=True)"
            )


def adapter_file(adapter: str, cache: Path) -> Path:
    """Return the weights of an adapter, a folder or a hub id; raises ModelLoadError."""
    folder = Path(adapter) if Path(adapter).is_dir() else _fetched_adapter(adapter, cache)
    files = sorted(folder.glob("*.safetensors"))
    named = [file for file in files if file.name == ADAPTER_WEIGHTS]
    if len(named or files) != 1:
        raise ModelLoadError(
            f"adapter {adapter!r} holds {len(files)} *.safetensors files: a folder with one LoRA for the pipeline, "
            f"named {ADAPTER_WEIGHTS}, is needed"
        )
    return (named or files)[0]


def _fetched_adapter(adapter: str, cache: Path) -> Path:
    try:
        return Path(snapshot_download(adapter, cache_dir=cache / "hub", allow_patterns=["*.json", "*.safetensors"]))
    except (OSError, HFValidationError) as error:
        raise ModelLoadError(
            f"adapter {adapter!r} is no existing folder and cannot be fetched from the hub ({_first_line(error)}): "
            "check the path, or the id and the network"
        ) from error


def _read_pipeline(folder: Path, dtype: torch.dtype) -> Any:
    try:
        # Without a dtype, networks of the two libraries would come in different ones.
        pipe = AutoPipelineForText2Image.from_pretrained(
            str(folder), dtype=dtype, use_safetensors=True, local_files_only=True
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, ImportError) as error:
        raise ModelLoadError(
            f"no text-to-image pipeline can be loaded from {folder}: {_first_line(error)}; "
            "a folder written by save_pretrained of diffusers, with all its parts, is needed"
        ) from error
    pipe.set_progress_bar_config(disable=True)
    return pipe


def add_adapter(pipe: Any, adapter: str, file: Path, name: str = "adapter") -> None:
    """Lay a LoRA over the networks. It is never fused, so that taking it off gives back the very same weights."""
    kind = type(pipe).__name__
    if not hasattr(pipe, "load_lora_weights") or not hasattr(denoiser_of(pipe), "add_adapter"):
        raise ModelLoadError(f"{kind} takes no adapter, diffusers has none for it: leave {adapter!r} away")
    try:
        with warnings.catch_warnings():
            # peft wonders at a second adapter, which is wanted where two sets of weights are compared.
            warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
            pipe.load_lora_weights(
                str(file.parent), weight_name=file.name, adapter_name=name, use_safetensors=True, local_files_only=True
            )
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError, RuntimeError) as error:
        raise ModelLoadError(f"adapter {adapter!r} does not fit {kind}: {_first_line(error)}") from error
    if not pipe.get_list_adapters():
        raise ModelLoadError(f"adapter {adapter!r} does not fit {kind}: it holds no weights for any of its networks")


def _save_memory(pipe: Any, device: torch.device, options: ImageOptions) -> None:
    if options.slicing:
        pipe.enable_attention_slicing()
    for wanted, switch in ((options.slicing, "enable_slicing"), (options.tiling, "enable_tiling")):
        if wanted and not hasattr(pipe.vae, switch):
            raise ModelLoadError(
                f"{type(pipe.vae).__name__} cannot do that: leave {switch.removeprefix('enable_')} off"
            )
        if wanted:
            getattr(pipe.vae, switch)()
    if options.offload == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif options.offload == "sequential":
        pipe.enable_sequential_cpu_offload(device=device)
    else:
        pipe.to(device)


def _name(reference: str) -> str:
    return Path(reference).resolve().name if Path(reference).is_dir() else reference


def _sha256(files: list[Path]) -> str:
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return line if len(line) <= MOST_OF_A_REASON else f"{line[:MOST_OF_A_REASON]}…"
