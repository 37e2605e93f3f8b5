"""Language models from their files: the base once, and the adapters that take turns on it."""

import copy
import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from peft import PeftConfig, PeftModel
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from core.errors import ModelLoadError
from workers.models.copy import HOUSE_TASTE, OTHER_TASTE, TASTE_BESIDE_OWN_WORDS, VERIFIED_TASTE, CopyModel, Lexicon
from workers.models.device import device_of, dtype_of, quick_dtype
from workers.models.starter import sha256_of, starter_folder
from workers.models.verifier import Verifier

STARTER = "starter"
HOUSE = "house"
HOUSE_FOLDER = Path(__file__).parent / "house" / "adapter"


class CopyBase:
    """A language model as it was published, on which adapters take turns.

    It stays on the CPU, its weights mapped from their file; models made of it share what their adapter leaves alone.
    """

    def __init__(
        self, reference: str, folder: Path, device: torch.device, dtype: torch.dtype, *, own_words: bool
    ) -> None:
        self._reference = reference
        self._own_words = own_words
        self._folder = folder
        self._device, self._dtype = device, dtype
        self._network, tokenizer = _read_base(folder)
        self._lexicon = Lexicon.of(tokenizer, self._network)
        self._sums = [sha256_of(path) for path in sorted(folder.glob("*.safetensors"))]

    def model(self, adapter: str | None) -> CopyModel:
        """Return the model with an adapter, `house` or a folder, or without any: the same as when loaded alone.

        Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
        """
        folder = adapter_folder(adapter, self._reference) if adapter else None
        network = _adapted(self._network, folder, self._dtype) if folder else _sharing(self._network)
        sums = (
            [*self._sums, *(sha256_of(path) for path in sorted(folder.glob("*.safetensors")))] if folder else self._sums
        )
        name = self._reference if not Path(self._reference).is_dir() else Path(self._reference).resolve().name
        digest = hashlib.sha256("".join(sums).encode()).hexdigest()
        version = f"{name}{f'+{_adapter_name(adapter)}' if adapter else ''}@{digest[:8]}"
        taste, verifier = OTHER_TASTE, None
        if self._reference == STARTER and folder:
            verifier = Verifier.read(folder)
            verified = TASTE_BESIDE_OWN_WORDS if self._own_words else VERIFIED_TASTE
            taste = verified if verifier else HOUSE_TASTE
        network = network.to(device=self._device, dtype=self._dtype).eval()
        return CopyModel(network, self._lexicon, version, taste, verifier)


def open_base(
    reference: str, device: str, dtype: str, cache: Path, threads: int, *, own_words: bool = False
) -> CopyBase:
    """Load a language model, `starter`, a local folder or a hub id, without an adapter.

    With `own_words` lines in the brief's own words stand beside those that the starter writes.
    Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
    """
    # Bars belong to a terminal; a worker writes logs.
    disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)
    place = device_of(device)
    dtype_there = dtype_of(dtype, quick_dtype(place))
    return CopyBase(reference, model_folder(reference, cache), place, dtype_there, own_words=own_words)


def load(reference: str, adapter: str | None, device: str, dtype: str, cache: Path, threads: int) -> CopyModel:
    """Load a language model, with the adapter `house`, a folder or none, for what it writes itself; see `open_base`."""
    return open_base(reference, device, dtype, cache, threads).model(adapter)


def model_folder(reference: str, cache: Path) -> Path:
    """Return the folder of a language model, converted or fetched if need be; raises ModelLoadError."""
    if reference == STARTER:
        return starter_folder(cache)
    if Path(reference).is_dir():
        return Path(reference)
    try:
        return Path(
            snapshot_download(
                reference,
                cache_dir=cache / "hub",
                allow_patterns=["*.json", "*.jinja", "*.safetensors", "tokenizer.model"],
            )
        )
    except HFValidationError as error:
        raise ModelLoadError(
            f"copy model {reference!r} is neither `starter`, nor an existing folder, nor a hub id like `org/name`"
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelLoadError(
            f"copy model {reference!r} cannot be fetched from the hub ({type(error).__name__}): "
            "check the id and the network, or set FACTORY_COPY_MODEL to `starter` or a model folder"
        ) from error


def adapter_folder(adapter: str, reference: str) -> Path:
    """Return the folder of an adapter; raises ModelLoadError when it does not fit the model or lacks a file."""
    if adapter == HOUSE and reference != STARTER:
        raise ModelLoadError(
            f"the house adapter fits only the starter, not {reference!r}: set FACTORY_COPY_ADAPTER to empty "
            "or to a folder with an adapter of that model"
        )
    folder = HOUSE_FOLDER if adapter == HOUSE else Path(adapter)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise ModelLoadError(f"adapter {adapter!r}: {folder / name} is missing; a PEFT LoRA folder is needed")
    return folder


def _adapter_name(adapter: str) -> str:
    return adapter if adapter == HOUSE else Path(adapter).resolve().name


def _read_base(folder: Path) -> tuple[Any, Any]:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return AutoModelForCausalLM.from_pretrained(folder, dtype="auto", use_safetensors=True), tokenizer
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelLoadError(
            f"no causal language model can be loaded from {folder}: {_first_line(error)}; "
            "a Hugging Face folder with config.json, tokenizer and *.safetensors is needed"
        ) from error


def _sharing(network: Any) -> Any:
    """Return a network with the same weights, that can be given others without a change of this one."""
    own = {id(weight): nn.Parameter(weight.data, requires_grad=False) for weight in network.parameters()}
    return copy.deepcopy(network, own)


def _adapted(network: Any, adapter: Path, dtype: torch.dtype) -> Any:
    """Return the network with an adapter merged into it: added in float32 and rounded once."""
    try:
        with warnings.catch_warnings():
            # peft reads a property that transformers 6 renames; nothing that a user could change.
            warnings.simplefilter("ignore", FutureWarning)
            if not _is_plain(PeftConfig.from_pretrained(str(adapter))):
                return PeftModel.from_pretrained(copy.deepcopy(network).float(), adapter).merge_and_unload()
            wrapped = PeftModel.from_pretrained(_sharing(network), adapter)
        for layer in wrapped.modules():
            if isinstance(layer, LoraLayer):
                _merge(layer, dtype)
        return wrapped.unload()
    except torch.OutOfMemoryError:
        raise
    # What a header of safetensors may be wrong in is an error of its own kind, straight under Exception.
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelLoadError(f"adapter {adapter} does not fit its model: {_first_line(error)}") from error


def _is_plain(config: Any) -> bool:
    """Tell whether an adapter changes nothing but the weights of linear layers, each by a product of two matrices."""
    return bool(
        config.peft_type == "LORA" and not config.use_dora and config.bias == "none" and not config.modules_to_save
    )


@torch.no_grad()
def _merge(layer: Any, dtype: torch.dtype) -> None:
    """Put the merged weights in the place of the layer's own: layer by layer, so that little is held in float32."""
    (name,) = layer.active_adapters
    weight = layer.get_base_layer().weight
    weight.data = (weight.data.float() + layer.get_delta_weight(name)).to(dtype)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
