"""A crew: its members share out every step, and come to the weights that one process comes to."""

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.tiny_writer import LINES, brief_of
from core.learners import LEARNERS
from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.models.tuning.copy import lines_and_choices
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.lora import LoraShape, add_lora
from workers.models.tuning.preferences import PreferenceTrainee
from workers.models.tuning.protocol import Judged, Lesson, Place
from workers.models.tuning.tuners import Workplace, tuner_of

from support import tiny_pictures, tiny_pieces
from support.crews import by_two
from support.tiny_composer import write_composer
from support.tiny_pipelines import write_pipeline

# Sums of float32 in another order differ in their last digits; a step moves weights by some thousandths.
TOLERANCE = 1e-5


def line_lessons() -> list[Lesson]:
    """Return pairs of lines of five products, of some more than of others."""
    return [
        Lesson(f"product {product}", *(Judged(brief_of(product), LINES[place + step]) for step in (0, 60)), 1.0 + place)
        for product in range(5)
        for place in range(2 + product)
    ]


def world_of(kind: Kind, writer: Path, folder: Path) -> tuple[Workplace, list[Lesson]]:
    """Return a tiny model of a kind, and what it learns from."""
    if kind == Kind.COPY:
        model, lessons = writer, line_lessons()
    elif kind == Kind.MUSIC:
        model = write_composer(folder / "composer")
        lessons = tiny_pieces.lessons(model)[:20]
    else:
        model, lessons = write_pipeline("sd3", folder), tiny_pictures.lessons(folder, 5)
    changes = {"epochs": 2, "pairs_a_step": 10, "learning_rate": 3e-3, "warm_up_steps": 1}
    recipe = curriculum().recipes[kind].model_copy(update=changes)
    place = Place("cpu", "float32", 1)
    return Workplace(kind=kind, model=str(model), cache=folder, recipe=recipe, place=place, steps=2), lessons


def ignore(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Watch nothing."""


@pytest.mark.parametrize("kind", LEARNERS)
def test_two_that_share_out_each_step_come_to_the_weights_of_one(kind: Kind, writer: Path, tmp_path: Path):
    workplace, lessons = world_of(kind, writer, tmp_path)

    def weights(member: Member) -> dict[str, torch.Tensor]:
        version = tuner_of(workplace, member).tune(None, lessons, tmp_path / f"{member.size}-{member.index}", ignore)
        return load_file(next(version.glob("*.safetensors")))

    alone, (first, second) = weights(ALONE), by_two(weights)

    assert all(torch.equal(first[name], second[name]) for name in alone)
    assert max(float((alone[name] - first[name]).abs().max()) for name in alone) <= TOLERANCE
    # What is learnt begins at nothing.
    assert max(float(alone[name].abs().max()) for name in alone if "lora_B" in name) > 100 * TOLERANCE


def test_a_step_that_is_not_finite_for_one_is_taken_by_none(writer: Path):
    model = AutoModelForCausalLM.from_pretrained(writer, dtype=torch.float32)
    lines, choices = lines_and_choices(line_lessons())
    weights = add_lora(model, LoraShape(rank=4))
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    member = Member(0, 2, lambda numbers: numbers + math.nan)
    recipe = curriculum().recipes[Kind.COPY]
    trainee = PreferenceTrainee(model, AutoTokenizer.from_pretrained(writer), weights, lines, choices, recipe, member)

    losses = trainee.learn(0, trainee.steps)
    trainee.use_masters()

    assert losses["skipped"] == 1.0
    assert all(torch.equal(before[name], weight) for name, weight in weights.items())


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 5))
def test_every_part_of_a_step_is_one_members(sizes: list[int], members: int):
    parts = [["choice"] * size for size in sizes]

    shares = [Member(index, members).share_of(parts) for index in range(members)]

    assert sorted(number for share in shares for number, _ in share) == list(range(len(parts)))
    assert all(part is parts[number] for share in shares for number, part in share)
    if len(parts) >= members:
        assert all(shares)
