"""Models of others by reference: the same piece in any batch, exactly as long as asked for, and what is refused."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import ImpossibleWorkError, ModelLoadError
from core.music.moods import MusicBrief
from schemas.jobs import MusicOrder
from workers.models.music import references
from workers.models.music.encode import decoded
from workers.models.music.master import RATE, loudness_of
from workers.models.music.recorded import RecordedMusicModel
from workers.models.music.recorder import Sound, Wish, as_stereo, joined_ends, prompt_of

from support.music_jobs import music_job
from support.tiny_recorders import BUILDERS, write_recorder

# The autoencoder of ACE-Step is written with what torch has a newer name for.
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
ORDERS = [MusicOrder(mood="upbeat", seconds=5), MusicOrder(mood="calm", seconds=6, key="D")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recorders")
    return {name: write_recorder(name, folder) for name in BUILDERS}


def test_a_folder_whose_description_is_damaged_is_refused_by_the_name_of_the_file(tmp_path: Path):
    (tmp_path / "config.json").write_text("{")

    with pytest.raises(ModelLoadError, match=r"config\.json is no JSON"):
        references.load(str(tmp_path), "cpu", "float32", tmp_path, 1)


def opened(folder: Path) -> RecordedMusicModel:
    loaded = references.load(str(folder), "cpu", "float32", folder, 1)
    assert isinstance(loaded, RecordedMusicModel)
    return loaded


@pytest.mark.parametrize("name", BUILDERS)
def test_a_job_gets_the_same_recording_alone_and_beside_others(name: str, folders: dict[str, Path]):
    model = opened(folders[name])
    jobs = [music_job(ORDERS[0], 1), music_job(ORDERS[1], 2), music_job(ORDERS[0], 3)]

    [[first], [longer], [third]] = model.generate(jobs, 1)
    [[alone]] = model.generate(jobs[2:], 1)
    [[again]] = model.generate(jobs[2:], 2)

    audio = [decoded(one.data) for one in (first, longer, third, alone, again)]
    assert [len(one) / RATE for one in audio] == [5, 6, 5, 5, 5]
    assert np.abs(audio[2] - audio[3]).max() < 1e-3
    assert np.abs(audio[2] - audio[0]).max() > 1e-2
    assert np.abs(audio[3] - audio[4]).max() > 1e-2
    assert loudness_of(audio[0]) == pytest.approx(-14, abs=0.5)


def test_a_model_that_is_not_for_advertisements_says_so_in_log_and_recipe(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, "workers.models.music.references"):
        model = opened(folders["musicgen"])

    [[sample]] = model.generate([music_job(ORDERS[0])], 1)
    assert "CC-BY-NC 4.0" in caplog.text
    assert "must not be used in advertisements" in str(sample.recipe["licence"])


def test_music_longer_than_a_model_makes_is_refused(folders: dict[str, Path]):
    model = opened(folders["musicgen"])

    with pytest.raises(ImpossibleWorkError, match="at most 10 s"):
        model.generate([music_job(MusicOrder(mood="calm", seconds=15))], 1)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (None, "no model of music"),
        ({"model_type": "bert"}, "is bert"),
        ({"model_type": "musicgen"}, "no musicgen can be"),
    ],
)
def test_what_is_no_model_of_music_is_named_with_what_would_be(
    config: dict[str, str] | None, told: str, tmp_path: Path
):
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(ModelLoadError, match=told):
        references.load(str(tmp_path), "cpu", "auto", tmp_path, 0)


def test_a_reference_that_is_neither_folder_nor_hub_id_is_named(tmp_path: Path):
    with pytest.raises(ModelLoadError, match="is no existing folder and cannot be fetched"):
        references.load("not/a/model", "cpu", "auto", tmp_path, 0)


class Narrow:
    """Returns a tone; has room for one piece at a time, or for none."""

    version, device, rate, licence_warning = "narrow@1", "cpu", 24_000, ""

    def __init__(self, room: int) -> None:
        self._room = room
        self.passes: list[int] = []

    def wish_of(self, brief: MusicBrief, seconds: float) -> Wish:
        del brief
        return Wish(seconds)

    def record(self, prompts: Sequence[str], seeds: Sequence[int], wish: Wish) -> list[Sound]:
        del seeds
        self.passes.append(len(prompts))
        if len(prompts) > self._room:
            raise torch.OutOfMemoryError("too many")
        times = np.arange(round(wish.seconds * self.rate)) / self.rate
        return [np.sin(2 * np.pi * 440 * times).astype(np.float32)[:, None]] * len(prompts)


def test_a_device_that_is_too_small_gets_smaller_passes():
    narrow = Narrow(room=1)

    made = RecordedMusicModel(narrow, pass_size=4).generate([music_job(ORDERS[0], n) for n in range(2)], 1)

    assert len(made) == 2
    assert narrow.passes == [4, 2, 1, 1]
    with pytest.raises(torch.OutOfMemoryError):
        RecordedMusicModel(Narrow(room=0), pass_size=1).generate([music_job(ORDERS[0])], 1)


def test_a_loop_goes_on_where_it_began():
    times = np.arange(7 * RATE) / RATE
    rising = np.stack([times, times], 1).astype(np.float32)

    looped = joined_ends(rising, 6, 1)

    assert len(looped) == 6 * RATE
    # What would have come after the end is heard at the start.
    assert looped[0, 0] == pytest.approx(6.0)
    assert looped[RATE, 0] == pytest.approx(1.0)


def test_a_mono_sound_of_another_rate_becomes_stereo_of_ours():
    assert as_stereo(np.zeros((32_000, 1), dtype=np.float32), 32_000).shape == (RATE, 2)


def test_a_brief_is_told_in_words():
    brief = MusicBrief("calm", 10, key="F# minor", instruments=("harp", "cello"), is_loop=True)

    assert prompt_of(brief) == (
        "calm instrumental ambient music, 76 bpm, 4/4 time, in F# minor, very calm, with harp, cello, seamless loop"
    )


@pytest.mark.parametrize("name", BUILDERS)
def test_a_model_that_takes_no_adapter_says_so(name: str, folders: dict[str, Path]):
    with pytest.raises(ModelLoadError, match="takes no adapter here"):
        references.load(str(folders[name]), "cpu", "float32", folders[name], 1, "brand")
