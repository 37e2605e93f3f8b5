"""The copy family, whole: any causal language model writes candidates for a line; checked and ranked, best first."""

import copy
import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

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
from schemas.channels import ChannelSpec, Shape, channels
from schemas.jobs import Brief, Job
from workers.checks.awkward import awkwardness
from workers.checks.copy import check, repair
from workers.models.brief_guard import BriefGuard, pieces_of
from workers.models.decode import Decoder, Draft, Guard, Order, mixed_seed
from workers.models.device import device_of, dtype_of, quick_dtype
from workers.models.prompts import Prompt, prompt_of
from workers.models.protocol import NO_PARTS, Parts, Sample
from workers.models.starter import sha256_of, starter_folder
from workers.models.tuning.preferences import fluencies, mean_log_p
from workers.models.tuning.trees import Line

STARTER = "starter"
HOUSE = "house"
HOUSE_FOLDER = Path(__file__).parent / "house" / "adapter"
# Many short drafts cost what few long ones do; the long ones pass their checks less often but can be shortened.
CANDIDATES = {Shape.SHORT: 4, Shape.MEDIUM: 4, Shape.LONG: 3}
# How often a row of the first attempt begins while its job has fewer fit lines than WANTED: one line may be a
# near-duplicate of what its campaign holds. Later attempts, for what that did not serve, try more lines once.
TRIES = {Shape.SHORT: 3, Shape.MEDIUM: 3, Shape.LONG: 2}
WANTED = 2
# English takes 4.5 characters a token; a line is given up when it is less likely than a fluent one of its full length.
CHARACTERS_A_TOKEN = 4
# Briefs whose verdicts on beginnings are kept: those of a few batches.
KEPT_GUARDS = 128
# What failed its checks comes last, whatever the model thinks of it.
FAILED_PENALTY = 1000.0
CONTENT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Taste:
    """How a model writes: temperature of each attempt, and the least merit of a line, by its shape.

    A small model is kept on its brief token by token, a large one is only judged.
    """

    temperatures: tuple[float, ...]
    floors: Mapping[Shape, float]
    is_guarded: bool = False

    def temperature(self, attempt: int) -> float:
        """Return the temperature of an attempt; later ones are warmer, to find what the first did not."""
        return self.temperatures[min(attempt, len(self.temperatures)) - 1]


# Read line by line: what the house model itself finds unlikely is seldom good (docs/decisions/0004-copy-quality.md).
HOUSE_FLOORS = {Shape.SHORT: -1.7, Shape.MEDIUM: -1.7, Shape.LONG: -1.5}
HOUSE_TASTE = Taste(temperatures=(0.7, 0.8, 0.9), floors=HOUSE_FLOORS, is_guarded=True)
# Larger models are fluent, and each has a scale of its own.
OTHER_TASTE = Taste(temperatures=(0.7, 0.85, 1.0), floors=dict.fromkeys(Shape, -math.inf))


@dataclass(frozen=True)
class _Candidate:
    """A finished line with what speaks for it: its draft's fluency, and that less what is awkward about it."""

    text: str
    fluency: float
    merit: float
    passed: bool

    @property
    def score(self) -> float:
        return self.merit - (0.0 if self.passed else FAILED_PENALTY)


@dataclass(frozen=True)
class Lexicon:
    """A tokenizer, and what is read out of it once: token rules, and the text of every token."""

    tokenizer: Any
    rules: Mapping[str, list[int]]
    pieces: Sequence[str]

    @classmethod
    def of(cls, tokenizer: Any, model: Any) -> Self:
        """Read all tokens: that takes a second."""
        return cls(tokenizer, _token_rules(model, tokenizer), pieces_of(tokenizer))


class CopyModel:
    """A loaded language model that writes ad copy. One call at a time."""

    def __init__(self, model: Any, lexicon: Lexicon, version: str, taste: Taste) -> None:
        self.version = version
        self._taste = taste
        self.device = str(model.device)
        self._model, self._tokenizer = model, lexicon.tokenizer
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._context = _context_tokens(model.config)
        self._decoder = Decoder(model, **lexicon.rules)
        self._guards = lru_cache(maxsize=KEPT_GUARDS)(
            lambda brief: BriefGuard(brief, lexicon.pieces, self._decoder.stops)
        )

    def generate(self, jobs: Sequence[Job], attempt: int, _parts: Parts = NO_PARTS, /) -> list[list[Sample]]:
        """Return the candidates of each job, best first, in the order of the jobs; failing ones last."""
        tells = not self._taste.is_guarded
        prompts = [prompt_of(self._tokenizer, job.brief, tells_revision=tells) for job in jobs]
        orders = [self._order(job, prompt, attempt) for job, prompt in zip(jobs, prompts, strict=True)]
        drafts = self._decoder.write(orders)
        return [self._samples(job, order, some, attempt) for job, order, some in zip(jobs, orders, drafts, strict=True)]

    def fluencies(self, lines: Sequence[Line]) -> list[float]:
        """Return how sure the model is of given lines, by which it ranks its own."""
        return fluencies(self._model, self._tokenizer, lines)

    def mean_log_p(self, lines: Sequence[Line]) -> float:
        """Return the mean log probability of a token of given lines."""
        return mean_log_p(self._model, self._tokenizer, lines)

    def _order(self, job: Job, prompt: Prompt, attempt: int) -> Order:
        spec = channels()[job.brief.channel]
        max_tokens = tokens_for(spec)
        # A brief longer than the model can read loses its beginning least: the ask comes last and stays whole.
        room = max(self._context - len(prompt.suffix) - max_tokens, 1)
        return Order(
            prefix=prompt.prefix[:room],
            suffix=prompt.suffix,
            candidates=CANDIDATES[spec.shape] * min(attempt, 2),
            max_tokens=max_tokens,
            temperature=self._taste.temperature(attempt),
            seed=mixed_seed(job.seed, attempt),
            guard=self._guard(job.brief),
            # What a line of so many tokens may not be worse than; few are longer.
            least_log_p=self._taste.floors[spec.shape] * math.sqrt(spec.max_characters / CHARACTERS_A_TOKEN + 1),
            accepts=lambda draft: self._is_fit(draft, job.brief),
            wanted=WANTED,
            tries=TRIES[spec.shape] if attempt == 1 else 1,
        )

    def _guard(self, brief: Brief) -> Guard | None:
        """Return what keeps drafts from beginnings that the checks refuse; it knows English only."""
        return self._guards(brief) if self._taste.is_guarded and brief.locale.startswith("en") else None

    def _samples(self, job: Job, order: Order, drafts: list[Draft], attempt: int) -> list[Sample]:
        recipe = {
            "prompt": self._tokenizer.decode([*order.prefix, *order.suffix]),
            "style": job.brief.style,
            "seed": job.seed,
            "attempt": attempt,
            "temperature": order.temperature,
            "candidates": order.candidates,
            "dtype": self._dtype,
        }
        return [
            Sample(
                data=candidate.text.encode(),
                content_type=CONTENT_TYPE,
                score=candidate.score,
                recipe={**recipe, "fluency": candidate.fluency},
            )
            for candidate in sorted(
                self._candidates(job.brief, drafts, order.max_tokens), key=lambda one: one.score, reverse=True
            )
        ]

    def _candidates(self, brief: Brief, drafts: list[Draft], most: int) -> list[_Candidate]:
        """Return each different line once, with the best fluency it was written with.

        A line that passes its checks but that the model doubts is not offered at all; so there may be none.
        """
        lines: dict[str, _Candidate] = {}
        for draft in sorted(drafts, key=fluency):
            # Where the guard left no way on, there is no line to judge.
            if draft.is_finished or len(draft.tokens) >= most:
                one = self._candidate(draft, brief)
                lines[one.text] = one
        return [one for one in lines.values() if not one.passed or one.merit >= self._floor(brief)]

    def _floor(self, brief: Brief) -> float:
        return self._taste.floors[channels()[brief.channel].shape]

    def _candidate(self, draft: Draft, brief: Brief) -> _Candidate:
        text = self._tokenizer.decode(draft.tokens, skip_special_tokens=True)
        # A line that was cut off says so, and fails its check as incomplete.
        line = repair(text if draft.is_finished else f"{text}…", brief)
        own = fluency(draft)
        return _Candidate(line, own, own - awkwardness(line, brief), _passes(line, brief))

    def _is_fit(self, draft: Draft, brief: Brief) -> bool:
        # What costs least is asked first.
        if fluency(draft) < self._floor(brief):
            return False
        one = self._candidate(draft, brief)
        return one.passed and one.merit >= self._floor(brief)


def fluency(draft: Draft) -> float:
    """Return how sure the model is of a draft: nats, at most 0. A long line has more places to go wrong.

    Of 402 judged lines, fitness correlates 0.41 with this, 0.26 with the mean alone and 0.39 with the sum.
    """
    return draft.mean_log_p * math.sqrt(len(draft.tokens) + 1)


def _passes(text: str, brief: Brief) -> bool:
    return all(result.passed for result in check(text, brief))


class CopyBase:
    """A language model as it was published, on which adapters take turns.

    It stays on the CPU, its weights mapped from their file; models made of it share what their adapter leaves alone.
    """

    def __init__(self, reference: str, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self._reference = reference
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
        taste = HOUSE_TASTE if self._reference == STARTER and adapter else OTHER_TASTE
        return CopyModel(network.to(device=self._device, dtype=self._dtype).eval(), self._lexicon, version, taste)


def open_base(reference: str, device: str, dtype: str, cache: Path, threads: int) -> CopyBase:
    """Load a language model, `starter`, a local folder or a hub id, without an adapter.

    Raises ModelLoadError with the way out; out of memory passes through as torch raises it.
    """
    # Bars belong to a terminal; a worker writes logs.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    if threads:
        torch.set_num_threads(threads)
    place = device_of(device)
    return CopyBase(reference, model_folder(reference, cache), place, dtype_of(dtype, quick_dtype(place)))


def load(reference: str, adapter: str | None, device: str, dtype: str, cache: Path, threads: int) -> CopyModel:
    """Load a language model, with the adapter `house`, a folder or none; see `open_base`."""
    return open_base(reference, device, dtype, cache, threads).model(adapter)


def tokens_for(spec: ChannelSpec) -> int:
    """Return how many tokens a line of this channel may take; one that needs more is too long anyway."""
    return math.ceil(spec.max_characters / 3) + 4


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


def _context_tokens(config: Any) -> int:
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048)


def _token_rules(model: Any, tokenizer: Any) -> dict[str, list[int]]:
    """Return which tokens end a line, which are never written, and which break the line."""
    ends = {tokenizer.eos_token_id}
    configured = model.generation_config.eos_token_id if model.generation_config else None
    ends |= set(configured) if isinstance(configured, list) else {configured}
    stops = sorted(end for end in ends if end is not None)
    size = model.config.get_text_config().vocab_size
    bans = sorted(set(tokenizer.all_special_ids) - set(stops)) + list(range(len(tokenizer), size))
    texts = tokenizer.batch_decode([[i] for i in range(min(len(tokenizer), size))])
    newlines = [i for i, text in enumerate(texts) if "\n" in text and i not in stops]
    return {"stops": stops, "bans": bans, "newlines": newlines}
