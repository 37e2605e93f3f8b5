"""The tuner of copy: it learns what is liked, and comes to the same version after any interruption."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.tiny_writer import LINES, THINGS, brief_of
from core.errors import ModelLoadError
from schemas.campaigns import Kind
from schemas.learning import Recipe, curriculum
from workers.models.tuning.adapter import Choice, batches_of
from workers.models.tuning.copy import CopyTuner, lines_and_choices
from workers.models.tuning.lora import WEIGHTS_NAME, LoraShape, add_lora, read_weights
from workers.models.tuning.preferences import PreferenceTrainee
from workers.models.tuning.protocol import Judged, Lesson, Place
from workers.models.tuning.steps import DRAFT_FOLDER
from workers.models.verifier import VERIFIER_NAME, Verifier

RECIPE = (
    curriculum()
    .recipes[Kind.COPY]
    .model_copy(update={"epochs": 2, "pairs_a_step": 16, "learning_rate": 5e-3, "warm_up_steps": 2})
)
LONGER = RECIPE.model_copy(update={"epochs": 6})
LIKED = THINGS[::2]


def lesson(product: int, better: str, worse: str, weight: float = 1.0) -> Lesson:
    brief = brief_of(product)
    return Lesson(f"product {product}", Judged(brief, better), Judged(brief, worse), weight)


def lessons(products: int = 10) -> list[Lesson]:
    """Return pairs of lines with a liked and an unliked thing."""
    liked = [line for line in LINES if line.endswith(LIKED)]
    other = [line for line in LINES if not line.endswith(LIKED)]
    return [
        lesson(product, liked[(7 * product + place) % len(liked)], other[(5 * product + place) % len(other)])
        for product in range(products)
        for place in range(8)
    ]


def tuner(writer: Path, cache: Path, recipe: Recipe = RECIPE) -> CopyTuner:
    return CopyTuner(str(writer), cache, recipe, Place("cpu", "float32", 1))


def flattened(weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([weights[name].flatten() for name in sorted(weights)])


def ignore(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Watch nothing."""


def test_what_is_liked_becomes_likelier_also_for_products_it_never_saw(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path, LONGER)
    unseen = [Judged(brief_of(40), line) for line in LINES]

    version = mine.tune(None, lessons(), tmp_path / "work", ignore)

    gains = [
        after - before
        for before, after in zip(
            mine.contestant(None).likings(unseen), mine.contestant(version).likings(unseen), strict=True
        )
    ]
    liked = [gain for gain, one in zip(gains, unseen, strict=True) if one.text.endswith(LIKED)]
    other = [gain for gain, one in zip(gains, unseen, strict=True) if not one.text.endswith(LIKED)]
    assert sum(liked) / len(liked) > sum(other) / len(other) + 0.3


class StopHereError(Exception):
    """Raised by a watch, as a worker that stops does."""


@pytest.mark.parametrize("last_step", [1, 4, 10])
def test_a_training_that_was_stopped_goes_on_to_the_same_version(writer: Path, tmp_path: Path, last_step: int):
    steps: list[int] = []

    def interrupt(step: int, _steps: int, _losses: Mapping[str, float]) -> None:
        steps.append(step)
        if len(steps) == last_step:
            raise StopHereError

    whole = tuner(writer, tmp_path).tune(None, lessons(), tmp_path / "whole", ignore)
    with pytest.raises(StopHereError):
        tuner(writer, tmp_path).tune(None, lessons(), tmp_path / "parts", interrupt)
    parts = tuner(writer, tmp_path).tune(None, lessons(), tmp_path / "parts", interrupt)

    assert steps == list(range(1, 11))
    assert (parts / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()


def test_a_version_that_is_there_is_not_trained_again(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path)
    mine.tune(None, lessons(2), tmp_path / "work", ignore)
    steps: list[int] = []

    mine.tune(None, lessons(2), tmp_path / "work", lambda step, *_: steps.append(step))

    assert steps == []


def test_a_version_keeps_the_verifier_of_the_one_that_it_goes_on_from(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path)
    first = mine.tune(None, lessons(2), tmp_path / "one", ignore)
    given = Verifier({1: torch.arange(64.0)}, bias=0.5)
    given.write(first)

    second = mine.tune(first, lessons(2), tmp_path / "two", ignore)

    found = Verifier.read(second)
    assert found is not None
    assert found.bias == given.bias
    assert torch.equal(found.weights[1], given.weights[1])


def test_a_broken_verifier_is_told_before_anything_is_learnt(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path)
    first = mine.tune(None, lessons(2), tmp_path / "one", ignore)
    (first / VERIFIER_NAME).write_bytes(b"nothing of the kind")
    steps: list[int] = []

    with pytest.raises(ModelLoadError, match=VERIFIER_NAME):
        mine.tune(first, lessons(2), tmp_path / "two", lambda step, *_: steps.append(step))

    assert steps == []


def test_a_weaker_version_lies_on_the_way_from_the_one_that_it_goes_on_from(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path)
    first = mine.tune(None, lessons(2), tmp_path / "one", ignore)
    Verifier({1: torch.arange(64.0)}, bias=0.5).write(first)
    whole = mine.tune(first, lessons(2), tmp_path / "two", ignore)

    weaker = mine.weakened(tmp_path / "two", 0.25)

    before, after, between = (flattened(read_weights(folder)) for folder in (first, whole, weaker))
    assert not torch.equal(before, after)
    torch.testing.assert_close(between, before + 0.25 * (after - before))
    assert mine.weakened(tmp_path / "two", 1) == whole
    assert {file.name for file in weaker.iterdir()} == {file.name for file in whole.iterdir()}
    kept = Verifier.read(weaker)
    assert kept is not None
    assert torch.equal(kept.weights[1], torch.arange(64.0))


def test_what_a_kill_left_of_a_weaker_version_is_made_anew_with_the_same_bytes(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path)
    mine.tune(None, lessons(2), tmp_path / "work", ignore)
    undisturbed = (mine.weakened(tmp_path / "work", 0.67) / WEIGHTS_NAME).read_bytes()
    (tmp_path / "work" / "version-0.67").rename(tmp_path / "work" / DRAFT_FOLDER)
    (tmp_path / "work" / DRAFT_FOLDER / WEIGHTS_NAME).write_bytes(b"half of it")

    again = tuner(writer, tmp_path).weakened(tmp_path / "work", 0.67)

    assert (again / WEIGHTS_NAME).read_bytes() == undisturbed


def test_a_second_version_goes_on_from_the_first(writer: Path, tmp_path: Path):
    mine = tuner(writer, tmp_path, LONGER)
    first = mine.tune(None, lessons(), tmp_path / "one", ignore)
    losses: dict[str, list[float]] = {"fresh": [], "second": []}

    mine.tune(None, lessons(), tmp_path / "two", lambda _step, _steps, one: losses["fresh"].append(one["loss"]))
    mine.tune(first, lessons(), tmp_path / "three", lambda _step, _steps, one: losses["second"].append(one["loss"]))

    assert losses["second"][0] < losses["fresh"][0] - 0.1


def test_a_step_without_finite_gradients_is_not_taken(writer: Path):
    model = AutoModelForCausalLM.from_pretrained(writer)
    weights = add_lora(model, LoraShape())
    lines, choices = lines_and_choices([lesson(0, LINES[0], LINES[1])])
    broken = [Choice(one.product, one.better, one.worse, float("inf")) for one in choices]
    trainee = PreferenceTrainee(model, AutoTokenizer.from_pretrained(writer), weights, lines, broken, RECIPE)
    before = {name: weight.detach().clone() for name, weight in weights.items()}

    losses = trainee.learn(0, trainee.steps)
    trainee.use_masters()

    assert losses["skipped"] == 1.0
    assert all(torch.equal(before[name], weight) for name, weight in weights.items())


def test_each_epoch_has_every_choice_once_and_products_stay_together():
    _, choices = lines_and_choices(lessons(6))

    batches = batches_of(choices, RECIPE)

    assert Counter(one for batch in batches for one in batch) == Counter(choices * RECIPE.epochs)
    assert max(len({one.product for one in batch}) for batch in batches) <= 3
    assert batches_of(choices, RECIPE) == batches


def test_the_same_line_is_one_line_and_weights_are_one_in_the_middle():
    lines, choices = lines_and_choices([lesson(0, "A", "B", 0.2), lesson(0, "A", "C", 0.6), lesson(1, "A", "B", 0.4)])

    assert [line.text for line in lines] == ["A", "B", "C", "A", "B"]
    assert [round(one.weight, 6) for one in choices] == [0.5, 1.5, 1.0]
