"""From ratings of music and pictures to a version that a worker makes new ones with: real tiny models and servers."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from schemas.buckets import Bucket
from schemas.campaigns import Kind, Product
from schemas.jobs import Brief, Job, MusicOrder
from schemas.learning import TrainingState, curriculum
from schemas.versions import SHIPPED, name_of_version
from workers.engine import Engine
from workers.learning.held import StoppedError
from workers.learning.materials import Shelf, fetched, still_there
from workers.learning.pairs import Pair, pairs_of
from workers.learning.snapshot import take
from workers.learning.teacher import Outcome
from workers.learning.train import make_teacher

from support.rated_media import AUDIENCE, BRAND, CAMPAIGN, Media, record, small_world
from support.tiny_composer import write_composer
from support.tiny_pictures import PROMPTS, SIDE
from support.tiny_pieces import pieces
from support.tiny_pipelines import write_pipeline

pytestmark = pytest.mark.timeout(600)


def job_of(number: int, kind: Kind, model: str, brief: Brief) -> Job:
    return Job(
        id=f"{CAMPAIGN}-{number:06d}",
        campaign_id=CAMPAIGN,
        kind=kind,
        bucket=str(Bucket(kind, model, "any")),
        brief=brief,
        variant=number,
        seed=number,
    )


def rated_pieces(composer: Path, count: int = 96) -> list[Media]:
    """Return two pieces of each order, the lower one of which is liked."""
    made = pieces(composer, count)
    found = []
    for number, (judged, lowness) in enumerate(made):
        alike = sorted(score for _, score in made[number // 2 * 2 : number // 2 * 2 + 2])
        job = job_of(number, Kind.MUSIC, str(composer), judged.brief)
        data = f"recording {number}".encode()
        found.append(Media(job, data, "audio/wav", dict(judged.recipe), lowness == alike[1]))
    return found


def rated_pictures(pipeline: Path, count: int = 96) -> list[Media]:
    """Return pictures of twenty-four products, half of them red, and those are liked."""
    found = []
    for number in range(count):
        is_red = number % 2 == 0
        pixels = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE, 3))
        pixels[..., 0 if is_red else 2] += 180
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        product = Product(sku=f"NB-{number // 4}", name=f"Thing {number // 4}")
        brief = Brief(brand=BRAND, product=product, audience=AUDIENCE, channel="instagram.square")
        recipe = {"prompt": PROMPTS[number % len(PROMPTS)], "width": SIDE, "height": SIDE}
        job = job_of(number, Kind.IMAGE, str(pipeline), brief)
        found.append(Media(job, file.getvalue(), "image/png", recipe, is_red))
    return found


def taught(settings: Settings, ledger: Ledger, kind: Kind, model: str) -> Outcome:
    """Ask for a training, and do it as a worker does."""
    ledger.trainings.ask(kind, model, "ada asked for it")
    outcome = make_teacher(settings, ledger, "w@test#1", threading.Event()).serve(kind, model)
    assert outcome is not None
    return outcome


WORLDS: dict[Kind, tuple[Callable[[Path], Path], Callable[[Path], list[Media]], dict[str, object], str]] = {
    Kind.MUSIC: (
        write_composer,
        rated_pieces,
        {"learning_rate": 1e-2, "epochs": 3, "pairs_a_step": 6, "warm_up_steps": 2},
        "music_model",
    ),
    Kind.IMAGE: (
        lambda folder: write_pipeline("sd3", folder),
        rated_pictures,
        {"learning_rate": 3e-3, "epochs": 1, "sharpness": 50.0, "warm_up_steps": 2},
        "image_model",
    ),
}


@pytest.mark.parametrize("kind", list(WORLDS))
def test_a_taste_becomes_a_version_that_a_worker_makes_new_ones_with(
    kind: Kind, settings: Settings, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    build, rated, recipe, setting = WORLDS[kind]
    folder = tmp_path / "models"
    folder.mkdir()
    model = build(folder)
    settings = small_world(settings, tmp_path, kind, **recipe).model_copy(update={setting: str(model)})
    made = rated(model)
    record(own_ledger, storage, made)

    outcome = taught(settings, own_ledger, kind, str(model))

    assert outcome.state == TrainingState.PASSED, outcome.message
    version = outcome.version
    assert version is not None
    assert version.verdict.challenger_agrees > version.verdict.champion_agrees + 0.2
    assert own_ledger.versions.get(version.id).described == version
    # It is known by what decides what it is, so there is no other one of the same ratings.
    assert taught(settings, own_ledger, kind, str(model)).message.startswith(f"nothing is new since {version.id}")
    engine = Engine(settings, own_ledger.leases, storage, own_ledger.versions)
    wanted = a_new_job(kind, str(model))
    results = {one: engine.generate(wanted.bucket, [wanted], 1, version=one)[0] for one in (SHIPPED, version.id)}
    assert [one.failure for one in results.values()] == [None, None]
    assert results[version.id].model == name_of_version(str(model), version.id)
    assert results[version.id].samples[0].data != results[SHIPPED].samples[0].data


def a_new_job(kind: Kind, model: str) -> Job:
    if kind == Kind.IMAGE:
        return rated_pictures(Path(model), 1)[0].job.model_copy(update={"seed": 500})
    order = MusicOrder(mood="calm", seconds=5)
    brief = Brief(
        brand=BRAND, product=Product(sku="NB-1", name="Ember"), audience=AUDIENCE, channel="music.spot", music=order
    )
    return job_of(500, kind, model, brief)


MODEL = "tiny"


@dataclass(frozen=True)
class Gallery:
    """Rated pictures of twelve products, what pairs there are of them, and where they lie."""

    made: list[Media]
    pairs: list[Pair]
    shelf: Shelf


@pytest.fixture
def gallery(own_ledger: Ledger, storage: Storage, tmp_path: Path) -> Gallery:
    made = rated_pictures(Path(MODEL), 48)
    record(own_ledger, storage, made)
    rules = curriculum()
    taken = take(own_ledger.opinions.of_model(Kind.IMAGE, MODEL), Kind.IMAGE, MODEL, rules)
    pairs = [pair for side in (True, False) for pair in pairs_of(taken, rules.snapshot, held_out=side)]
    return Gallery(made, pairs, Shelf(own_ledger.assets, storage, tmp_path / "assets"))


def test_what_is_lost_in_the_store_is_left_out_with_its_pairs(gallery: Gallery, caplog: pytest.LogCaptureFixture):
    shelf = gallery.shelf
    without_recipe, without_bytes = (shelf.assets.of_job(gallery.made[number].job.id) for number in (5, 6))
    shelf.storage.put(without_recipe.manifest.key, b"damaged", "application/json")
    shelf.storage.delete(without_bytes.location.key)

    found = fetched(Kind.IMAGE, gallery.pairs, shelf, lambda: None)

    lost = {without_recipe.job_id, without_bytes.job_id}
    left = still_there(gallery.pairs, found)
    paired = {one.job_id for pair in gallery.pairs for one in (pair.better, pair.worse)}
    assert lost < paired
    assert found.keys() == paired - lost
    assert left == [pair for pair in gallery.pairs if lost.isdisjoint({pair.better.job_id, pair.worse.job_id})]
    assert [key in caplog.text for key in (without_recipe.manifest.key, without_bytes.location.key)] == [True, True]


def test_a_worker_that_stops_fetches_no_further_asset(gallery: Gallery):
    asked: list[int] = []

    def stop_at_the_third() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise StoppedError("the worker stops")

    with pytest.raises(StoppedError):
        fetched(Kind.IMAGE, gallery.pairs, gallery.shelf, stop_at_the_third)

    assert len(list(gallery.shelf.folder.iterdir())) == 2


def test_a_training_of_which_too_much_is_lost_says_what_is_missing(
    settings: Settings, own_ledger: Ledger, storage: Storage, tmp_path: Path
):
    settings = small_world(settings, tmp_path, Kind.IMAGE).model_copy(update={"image_model": MODEL})
    made = rated_pictures(Path(MODEL))
    record(own_ledger, storage, made)
    for one in made[::2]:
        storage.delete(own_ledger.assets.of_job(one.job.id).location.key)

    outcome = taught(settings, own_ledger, Kind.IMAGE, MODEL)

    assert outcome.state == TrainingState.SKIPPED
    assert outcome.message.startswith("there are only 0 of 20 pairs to train on, 0 of 8 pairs to judge by")
