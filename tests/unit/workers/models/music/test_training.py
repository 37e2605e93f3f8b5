"""Training: it goes on after an interruption as if there had been none, learns, and leaves a folder that loads."""

import json
from pathlib import Path

import pytest
import torch

from core.errors import ModelLoadError, StateError
from workers.models.music.compose import Order, composer
from workers.models.music.examples import Examples
from workers.models.music.networks import ARCHITECTURES, Architecture, Transformer, new_network
from workers.models.music.originality import Memory
from workers.models.music.tokens import PROMPT_WORDS, Conditions
from workers.models.music.train import Watched
from workers.models.music.training import MusicTraining, bits_a_note
from workers.models.music.tunes import Tune
from workers.models.music.weights import save_folder, trained
from workers.models.training import Plan, save, train

STEPS = 4
CPU = torch.device("cpu")


def start(examples: Examples, architecture: Architecture) -> MusicTraining:
    return MusicTraining(examples, architecture, CPU, width=64, batch_tokens=256)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_training_that_was_interrupted_ends_with_the_same_weights(
    architecture: Architecture, examples: Examples, tmp_path: Path
):
    straight, first_half, second_half = (start(examples, architecture) for _ in range(3))
    train(straight, Plan(tmp_path, "straight", STEPS))
    plan = Plan(tmp_path, "interrupted", STEPS)
    for step in range(STEPS // 2):
        first_half.learn(step, STEPS)
    save(first_half, plan.checkpoint, STEPS // 2)

    is_done = train(second_half, plan)

    assert is_done
    for name, module in straight.modules.items():
        resumed = second_half.modules[name].state_dict()
        assert all(torch.equal(resumed[key], value) for key, value in module.state_dict().items())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_falls_while_it_learns(architecture: Architecture, examples: Examples):
    trainee = start(examples, architecture)
    before = trainee.held_out_loss()

    for step in range(12):
        trainee.learn(step, 12)

    assert trainee.held_out_loss() < before
    assert bits_a_note(1.0, examples) > 1.4


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_learns_more_than_how_frequent_each_word_is(architecture: Architecture, examples: Examples):
    trainee = start(examples, architecture)
    played = torch.cat([torch.tensor(row[PROMPT_WORDS:]) for row in examples.seen])
    frequency = torch.bincount(played).float() / len(played)
    by_frequency = float(torch.special.entr(frequency).sum())

    losses = [trainee.learn(step, 200)["loss"] for step in range(120)]

    assert sum(losses[-10:]) / 10 < 0.9 * by_frequency


def test_both_networks_are_about_as_large():
    sizes = [sum(param.numel() for param in new_network(name, 420).parameters()) for name in ARCHITECTURES]

    assert max(sizes) < 1.02 * min(sizes)


def test_the_loss_on_unseen_tunes_and_some_pieces_are_written_at_the_end(
    examples: Examples, some_tunes: list[Tune], tmp_path: Path
):
    plan = Plan(tmp_path, "transformer", 1)

    train(Watched(start(examples, "transformer"), plan, Memory(some_tunes)), plan)

    [line] = (tmp_path / "transformer.held-out.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["step"] == 1
    assert "BAR_1" in (tmp_path / "transformer-00001.txt").read_text(encoding="utf-8")


def test_a_saved_folder_composes_what_the_network_composes(examples: Examples, tmp_path: Path):
    torch.manual_seed(1)
    save_folder(Transformer(len(examples.vocabulary), width=64, layers=1), examples.vocabulary, tmp_path)

    [draft] = composer(tmp_path, CPU).write([Order(Conditions("4/4", 4, "major"), 1)])

    assert len(draft.piece.bars) == 4
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["model_type"] == "llama"


def test_a_folder_without_weights_says_so(tmp_path: Path):
    with pytest.raises(ModelLoadError, match="no weights"):
        composer(tmp_path, CPU)


def test_what_was_never_trained_cannot_be_exported(tmp_path: Path):
    with pytest.raises(StateError, match="train-starter music transformer"):
        trained(Plan(tmp_path, "transformer", 1), "average")
