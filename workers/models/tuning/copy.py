"""The tuner of copy models: a LoRA that goes on from the champion's, learning which of two lines people like better."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import ModelLoadError
from schemas.buckets import reference_and_adapter
from schemas.learning import Recipe
from workers.models import copy_loading
from workers.models.copy import CopyModel
from workers.models.device import device_of, dtype_of, quick_dtype
from workers.models.house.lines import seed_briefs, train_and_held_out
from workers.models.protocol import Model
from workers.models.tuning.adapter import Choice, weights_of
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.lora import LoraShape, add_lora, fill, read_shape, read_weights, write_adapter
from workers.models.tuning.preferences import PreferenceTrainee
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
from workers.models.tuning.trees import Line
from workers.models.verifier import Verifier

# Families of seed lines that say plainly what the brief says, and how many of them are enough.
NEUTRAL_FAMILIES = ("plain", "careful")
NEUTRAL_LINES = 40


class CopyTuner:
    """Tunes one copy model: a reference with or without an adapter."""

    def __init__(self, model: str, cache: Path, recipe: Recipe, place: Place, member: Member = ALONE) -> None:
        self._reference, self._adapter = reference_and_adapter(model)
        self._cache, self._recipe, self._place, self._member = cache, recipe, place, member

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
        base = copy_loading.model_folder(self._reference, self._cache)
        start = parent or (copy_loading.adapter_folder(self._adapter, self._reference) if self._adapter else None)
        # The model will hold what it held, but for a little: who could tell a false line before still can.
        verifier = Verifier.read(start) if start else None
        model, tokenizer, weights, shape = self._student(base, start)
        end_if_stopped()
        lines, choices = lines_and_choices(lessons)
        trainee = PreferenceTrainee(model, tokenizer, weights, lines, choices, self._recipe, self._member)

        def write(draft: Path) -> None:
            write_adapter(draft, weights, shape, self._reference)
            if verifier:
                verifier.write(draft)

        return learn(trainee, weights, folder, watch, write)

    def weakened(self, folder: Path, strength: float) -> Path:
        """Return the version that was trained in a folder, so far on the way that its training went."""
        return weakened(folder, strength)

    def contestant(self, version: Path | None) -> Contestant:
        """Load a version as a worker would."""
        adapter = str(version) if version else self._adapter
        place = self._place
        return CopyContestant(
            copy_loading.load(self._reference, adapter, place.device, place.dtype, self._cache, place.threads)
        )

    def _student(self, folder: Path, start: Path | None) -> tuple[Any, Any, dict[str, torch.nn.Parameter], LoraShape]:
        """Return the model of a folder with the adapter that it goes on from, ready to be trained."""
        device = device_of(self._place.device)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype_of(self._place.dtype, quick_dtype(device)), use_safetensors=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise ModelLoadError(f"{folder} cannot be trained: {str(error).splitlines()[0]}") from error
        shape = read_shape(start) if start else LoraShape()
        weights = add_lora(model.to(device), shape, self._recipe.seed)
        if start:
            fill(weights, read_weights(start), start)
        return model, tokenizer, weights, shape


class CopyContestant:
    """A loaded copy model before the gate."""

    def __init__(self, model: CopyModel) -> None:
        self._model = model

    @property
    def model(self) -> Model:
        """Return the model as it serves."""
        return self._model

    def likings(self, assets: Sequence[Judged]) -> list[float]:
        """Return the fluency of each line."""
        return self._model.fluencies([Line(one.brief, one.text) for one in assets])

    def neutral(self) -> float:
        """Return the mean log probability of a token of seed lines that no adapter was trained on."""
        return self._model.mean_log_p(neutral_lines())


@cache
def neutral_lines() -> tuple[Line, ...]:
    """Return seed lines of briefs that the house adapter was not trained on, always the same."""
    _, held_out = train_and_held_out(seed_briefs())
    lines = [line for brief in held_out if brief.family in NEUTRAL_FAMILIES for line in brief.lines]
    return tuple(lines[:: max(1, len(lines) // NEUTRAL_LINES)])


def lines_and_choices(lessons: Sequence[Lesson]) -> tuple[list[Line], list[Choice]]:
    """Return each line once, and the choices between them; weights are 1 in the middle."""
    lines: list[Line] = []
    places: dict[tuple[str, str], int] = {}

    def place_of(one: Judged) -> int:
        name = one.brief.model_dump_json(), one.text
        if name not in places:
            places[name] = len(lines)
            lines.append(Line(one.brief, one.text))
        return places[name]

    choices = [
        Choice(one.product, place_of(one.better), place_of(one.worse), weight)
        for one, weight in zip(lessons, weights_of(lessons), strict=True)
    ]
    return lines, choices
