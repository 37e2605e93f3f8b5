"""The tuner of pictures: it learns which ones are liked, on networks of both kinds, and goes on after a stop."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from core.errors import ImpossibleWorkError, ModelLoadError
from schemas.campaigns import Kind
from schemas.learning import Recipe, curriculum
from workers.models.image import ImageOptions
from workers.models.image_pipelines import ADAPTER_WEIGHTS, denoiser_of, load_pipeline
from workers.models.tuning.denoising import Ask, Denoising, ask_of
from workers.models.tuning.image import ImageTuner
from workers.models.tuning.protocol import Place

from support.tiny_pictures import lessons, picture
from support.tiny_pipelines import write_adapter, write_pipeline

RECIPE = (
    curriculum()
    .recipes[Kind.IMAGE]
    .model_copy(update={"epochs": 1, "pairs_a_step": 4, "learning_rate": 3e-3, "warm_up_steps": 2, "sharpness": 50.0})
)
LONGER = RECIPE.model_copy(update={"epochs": 4})
CPU = Place("cpu", "float32", 1)


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folder of tiny pipelines: a network of one kind and one of the other."""
    folder = tmp_path_factory.mktemp("pipelines")
    return {name: write_pipeline(name, folder) for name in ("sd", "sd3", "flux", "pixart")}


def tuner(pipeline: Path, cache: Path, recipe: Recipe = RECIPE, adapter: Path | None = None) -> ImageTuner:
    model = f"{pipeline}+{adapter}" if adapter else str(pipeline)
    return ImageTuner(model, cache, recipe, CPU, ImageOptions(steps=2))


def ignore(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Watch nothing."""


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_liked_pictures_lose_more_noise_than_others_also_those_it_never_saw(
    pipelines: dict[str, Path], tmp_path: Path, name: str
):
    mine = tuner(pipelines[name], tmp_path, LONGER)
    unseen = [picture(tmp_path, number, is_red=is_red) for is_red in (True, False) for number in range(50, 54)]

    version = mine.tune(None, lessons(tmp_path, 8), tmp_path / "work", ignore)

    likings = mine.contestant(version).likings(unseen)
    assert min(likings[:4]) > max(likings[4:])
    assert mine.contestant(None).likings(unseen) == [0.0] * 8


@pytest.mark.parametrize("name", ["sd", "sd3"])
def test_a_version_is_read_as_diffusers_reads_adapters_and_says_what_was_trained(
    pipelines: dict[str, Path], tmp_path: Path, name: str
):
    version = tuner(pipelines[name], tmp_path).tune(None, lessons(tmp_path, 8), tmp_path / "work", ignore)

    loaded = load_pipeline(str(pipelines[name]), str(version), "cpu", "float32", tmp_path, ImageOptions())

    weights = dict(denoiser_of(loaded.pipe).named_parameters())
    learnt = [value for key, value in weights.items() if "lora_B" in key]
    assert [path.name for path in version.iterdir()] == [ADAPTER_WEIGHTS]
    assert len(learnt) > 3
    assert all(bool(value.abs().sum() > 0) for value in learnt[:2])


@pytest.mark.parametrize("name", ["sd", "sd3"])
def test_a_weaker_version_changes_the_shipped_network_by_so_much_less(
    pipelines: dict[str, Path], tmp_path: Path, name: str
):
    mine = tuner(pipelines[name], tmp_path)
    whole = mine.tune(None, lessons(tmp_path, 8), tmp_path / "work", ignore)

    weaker = mine.weakened(tmp_path / "work", 0.5)

    ups = []
    for folder in (whole, weaker):
        pipe = load_pipeline(str(pipelines[name]), str(folder), "cpu", "float32", tmp_path, ImageOptions()).pipe
        named = denoiser_of(pipe).named_parameters()
        ups.append(torch.cat([weight.detach().flatten() for key, weight in named if "lora_B" in key]))
    assert bool(ups[0].abs().sum() > 0)
    torch.testing.assert_close(ups[1], ups[0] * 0.5)


class StopHereError(Exception):
    """Raised by a watch, as a worker that stops does."""


def test_a_worker_that_stops_encodes_no_further_picture(pipelines: dict[str, Path], tmp_path: Path):
    asked: list[int] = []

    def stop_at_the_third() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise StopHereError

    with pytest.raises(StopHereError):
        tuner(pipelines["sd3"], tmp_path).tune(None, lessons(tmp_path, 4), tmp_path / "work", ignore, stop_at_the_third)

    assert len(asked) == 3


@pytest.mark.parametrize("name", ["sd", "sd3"])
def test_a_training_that_was_stopped_goes_on_to_the_same_version(pipelines: dict[str, Path], tmp_path: Path, name: str):
    steps: list[int] = []

    def interrupt(step: int, _steps: int, _losses: Mapping[str, float]) -> None:
        steps.append(step)
        if len(steps) == 1:
            raise StopHereError

    some = lessons(tmp_path, 8)
    whole = tuner(pipelines[name], tmp_path).tune(None, some, tmp_path / "whole", ignore)
    with pytest.raises(StopHereError):
        tuner(pipelines[name], tmp_path).tune(None, some, tmp_path / "parts", interrupt)
    parts = tuner(pipelines[name], tmp_path).tune(None, some, tmp_path / "parts", interrupt)

    assert steps == [1, 2]
    assert (parts / ADAPTER_WEIGHTS).read_bytes() == (whole / ADAPTER_WEIGHTS).read_bytes()


def test_a_second_version_goes_on_from_the_first(pipelines: dict[str, Path], tmp_path: Path):
    mine, some = tuner(pipelines["sd3"], tmp_path, LONGER), lessons(tmp_path, 8)
    first = mine.tune(None, some, tmp_path / "one", ignore)
    leads: list[float] = []

    mine.tune(first, some, tmp_path / "two", lambda _step, _steps, one: leads.append(one["loss"]))

    # What the shipped weights are at is a loss of ln 2.
    assert leads[0] < 0.69


def test_an_adapter_that_a_model_ships_with_is_where_its_versions_begin(pipelines: dict[str, Path], tmp_path: Path):
    pipe = load_pipeline(str(pipelines["sd3"]), None, "cpu", "float32", tmp_path, ImageOptions()).pipe
    adapter = write_adapter(pipe, tmp_path / "shipped")
    still = RECIPE.model_copy(update={"learning_rate": 1e-12})
    mine = tuner(pipelines["sd3"], tmp_path, still, adapter)
    unseen = [picture(tmp_path, number, is_red=True) for number in range(50, 53)]

    version = mine.tune(None, lessons(tmp_path, 4), tmp_path / "work", ignore)

    assert mine.contestant(version).likings(unseen) == pytest.approx([0.0] * 3, abs=1e-6)
    assert mine.contestant(version).neutral() == pytest.approx(-1.0, abs=1e-6)


def test_what_no_adapter_is_known_for_cannot_learn(pipelines: dict[str, Path], tmp_path: Path):
    mine = tuner(pipelines["pixart"], tmp_path)

    with pytest.raises(ModelLoadError, match="PixArtSigmaPipeline cannot learn from ratings"):
        mine.tune(None, lessons(tmp_path, 4), tmp_path / "work", ignore)
    with pytest.raises(ModelLoadError, match="PixArtSigmaPipeline cannot learn from ratings"):
        mine.contestant(None)


@pytest.mark.parametrize("name", ["sd", "sd3", "flux"])
@torch.no_grad()
def test_a_network_is_asked_as_its_pipeline_asks_it(pipelines: dict[str, Path], tmp_path: Path, name: str):
    pipe = load_pipeline(str(pipelines[name]), None, "cpu", "float32", tmp_path, ImageOptions()).pipe
    denoising, one = Denoising(pipe), picture(tmp_path, 1, is_red=True)
    ask = ask_of(one.recipe)
    assert one.file is not None
    latents = denoising.latents(one.file, ask)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))

    found = [float(denoising.error(other, latents, noise, 0.5)) for other in (ask, Ask("a lamp", 32, 32), ask)]

    assert found[0] == found[2]
    # What it was asked for matters, and so does how noisy the picture is.
    assert found[0] != found[1]
    assert float(denoising.error(ask, latents, noise, 0.1)) != found[0]


def test_a_manifest_that_does_not_say_what_was_asked_for_is_refused():
    with pytest.raises(ImpossibleWorkError, match="no prompt and size"):
        ask_of({"prompt": "a cup", "width": 32})
