"""The folder of the starter image model: put together once, whole or not there, loaded by diffusers as it stands."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoPipelineForText2Image

from core.errors import ModelLoadError
from workers.models.miniature.starter import starter_folder


@pytest.fixture(scope="module")
def folder(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return starter_folder(tmp_path_factory.mktemp("cache"), weights)


# The scheduler of diffusers still hands numpy a tensor in the old way.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_diffusers_loads_the_folder_and_makes_pictures_with_alpha(folder: Path):
    pipeline = AutoPipelineForText2Image.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)

    pictures = pipeline(["a cup of coffee", "a sneaker"], num_inference_steps=2, guidance_scale=2.0).images

    assert type(pipeline).__name__ == "StableDiffusionPipeline"
    assert pipeline.tokenizer.model_max_length == 24
    assert [(picture.mode, picture.size) for picture in pictures] == [("RGBA", (128, 128))] * 2


def test_the_folder_is_put_together_once_and_again_when_it_is_damaged(folder: Path, weights: Path):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    written = file.stat().st_mtime_ns
    assert starter_folder(folder.parent, weights) == folder
    assert file.stat().st_mtime_ns == written
    whole = file.read_bytes()

    file.write_bytes(whole[:-1])
    starter_folder(folder.parent, weights)

    assert file.read_bytes() == whole
    assert [path for path in folder.parent.iterdir() if path != folder and path.suffix != ".lock"] == []


def test_the_folder_bears_the_notice_of_the_artwork(folder: Path):
    assert "Fluent Emoji" in (folder / "NOTICE").read_text(encoding="utf-8")


def test_weights_that_are_missing_are_named(tmp_path: Path):
    with pytest.raises(ModelLoadError, match=r"unet.* is missing.*train-starter image"):
        starter_folder(tmp_path, tmp_path / "nothing")


def test_every_account_may_read_the_folder(folder: Path):
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.rglob("*"))
