"""Which models learn from ratings, told without loading one."""

import json
from pathlib import Path

import pytest

from core.errors import ImpossibleWorkError
from core.learners import PIPELINES, model_of, models_that_learn
from core.settings import Settings
from schemas.campaigns import Kind


def folder_of(place: Path, file: str, **fields: str) -> str:
    place.mkdir(parents=True)
    (place / file).write_text(json.dumps(fields))
    return str(place)


def test_the_starters_learn(tmp_path: Path):
    settings = Settings(home=tmp_path)

    assert models_that_learn(settings) == {
        Kind.COPY: "starter+house",
        Kind.IMAGE: "starter",
        Kind.MUSIC: "starter",
    }
    assert [model_of(settings, kind) for kind in (Kind.COPY, Kind.IMAGE, Kind.MUSIC)] == [
        "starter+house",
        "starter",
        "starter",
    ]


def test_advertisements_do_not_learn(tmp_path: Path):
    with pytest.raises(ImpossibleWorkError, match="kind creative do not learn"):
        model_of(Settings(home=tmp_path), Kind.CREATIVE)


@pytest.mark.parametrize(
    ("kind", "setting", "file", "fields"),
    [
        (Kind.MUSIC, "music_model", "config.json", {"model_type": "musicgen"}),
        (Kind.MUSIC, "music_model", "model_index.json", {"_class_name": "AceStepPipeline"}),
        (Kind.IMAGE, "image_model", "model_index.json", {"_class_name": "PixArtSigmaPipeline"}),
    ],
)
def test_what_cannot_learn_is_refused_when_asked_for_and_never_begun(
    tmp_path: Path, kind: Kind, setting: str, file: str, fields: dict[str, str]
):
    settings = Settings(home=tmp_path, **{setting: folder_of(tmp_path / "model", file, **fields)})

    with pytest.raises(ImpossibleWorkError, match=r"does not learn from ratings; .*FACTORY_"):
        model_of(settings, kind)
    assert kind not in models_that_learn(settings)


@pytest.mark.parametrize("kind", [Kind.COPY, Kind.IMAGE, Kind.MUSIC])
def test_a_model_in_the_store_is_refused_when_asked_for_and_never_begun(tmp_path: Path, kind: Kind):
    settings = Settings(home=tmp_path, **{f"{kind}_model": "s3://factory/models/mine"})

    with pytest.raises(ImpossibleWorkError, match=f"lies in the store.* folder .*FACTORY_{kind.upper()}_MODEL"):
        model_of(settings, kind)
    assert kind not in models_that_learn(settings)


def test_a_folder_that_can_learn_is_known_by_what_it_says_of_itself(tmp_path: Path):
    music = folder_of(tmp_path / "composer", "config.json", model_type="llama")
    for name in PIPELINES:
        image = folder_of(tmp_path / name, "model_index.json", _class_name=name)
        settings = Settings(home=tmp_path, music_model=music, image_model=image, image_adapter="ours")

        assert models_that_learn(settings)[Kind.IMAGE] == f"{image}+ours"
        assert models_that_learn(settings)[Kind.MUSIC] == music


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": 7}'])
def test_a_model_that_is_not_at_hand_or_damaged_is_begun_by_people_alone(tmp_path: Path, text: str):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.json").write_text(text)
    settings = Settings(home=tmp_path, music_model=str(tmp_path / "damaged"), image_model="org/name")

    assert set(models_that_learn(settings)) == {Kind.COPY}
    assert model_of(settings, Kind.IMAGE) == "org/name"


def test_a_hub_id_is_known_by_what_was_fetched_of_it(tmp_path: Path):
    place = tmp_path / "models" / "hub" / "models--org--name" / "snapshots" / "1"
    folder_of(place, "model_index.json", _class_name="FluxPipeline")

    assert models_that_learn(Settings(home=tmp_path, image_model="org/name"))[Kind.IMAGE] == "org/name"
