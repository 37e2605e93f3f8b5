import io
import logging
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoPipelineForText2Image
from PIL import Image

from core.errors import ModelLoadError
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job, PictureOrder
from schemas.pictures import picture_channels
from workers.models.image import Canvas, ImageModel, ImageOptions, canvas_of, load, usual_pass_size

from support.tiny_pipelines import SIDE, write_adapter, write_pipeline

# diffusers makes arrays of tensors in a way that numpy means to change.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STOCK = ["sd", "sdxl", "sd3", "flux", "pixart"]
SQUARE = "instagram.square"
STORY = "instagram.story"

FolderOf = Callable[[str], Path]


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> FolderOf:
    """Return a writer of tiny pipelines that writes each one once."""
    home = tmp_path_factory.mktemp("pipelines")
    return lambda name: home / name if (home / name).is_dir() else write_pipeline(name, home)


@pytest.fixture(scope="session")
def adapter(folder_of: FolderOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a LoRA for the pipeline `sd`."""
    return write_adapter(model_of(folder_of("sd"))._pipe, tmp_path_factory.mktemp("adapters") / "brand")


def model_of(folder: Path, adapter: str | None = None, **options: object) -> ImageModel:
    wanted = ImageOptions(**{"steps": 2, **options})
    model = load(str(folder), adapter, "cpu", "float32", folder.parent / "cache", threads=1, options=wanted)
    # FLUX counts on 128 x 128 latents whatever its folder says: more than a test has time for.
    model._canvas = replace(model._canvas, side=min(model._canvas.side, SIDE))
    return model


def job(seed: int, channel: str = SQUARE, **picture: object) -> Job:
    brief = Brief(
        brand=Brand(name="Northbeam", voice="warm, dry"),
        product=Product(sku="NB-1", name=f"Mug {seed}", description="Steel mug with a cork lid."),
        audience=Audience(id="commuters", description="people who need coffee before eight"),
        channel=channel,
        picture=PictureOrder(**picture),
    )
    bucket = "image/tiny/square"
    return Job(
        id=f"job-{seed}", campaign_id="spring", kind=Kind.IMAGE, bucket=bucket, brief=brief, variant=0, seed=seed
    )


def pictures(model: ImageModel, jobs: Sequence[Job], attempt: int = 1) -> list[bytes]:
    return [sample.data for (sample,) in model.generate(jobs, attempt)]


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def distance(one: bytes, other: bytes) -> int:
    """Return the largest difference between two pictures, in steps of 255."""
    return int(np.abs(np.asarray(opened(one)).astype(int) - np.asarray(opened(other)).astype(int)).max())


@pytest.mark.parametrize("name", STOCK)
def test_any_stock_pipeline_paints_in_the_aspect_of_the_channel(folder_of: FolderOf, name: str):
    model = model_of(folder_of(name))

    (square,), (story,) = model.generate([job(1), job(2, STORY)], 1)

    assert model.version.startswith(f"{name}@")
    assert square.content_type == "image/png"
    assert (opened(square.data).size, opened(square.data).mode) == ((SIDE, SIDE), "RGB")
    assert opened(story.data).width < SIDE < opened(story.data).height
    assert (story.recipe["width"], story.recipe["height"]) == opened(story.data).size
    assert str(story.recipe["prompt"]).startswith("Mug 2, Steel mug, cork lid")


@pytest.mark.parametrize("name", [*STOCK, "subject"])
def test_a_picture_is_the_same_bit_for_bit_alone_and_in_any_batch(folder_of: FolderOf, name: str):
    model = model_of(folder_of(name), pass_size=3)
    jobs = [job(seed, look="x " * seed) for seed in range(5)]
    together = dict(zip([one.id for one in jobs], pictures(model, jobs), strict=True))
    shuffled = random.Random(1).sample(jobs, 4)

    assert pictures(model, shuffled) == [together[one.id] for one in shuffled]
    assert pictures(model, jobs[3:4]) == [together["job-3"]]
    assert len(set(together.values())) == len(jobs)


def test_passes_of_another_size_change_a_picture_by_one_step_at_most(folder_of: FolderOf):
    jobs = [job(seed) for seed in range(4)]

    singly = pictures(model_of(folder_of("sdxl"), pass_size=1), jobs)
    at_once = pictures(model_of(folder_of("sdxl"), pass_size=4), jobs)

    assert [distance(one, other) <= 1 for one, other in zip(singly, at_once, strict=True)] == [True] * 4


def test_seeds_and_attempts_give_other_pictures(folder_of: FolderOf):
    model = model_of(folder_of("sd"))
    same_words = [job(seed, prompt="a red mug") for seed in (1, 2)]

    first, other_seed = pictures(model, same_words)
    (other_attempt,) = pictures(model, same_words[:1], attempt=2)

    assert len({first, other_seed, other_attempt}) == 3
    assert pictures(model_of(folder_of("sd")), same_words[:1]) == [first]


def test_jobs_of_different_steps_guidance_and_sizes_share_a_call_and_keep_their_order(folder_of: FolderOf):
    model = model_of(folder_of("sd"), pass_size=2)
    jobs = [job(1), job(2, STORY), job(3, steps=3), job(4, guidance=2.5), job(5), job(6, negative="text")]

    samples = [sample for (sample,) in model.generate(jobs, 1)]

    assert [sample.recipe["seed"] for sample in samples] == [1, 2, 3, 4, 5, 6]
    assert [sample.recipe["steps"] for sample in samples] == [2, 2, 3, 2, 2, 2]
    assert [sample.recipe["guidance"] for sample in samples] == [7.5, 7.5, 7.5, 2.5, 7.5, 7.5]
    assert [sample.data for sample in samples] == [pictures(model, [one])[0] for one in jobs]


def test_a_negative_prompt_counts_only_where_guidance_reads_it(folder_of: FolderOf):
    plain, led, unled = job(1), job(1, negative="text"), job(1, negative="text", guidance=1)
    model, flux = model_of(folder_of("sd")), model_of(folder_of("flux"))

    assert pictures(model, [plain]) != pictures(model, [led])
    assert [sample.recipe["negative"] for (sample,) in model.generate([led, unled], 1)] == ["text", ""]
    assert flux.generate([led], 1)[0][0].recipe["negative"] == ""


def test_a_model_that_paints_with_alpha_makes_its_square_for_every_channel(folder_of: FolderOf):
    model = model_of(folder_of("subject"), steps=None)

    ((sample,),) = model.generate([job(1, STORY)], 1)

    assert (opened(sample.data).size, opened(sample.data).mode) == ((SIDE, SIDE), "RGBA")
    assert (sample.recipe["steps"], sample.recipe["guidance"]) == (20, 3.0)
    assert sample.recipe["prompt"] == "Mug 1, Steel mug, cork lid"


@pytest.mark.parametrize(
    ("name", "canvas"),
    [
        ("sdxl", Canvas(side=32, cell=8, is_subject=False)),
        ("flux", Canvas(side=256, cell=8, is_subject=False)),
        ("subject", Canvas(side=32, cell=8, is_subject=True)),
    ],
)
def test_the_configuration_of_the_networks_says_what_they_paint_on(folder_of: FolderOf, name: str, canvas: Canvas):
    pipe = AutoPipelineForText2Image.from_pretrained(folder_of(name), dtype=torch.float32)

    assert canvas_of(pipe) == canvas


def test_sizes_keep_area_and_aspect_in_whole_cells():
    canvas = Canvas(side=1024, cell=32, is_subject=False)

    sizes = {name: canvas.size(channel) for name, channel in picture_channels().items()}

    assert sizes["instagram.square"] == (1024, 1024)
    assert sizes["instagram.story"] == (768, 1376)
    assert sizes["display.landscape"] == (1376, 768)
    assert sizes["iab.leaderboard"] == sizes["iab.mobile_banner"] == (1440, 736)
    assert sizes["iab.wide_skyscraper"] == (736, 1440)


def test_an_adapter_changes_the_pictures_and_the_version_and_comes_off_without_a_trace(
    folder_of: FolderOf, adapter: Path
):
    base, adapted = model_of(folder_of("sd")), model_of(folder_of("sd"), str(adapter))
    before, after = pictures(base, [job(1)]), pictures(adapted, [job(1)])

    adapted._pipe.set_adapters(["adapter"], [0.0])
    at_zero = pictures(adapted, [job(1)])
    adapted._pipe.unload_lora_weights()

    assert adapted.version.startswith("sd+brand@")
    assert adapted.version.partition("@")[2] != base.version.partition("@")[2]
    assert after != before
    assert at_zero == pictures(adapted, [job(1)]) == before


def test_a_picture_that_the_safety_checker_blanked_says_so(folder_of: FolderOf):
    ((sample,),) = model_of(folder_of("censored")).generate([job(1)], 1)

    assert sample.refused == "the safety checker of the model blanked this picture"
    assert opened(sample.data).getextrema() == ((0, 0),) * 3


def test_a_picture_whose_numbers_ran_over_says_so(folder_of: FolderOf):
    model = model_of(folder_of("sd"))
    model._pipe.vae.decoder.conv_out.bias.data.fill_(float("nan"))

    ((sample,),) = model.generate([job(1)], 1)

    assert sample.refused == "the numbers ran over: use dtype bfloat16 or float32"


def test_running_out_of_memory_passes_through_and_the_model_works_on(folder_of: FolderOf):
    model = model_of(folder_of("sd"), pass_size=1)
    before = pictures(model, [job(1)])
    network = model._pipe.unet
    forward = network.forward

    def full(*_args: object, **_more: object) -> None:
        raise torch.OutOfMemoryError("no memory left")

    network.forward = full
    with pytest.raises(torch.OutOfMemoryError):
        model.generate([job(1)], 1)
    network.forward = forward

    assert pictures(model, [job(1)]) == before


def test_out_of_memory_in_a_pass_of_several_halves_the_passes(folder_of: FolderOf):
    model = model_of(folder_of("sd"), pass_size=4)
    forward = model._pipe.unet.forward

    def narrow(latents: torch.Tensor, *args: object, **more: object) -> object:
        # Each picture has two rows: led by its prompt, and not.
        if len(latents) > 4:
            raise torch.OutOfMemoryError("no memory left")
        return forward(latents, *args, **more)

    model._pipe.unet.forward = narrow
    samples = model.generate([job(seed) for seed in range(3)], 1)

    assert [sample.recipe["pass_size"] for (sample,) in samples] == [2, 2, 2]


def test_options_that_save_memory_change_a_picture_by_one_step_at_most(folder_of: FolderOf):
    usual = pictures(model_of(folder_of("sd"), pass_size=2), [job(1)])[0]

    thrifty = model_of(folder_of("sd"), pass_size=2, slicing=True, tiling=True)

    assert distance(pictures(thrifty, [job(1)])[0], usual) <= 1


def test_no_prompt_reaches_the_logs(
    folder_of: FolderOf, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    model = model_of(folder_of("sd"))
    secret = "secret " * 40

    with caplog.at_level(logging.DEBUG):
        model.generate([job(1, prompt=secret)], 1)

    assert "secret" not in caplog.text + "".join(capfd.readouterr())


def test_an_adapter_for_another_architecture_is_refused(folder_of: FolderOf, adapter: Path):
    with pytest.raises(ModelLoadError, match="does not fit FluxPipeline"):
        model_of(folder_of("flux"), str(adapter))
    with pytest.raises(ModelLoadError, match="PixArtSigmaPipeline takes no adapter"):
        model_of(folder_of("pixart"), str(adapter))


def test_pickled_weights_and_code_are_refused(folder_of: FolderOf, tmp_path: Path):
    pickled, coded = tmp_path / "pickled", tmp_path / "coded"
    for copy in (pickled, coded):
        shutil.copytree(folder_of("sd"), copy)
    torch.save({}, pickled / "unet" / "diffusion_pytorch_model.bin")
    (pickled / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    (coded / "pipeline.py").write_text("raise SystemExit")

    with pytest.raises(ModelLoadError, match=r"unet has no \*.safetensors, only pickled weights"):
        model_of(pickled)
    with pytest.raises(ModelLoadError, match="brings code of its own, which is never run here"):
        model_of(coded)


def test_a_pipeline_that_lost_a_part_says_which(folder_of: FolderOf, tmp_path: Path):
    shutil.copytree(folder_of("sd"), tmp_path / "torn")
    (tmp_path / "torn" / "vae" / "diffusion_pytorch_model.safetensors").unlink()

    with pytest.raises(ModelLoadError, match=r"no text-to-image pipeline can be loaded from .*diffusion_pytorch_model"):
        model_of(tmp_path / "torn")


@pytest.mark.parametrize(
    ("reference", "adapter", "device", "words"),
    [
        ("no such/model at all", None, "cpu", "neither `starter`, nor an existing folder, nor a hub id"),
        ("EMPTY", None, "cpu", "model_index.json is missing"),
        ("SD", "no such/adapter at all", "cpu", "is no existing folder and cannot be fetched"),
        ("SD", "EMPTY", "cpu", r"holds 0 \*.safetensors files"),
        ("SD", None, "abacus", "device 'abacus' is not known"),
        ("SD", None, "cuda:99", "is not there"),
    ],
)
def test_what_cannot_be_loaded_says_the_way_out(
    folder_of: FolderOf, tmp_path: Path, reference: str, adapter: str | None, device: str, words: str
):
    places = {"SD": str(folder_of("sd")), "EMPTY": str(tmp_path)}
    place, lora = places.get(reference, reference), places.get(adapter or "", adapter)

    with pytest.raises(ModelLoadError, match=words):
        load(place, lora, device, "float32", tmp_path / "cache", threads=1)


def test_offloading_without_a_card_is_refused(folder_of: FolderOf):
    with pytest.raises(ModelLoadError, match="moves weights off a card, but the device is cpu"):
        model_of(folder_of("sd"), offload="model")


@pytest.mark.parametrize(("device", "side", "size"), [("cpu", 128, 4), ("cuda", 128, 32), ("cuda:1", 512, 4)])
def test_a_card_paints_many_small_pictures_at_once(device: str, side: int, size: int):
    assert usual_pass_size(device, Canvas(side, 8, is_subject=True)) == size
