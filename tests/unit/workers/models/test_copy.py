import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.errors import ModelLoadError
from schemas.channels import Shape
from schemas.jobs import Job
from workers.models.copy import CANDIDATES, OTHER_TASTE, TRIES, CopyModel, Lexicon
from workers.models.copy_loading import load
from workers.models.verifier import Verifier

JobOf = Callable[..., Job]


@pytest.fixture(scope="module")
def model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> CopyModel:
    return load(str(tiny_model), None, "cpu", "float32", tmp_path_factory.mktemp("cache"), threads=1)


def lines_of(model: CopyModel, jobs: list[Job], attempt: int = 1) -> list[list[bytes]]:
    return [[sample.data for sample in samples] for samples in model.generate(jobs, attempt)]


def test_any_folder_of_a_causal_model_loads_and_names_its_weights(model: CopyModel, tiny_model: Path):
    name, _, digest = model.version.partition("@")

    assert name == tiny_model.name
    assert len(digest) == 8
    assert model.device == "cpu"


def test_every_job_gets_candidates_best_first(model: CopyModel, job_of: JobOf):
    jobs = [job_of(seed) for seed in range(3)]

    batch = model.generate(jobs, 1)

    assert [1 <= len(samples) <= max(CANDIDATES.values()) * max(TRIES.values()) for samples in batch] == [True] * 3
    for samples in batch:
        scores = [sample.score for sample in samples]
        assert scores == sorted(scores, reverse=True)
        assert samples[0].recipe["seed"] in range(3)
        assert samples[0].content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_job_gives_the_same_candidates_alone_and_in_any_batch(
    tiny_model: Path, job_of: JobOf, tmp_path: Path, dtype: str
):
    model = load(str(tiny_model), None, "cpu", dtype, tmp_path, threads=1)
    long_name = "Ember Espresso for the machine on the counter, whole beans, roasted on Monday, in a bag of 250 g"
    jobs = [job_of(seed, product=long_name if seed % 3 == 0 else "Ember Espresso") for seed in range(16)]
    alone = {job.id: lines_of(model, [job])[0] for job in jobs}

    for size in (3, 8, 16):
        batch = random.Random(size).sample(jobs, size)
        together = dict(zip([job.id for job in batch], lines_of(model, batch), strict=True))
        assert together == {job.id: alone[job.id] for job in batch}


def test_jobs_of_different_lengths_share_a_batch(model: CopyModel, job_of: JobOf):
    jobs = [job_of(1), job_of(1, channel="product.description"), job_of(1, channel="x.post")]

    together = lines_of(model, jobs)

    assert together == [lines_of(model, [job])[0] for job in jobs]


def test_seeds_and_attempts_give_other_candidates(model: CopyModel, job_of: JobOf):
    first = lines_of(model, [job_of(1)])
    other_seed = lines_of(model, [job_of(6)])
    other_attempt = lines_of(model, [job_of(1)], attempt=2)

    assert first != other_seed
    assert first != other_attempt
    assert first == lines_of(model, [job_of(1)])


def test_a_line_never_goes_beyond_its_first_line_or_end_token(model: CopyModel, job_of: JobOf):
    texts = [data.decode() for data in chain(*lines_of(model, [job_of(seed) for seed in range(8)]))]

    assert [text for text in texts if "\n" in text or "<|" in text] == []
    assert all(texts)


def test_a_tokenizer_without_a_chat_format_gets_plain_text(tiny_model: Path, job_of: JobOf, tmp_path: Path):
    folder = tmp_path / "plain"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = None
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tokenizer.save_pretrained(folder)
    model = load(str(folder), None, "cpu", "float32", tmp_path, threads=1)

    samples = model.generate([job_of(1)], 1)[0]

    assert str(samples[0].recipe["prompt"]).startswith("Brand: Northbeam Coffee")
    assert str(samples[0].recipe["prompt"]).endswith("Text:")


def test_a_line_ranks_by_what_a_verifier_says_as_well(tiny_model: Path, job_of: JobOf):
    network = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()
    lexicon = Lexicon.of(AutoTokenizer.from_pretrained(tiny_model), network)
    says = Verifier({1: torch.linspace(-1, 1, 64)})
    taste = replace(OTHER_TASTE, verified=frozenset({Shape.SHORT}))

    unheard = CopyModel(network, lexicon, "tiny", OTHER_TASTE, says).generate([job_of(1)], 1)[0]
    heard = CopyModel(network, lexicon, "tiny", taste, says).generate([job_of(1)], 1)[0]

    scores = {sample.data: sample.score for sample in unheard}
    gains = [sample.score - scores[sample.data] for sample in heard]
    assert gains == pytest.approx([sample.recipe["verified"] for sample in heard], abs=1e-5)
    assert max(map(abs, gains)) > 0.1
    assert {sample.recipe["verified"] for sample in unheard} == {0.0}


def test_running_out_of_memory_passes_through_and_the_model_works_on(model: CopyModel, job_of: JobOf):
    before = lines_of(model, [job_of(1)])
    network = model._decoder._model
    forward = network.forward

    def full(*_args: object, **_more: object) -> None:
        raise torch.OutOfMemoryError("no memory left")

    network.forward = full
    with pytest.raises(torch.OutOfMemoryError):
        model.generate([job_of(1)], 1)
    network.forward = forward

    assert lines_of(model, [job_of(1)]) == before


# peft reads a property that transformers 6 renames.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_an_adapter_changes_the_lines_and_the_version(
    tiny_model: Path, model: CopyModel, job_of: JobOf, tmp_path: Path
):
    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    recipe = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base, recipe).save_pretrained(tmp_path / "dry")

    adapted = load(str(tiny_model), str(tmp_path / "dry"), "cpu", "float32", tmp_path, threads=1)

    assert adapted.version.startswith(f"{tiny_model.name}+dry@")
    assert lines_of(adapted, [job_of(1)]) != lines_of(model, [job_of(1)])


@pytest.mark.parametrize(
    ("reference", "adapter", "device", "words"),
    [
        ("no such/model at all", None, "cpu", "neither `starter`, nor an existing folder, nor a hub id"),
        ("TINY", "house", "cpu", "the house adapter fits only the starter"),
        ("TINY", "/nowhere", "cpu", "adapter_config.json is missing"),
        ("TINY", None, "abacus", "device 'abacus' is not known"),
        ("TINY", None, "cuda:99", "is not there"),
        ("EMPTY", None, "cpu", "a Hugging Face folder with config.json"),
    ],
)
def test_what_cannot_be_loaded_says_the_way_out(
    tiny_model: Path, tmp_path: Path, reference: str, adapter: str | None, device: str, words: str
):
    (tmp_path / "empty").mkdir()
    place = {"TINY": str(tiny_model), "EMPTY": str(tmp_path / "empty")}.get(reference, reference)

    with pytest.raises(ModelLoadError, match=words):
        load(place, adapter, device, "float32", tmp_path, threads=1)
