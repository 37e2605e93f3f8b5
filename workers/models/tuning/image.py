"""The tuner of pictures: Diffusion-DPO of a LoRA on the network of any pipeline that diffusers reads such adapters for.

A version is liked more the better it takes noise from a picture than the shipped weights do. Adapters are written as
`load_lora_weights` reads them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.utils.state_dict_utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open
from torch import nn

from core.errors import ModelLoadError
from schemas.buckets import reference_and_adapter
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job, PictureOrder
from schemas.learning import Recipe
from workers.models.image import ImageModel
from workers.models.image_pipelines import (
    ADAPTER_WEIGHTS,
    ImageOptions,
    LoadedPipeline,
    adapter_file,
    add_adapter,
    denoiser_of,
    load_pipeline,
)
from workers.models.protocol import Model
from workers.models.training import generator_at
from workers.models.tuning.adapter import AdapterTrainee, Choice, losses_of, weights_of
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.denoising import Ask, Denoising, ask_of
from workers.models.tuning.protocol import (
    Contestant,
    EndIfStopped,
    Judged,
    Lesson,
    Place,
    Watch,
    never_stopped,
)
from workers.models.tuning.steps import learn, learnt_before, weakened

STUDENT, SHIPPED = "adapter", "shipped"
RANK = 16
# Attention, in the names of diffusers.
LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
# How noisy the pictures are that a version is judged by, and what the noise is drawn with.
PARTS = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE_SEED = 23
# What the shipped weights paint to tell how far a version is from them; every model knows such things.
NEUTRAL_PROMPTS = ("a cup", "a chair", "an apple", "a book", "a tree", "a car", "a house", "a lamp")
NEUTRAL_CHANNEL = "instagram.square"


@dataclass(frozen=True)
class Shown:
    """A delivered picture, as a network knows it, and what was asked for."""

    ask: Ask
    latents: torch.Tensor


class Sides:
    """A pipeline with two sets of weights: those it ships with, and those of a version."""

    def __init__(self, pipe: Any, *, has_shipped_adapter: bool) -> None:
        self._network: Any = denoiser_of(pipe)
        self._has_shipped_adapter = has_shipped_adapter

    @contextmanager
    def shipped(self) -> Iterator[None]:
        """Have the pipeline use its shipped weights for a while."""
        if self._has_shipped_adapter:
            self._network.set_adapter(SHIPPED)
        else:
            self._network.disable_adapters()
        try:
            yield
        finally:
            if not self._has_shipped_adapter:
                self._network.enable_adapters()
            self._network.set_adapter(STUDENT)


class ImageTrainee(AdapterTrainee):
    """The adapter of a pipeline, learning from choices between pictures."""

    def __init__(
        self,
        denoising: Denoising,
        sides: Sides,
        weights: Mapping[str, nn.Parameter],
        pictures: Sequence[Shown],
        choices: Sequence[Choice],
        recipe: Recipe,
        member: Member = ALONE,
    ) -> None:
        super().__init__(weights, choices, recipe, member)
        self._denoising, self._sides, self._pictures = denoising, sides, pictures

    def parts_of(self, batch: Sequence[Choice]) -> list[list[Choice]]:
        """Return the choices one by one: pipelines hand their networks nothing that could be put together."""
        return [[choice] for choice in batch]

    def loss_of(self, choices: Sequence[Choice], lot: int) -> tuple[torch.Tensor, int]:
        """Return the loss of a choice with its weight, and whether it is ordered right already.

        Both pictures get the same noise, as far as they have the same shape.
        """
        (choice,) = choices
        part = float(torch.rand((), generator=generator_at(self._recipe.seed, lot)))
        better, worse = self._pictures[choice.better], self._pictures[choice.worse]
        noises = [_noise(one.latents, generator_at(self._recipe.seed + 1, lot)) for one in (better, worse)]
        pairs = list(zip((better, worse), noises, strict=True))
        with self._sides.shipped(), torch.no_grad():
            before = [self._denoising.error(one.ask, one.latents, noise, part) for one, noise in pairs]
        after = [self._denoising.error(one.ask, one.latents, noise, part) for one, noise in pairs]
        lead = (before[0] - after[0]) - (before[1] - after[1])
        return choice.weight * losses_of(lead, -after[0], self._recipe), int(lead > 0)


class ImageTuner:
    """Tunes one pipeline: a reference with or without an adapter."""

    def __init__(
        self,
        model: str,
        cache: Path,
        recipe: Recipe,
        place: Place,
        options: ImageOptions | None = None,
        member: Member = ALONE,
    ) -> None:
        self._reference, self._adapter = reference_and_adapter(model)
        self._cache, self._recipe, self._place, self._member = cache, recipe, place, member
        self._options = options or ImageOptions()

    def tune(
        self,
        parent: Path | None,
        lessons: Sequence[Lesson],
        folder: Path,
        watch: Watch,
        end_if_stopped: EndIfStopped = never_stopped,
    ) -> Path:
        """Train, or go on with what was begun; a version that is there already is returned as it is."""
        if version := learnt_before(folder, self._place.threads):
            return version
        loaded = self._loaded(parent)
        pipe = loaded.pipe
        if parent is None and not self._adapter:
            _add_fresh(pipe, self._recipe.seed)
        weights = _student_weights(pipe)
        denoising = Denoising(pipe)
        shown, choices = _pictures_and_choices(lessons, denoising, end_if_stopped)
        trainee = ImageTrainee(denoising, self._sides(pipe), weights, shown, choices, self._recipe, self._member)
        return learn(trainee, weights, folder, watch, lambda draft: write_lora(pipe, draft))

    def weakened(self, folder: Path, strength: float) -> Path:
        """Return the version that was trained in a folder, so far on the way that its training went."""
        return weakened(folder, strength)

    def contestant(self, version: Path | None) -> Contestant:
        """Load a version as a worker would, with the shipped weights beside it."""
        loaded = self._loaded(version)
        sides = self._sides(loaded.pipe) if version else None
        return ImageContestant(ImageModel(loaded, self._options), Denoising(loaded.pipe), sides)

    def _sides(self, pipe: Any) -> Sides:
        return Sides(pipe, has_shipped_adapter=self._adapter is not None)

    def _loaded(self, version: Path | None) -> LoadedPipeline:
        """Load the pipeline in the weights of a version; beside them lie those of the adapter that it ships with."""
        if self._place.threads:
            torch.set_num_threads(self._place.threads)
        place = self._place
        adapter = str(version) if version else self._adapter
        loaded = load_pipeline(self._reference, adapter, place.device, place.dtype, self._cache, self._options)
        _refuse_what_cannot_learn(loaded.pipe)
        if self._adapter:
            file = adapter_file(self._adapter, self._cache)
            _refuse_text_encoders(file)
            add_adapter(loaded.pipe, self._adapter, file, SHIPPED)
            denoiser_of(loaded.pipe).set_adapter(STUDENT)
        return loaded


class ImageContestant:
    """A loaded pipeline before the gate; without sides it is the shipped one."""

    def __init__(self, model: ImageModel, denoising: Denoising, sides: Sides | None) -> None:
        self._model, self._denoising, self._sides = model, denoising, sides

    @property
    def model(self) -> Model:
        """Return the model as it serves."""
        return self._model

    def likings(self, assets: Sequence[Judged]) -> list[float]:
        """Return by how much less noise it leaves in each picture than the shipped weights, at fixed noises."""
        if self._sides is None:
            return [0.0] * len(assets)
        found = []
        for one in assets:
            before, after = self._errors(_shown(one, self._denoising))
            found.append(before - after)
        return found

    def neutral(self) -> float:
        """Return, below nothing, how much noise it leaves in neutral pictures, for each that the shipped weights do."""
        if self._sides is None:
            return -1.0
        with self._sides.shipped():
            made = self._model.generate(_neutral_jobs(), 1)
        before, after = 0.0, 0.0
        for (sample,) in made:
            ask = ask_of(sample.recipe)
            errors = self._errors(Shown(ask, self._denoising.latents(sample.data, ask)))
            before, after = before + errors[0], after + errors[1]
        return -after / before

    @torch.no_grad()
    def _errors(self, shown: Shown) -> tuple[float, float]:
        """Return the mean errors of the shipped weights and of its own."""
        assert self._sides is not None, "the shipped weights are compared with nothing"
        noises = [_noise(shown.latents, generator_at(NOISE_SEED, number)) for number in range(len(PARTS))]

        def mean() -> float:
            errors = [
                float(self._denoising.error(shown.ask, shown.latents, noise, part))
                for noise, part in zip(noises, PARTS, strict=True)
            ]
            return sum(errors) / len(errors)

        with self._sides.shipped():
            before = mean()
        return before, mean()


def write_lora(pipe: Any, folder: Path) -> None:
    """Write the adapter of a pipeline as `load_lora_weights` reads it: its scale is in its weights."""
    network = denoiser_of(pipe)
    weights = get_peft_model_state_dict(network, adapter_name=STUDENT)
    scales = {name: module.scaling[STUDENT] for name, module in network.named_modules() if hasattr(module, "scaling")}
    scaled = {
        name: (weight * scales[name.partition(".lora_B")[0]] if ".lora_B" in name else weight).detach().contiguous()
        for name, weight in weights.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    is_unet = getattr(pipe, "unet", None) is not None
    named = (
        {"unet_lora_layers": convert_state_dict_to_diffusers(scaled)}
        if is_unet
        else {"transformer_lora_layers": scaled}
    )
    type(pipe).save_lora_weights(folder, weight_name=ADAPTER_WEIGHTS, **named)


def _add_fresh(pipe: Any, seed: int) -> None:
    """Lay an adapter that changes nothing yet over the network; what it begins with follows from the seed alone."""
    network = denoiser_of(pipe)
    network.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(LAYERS)), adapter_name=STUDENT)
    dice = torch.Generator().manual_seed(seed)
    for name, weight in sorted(_student_weights(pipe).items()):
        if ".lora_A." in name:
            drawn = torch.empty(weight.shape)
            nn.init.kaiming_uniform_(drawn, a=5**0.5, generator=dice)
            weight.data.copy_(drawn)


def _student_weights(pipe: Any) -> dict[str, nn.Parameter]:
    """Freeze a pipeline but for its adapter, and return what that has to learn."""
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(requires_grad=False)
    weights = {
        name: weight
        for name, weight in denoiser_of(pipe).named_parameters()
        if f".lora_A.{STUDENT}." in name or f".lora_B.{STUDENT}." in name
    }
    if not weights:
        raise ModelLoadError(f"the adapter of {type(pipe).__name__} is no plain LoRA: give a plain one, or none")
    for weight in weights.values():
        weight.requires_grad_(requires_grad=True)
    return weights


def _refuse_what_cannot_learn(pipe: Any) -> None:
    kind = type(pipe).__name__
    if not hasattr(pipe, "load_lora_weights") or not hasattr(denoiser_of(pipe), "add_adapter"):
        raise ModelLoadError(
            f"{kind} cannot learn from ratings, diffusers has no adapter for it: set FACTORY_IMAGE_MODEL to a "
            "pipeline that takes a LoRA, as Stable Diffusion and FLUX do"
        )
    if not hasattr(pipe.vae, "encode"):
        raise ModelLoadError(f"{kind} cannot learn from ratings: its {type(pipe.vae).__name__} reads no pictures")


def _refuse_text_encoders(file: Path) -> None:
    with safe_open(file, framework="pt") as weights:
        if any("text_encoder" in name for name in weights.keys()):  # noqa: SIM118 - no mapping
            raise ModelLoadError(f"{file} also changes how prompts are read: only a LoRA of the painter can go on")


def _noise(latents: torch.Tensor, dice: torch.Generator) -> torch.Tensor:
    """Return noise for a picture; drawn on the CPU, so that it is the same on every device."""
    return torch.randn(latents.shape, generator=dice).to(latents)


def _shown(one: Judged, denoising: Denoising) -> Shown:
    assert one.file is not None, "pictures come with their bytes"
    ask = ask_of(one.recipe)
    return Shown(ask, denoising.latents(one.file, ask))


def _pictures_and_choices(
    lessons: Sequence[Lesson], denoising: Denoising, end_if_stopped: EndIfStopped
) -> tuple[list[Shown], list[Choice]]:
    """Return each picture once, and the choices between them; asked before each whether to go on."""
    shown: list[Shown] = []
    places: dict[tuple[str, Ask], int] = {}

    def place_of(one: Judged) -> int:
        name = one.sha256, ask_of(one.recipe)
        if name not in places:
            end_if_stopped()
            places[name] = len(shown)
            shown.append(_shown(one, denoising))
        return places[name]

    choices = [
        Choice(one.product, place_of(one.better), place_of(one.worse), weight)
        for one, weight in zip(lessons, weights_of(lessons), strict=True)
    ]
    return shown, choices


def _neutral_jobs() -> list[Job]:
    return [
        Job(
            id=f"neutral-{number}",
            campaign_id="neutral",
            kind=Kind.IMAGE,
            bucket="image/neutral/any",
            brief=Brief(
                brand=Brand(name="Neutral"),
                product=Product(sku=f"N-{number}", name=prompt),
                audience=Audience(id="all", description="everybody"),
                channel=NEUTRAL_CHANNEL,
                picture=PictureOrder(prompt=prompt),
            ),
            variant=0,
            seed=number,
        )
        for number, prompt in enumerate(NEUTRAL_PROMPTS)
    ]
