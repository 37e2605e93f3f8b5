"""The tuner of music: it learns which pieces are liked, and comes to the same version after any interruption."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from core.errors import ModelLoadError
from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.models.tuning.music import MusicTuner
from workers.models.tuning.protocol import Place

from support.tiny_composer import write_composer
from support.tiny_pieces import lessons, pieces, tuner
from support.tiny_recorders import write_recorder

RECIPE = (
    curriculum()
    .recipes[Kind.MUSIC]
    .model_copy(update={"epochs": 2, "pairs_a_step": 8, "learning_rate": 5e-3, "warm_up_steps": 2, "imitation": 0.5})
)
LONGER = RECIPE.model_copy(update={"epochs": 8, "learning_rate": 1e-2})


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_composer(tmp_path_factory.mktemp("composer"))


def ignore(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Watch nothing."""


def test_what_is_liked_becomes_likelier_also_of_pieces_it_never_saw(composer: Path, tmp_path: Path):
    mine = tuner(composer, tmp_path, LONGER)
    unseen = sorted(pieces(composer, 64)[40:], key=lambda one: one[1])
    high, low = [one for one, _ in unseen[:8]], [one for one, _ in unseen[-8:]]

    version = mine.tune(None, lessons(composer), tmp_path / "work", ignore)

    before, after = (mine.contestant(one).likings([*low, *high]) for one in (None, version))
    gains = [later - sooner for later, sooner in zip(after, before, strict=True)]
    assert sum(gains[:8]) / 8 > sum(gains[8:]) / 8 + 0.04


class StopHereError(Exception):
    """Raised by a watch, as a worker that stops does."""


@pytest.mark.parametrize("last_step", [1, 4])
def test_a_training_that_was_stopped_goes_on_to_the_same_version(composer: Path, tmp_path: Path, last_step: int):
    steps: list[int] = []

    def interrupt(step: int, _steps: int, _losses: Mapping[str, float]) -> None:
        steps.append(step)
        if len(steps) == last_step:
            raise StopHereError

    some = lessons(composer)
    whole = tuner(composer, tmp_path, RECIPE).tune(None, some, tmp_path / "whole", ignore)
    with pytest.raises(StopHereError):
        tuner(composer, tmp_path, RECIPE).tune(None, some, tmp_path / "parts", interrupt)
    parts = tuner(composer, tmp_path, RECIPE).tune(None, some, tmp_path / "parts", interrupt)

    assert steps == list(range(1, 7))
    assert (parts / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()


def test_a_second_version_goes_on_from_the_first(composer: Path, tmp_path: Path):
    mine, some = tuner(composer, tmp_path, LONGER), lessons(composer)
    first = mine.tune(None, some, tmp_path / "one", ignore)
    losses: dict[str, list[float]] = {"fresh": [], "second": []}

    mine.tune(None, some, tmp_path / "two", lambda _step, _steps, one: losses["fresh"].append(one["loss"]))
    mine.tune(first, some, tmp_path / "three", lambda _step, _steps, one: losses["second"].append(one["loss"]))

    assert losses["second"][0] < losses["fresh"][0]


def test_a_version_that_learnt_finds_neutral_tunes_otherwise_than_the_shipped_one(composer: Path, tmp_path: Path):
    mine = tuner(composer, tmp_path, RECIPE)
    version = mine.tune(None, lessons(composer, 16), tmp_path / "work", ignore)

    shipped, learnt = (mine.contestant(one).neutral() for one in (None, version))

    assert shipped != learnt
    assert shipped == pytest.approx(-6, abs=1)


def test_what_makes_sound_and_no_notes_cannot_learn(tmp_path: Path):
    reference = str(write_recorder("musicgen", tmp_path))
    recorder = MusicTuner(reference, tmp_path, RECIPE, Place("cpu", "float32", 1))

    with pytest.raises(ModelLoadError, match="musicgen, which does not learn from ratings"):
        recorder.tune(None, [], tmp_path / "work", ignore)
    with pytest.raises(ModelLoadError, match="musicgen, which does not learn from ratings"):
        recorder.contestant(None)
