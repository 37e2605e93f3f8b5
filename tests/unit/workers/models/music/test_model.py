"""The music family as a worker uses it: jobs in, pieces out, the same in any batch."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from core.errors import ImpossibleWorkError, ModelLoadError
from core.music.pieces import Piece
from schemas.jobs import MusicOrder
from workers.models.music import model, references
from workers.models.music.compose import Composer
from workers.models.music.encode import decoded
from workers.models.music.model import MusicModel
from workers.models.music.originality import Memory, Originality
from workers.models.music.tunes import Tune

from support.music_jobs import music_job
from support.tiny_composer import write_composer

ORDERS = [MusicOrder(mood="happy", seconds=5), MusicOrder(mood="calm", seconds=6, key="D")]


@pytest.fixture(scope="module")
def loaded(composer: Composer, some_tunes: list[Tune]) -> MusicModel:
    return MusicModel(composer, Memory(some_tunes), "tiny@1", "cpu")


def test_a_job_gets_the_same_bytes_alone_and_in_any_batch(loaded: MusicModel):
    jobs = [music_job(order, seed) for seed, order in enumerate(ORDERS)]

    [_, [together]] = loaded.generate(jobs, 1)
    [[alone]] = loaded.generate(jobs[1:], 1)

    assert alone == together
    assert len(decoded(alone.data)) == 6 * 48_000
    assert [file.ending for file in alone.companions] == ["mid", "png"]


def test_a_higher_attempt_gives_another_piece(loaded: MusicModel):
    [[first]], [[second]] = (loaded.generate([music_job(ORDERS[1], 1)], attempt) for attempt in (1, 2))

    assert first.recipe["words"] != second.recipe["words"]
    assert first.recipe["wav_sha256"] != second.recipe["wav_sha256"]


def test_the_recipe_says_how_it_was_made(loaded: MusicModel):
    [[sample]] = loaded.generate([music_job(ORDERS[1], 7)], 1)

    told = {key: sample.recipe[key] for key in ("mood", "key", "meter", "seed", "attempt", "written_bars")}
    assert told == {"mood": "calm", "key": "D major", "meter": "4/4", "seed": 7, "attempt": 1, "written_bars": 4}


def test_a_near_copy_is_refused_by_the_model_itself(composer: Composer):
    class Remembers(Memory):
        def __init__(self) -> None:
            pass

        def originality(self, piece: Piece) -> Originality:
            return Originality(0.0, len(piece.melody), len(piece.melody))

    [[sample]] = MusicModel(composer, Remembers(), "tiny@1", "cpu").generate([music_job(ORDERS[0], 1)], 1)

    assert sample.refused == "too near to a tune that the model learnt from"


def test_a_job_that_asks_for_no_music_says_what_to_do(loaded: MusicModel):
    with pytest.raises(ImpossibleWorkError, match="submit its campaign anew"):
        loaded.generate([music_job(None, 1)], 1)


def test_a_folder_of_weights_is_loaded_under_its_name_and_hash(tmp_path: Path):
    folder = write_composer(tmp_path / "tiny")

    found = references.load(str(folder), "cpu", "auto", tmp_path, 0)

    name, _, sha256 = found.version.partition("@")
    assert (name, len(sha256), found.device) == ("tiny", 8, "cpu")


def test_missing_weights_are_named_with_the_way_to_get_them(tmp_path: Path):
    with pytest.raises(ModelLoadError, match="`factory models train-starter music`, or set FACTORY_MUSIC_MODEL"):
        model.load("starter", torch.device("cpu"), tmp_path)


# peft reads a property that transformers 6 renames.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_changes_the_pieces_and_one_that_does_not_fit_says_so(tmp_path: Path):
    folder = write_composer(tmp_path / "tiny")
    recipe = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(1)
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder), recipe).save_pretrained(tmp_path / "brand")
    jobs = [music_job(ORDERS[0], 1)]

    plain, adapted = (
        references.load(str(folder), "cpu", "float32", tmp_path, 1, adapter)
        for adapter in (None, str(tmp_path / "brand"))
    )
    [[before]], [[after]] = plain.generate(jobs, 1), adapted.generate(jobs, 1)
    (tmp_path / "brand" / "adapter_model.safetensors").write_bytes(b"no weights")

    assert before.recipe["words"] != after.recipe["words"]
    with pytest.raises(ModelLoadError, match="brand does not fit its model"):
        references.load(str(folder), "cpu", "float32", tmp_path, 1, str(tmp_path / "brand"))
