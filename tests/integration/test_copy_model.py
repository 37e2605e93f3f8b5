"""The real starter model with the house adapter: converted, loaded, writing lines that pass their checks."""

from pathlib import Path

import pytest

from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job
from schemas.styles import Style
from workers.checks.copy import check
from workers.models.copy import CopyModel
from workers.models.copy_loading import load, open_base
from workers.models.own_words import own_words_of
from workers.models.protocol import Sample
from workers.models.starter import SUMS_NAME, is_intact, starter_folder

# What the starter is asked for.
STYLES = (Style.BENEFIT, Style.DETAIL)
CACHE = Path(__file__).parents[2] / ".cache" / "models"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of converted models: the checkout's own where there is one, else a new one."""
    return CACHE if CACHE.is_dir() else tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(cache: Path) -> CopyModel:
    return load("starter", "house", "cpu", "auto", cache, threads=1)


def jobs_of(channel: str, count: int) -> list[Job]:
    product = Product(
        sku="TL-1",
        name="Tern Desk Lamp",
        description="LED desk lamp with a dimmer. Folds flat. Runs up to 20 hours on one charge.",
        price="59 EUR",
    )
    brand = Brand(name="Lumenwick", voice="calm, clear")
    audience = Audience(id="students", description="students in shared flats")
    return [
        Job(
            id=f"{channel}-{seed}",
            campaign_id="autumn",
            kind=Kind.COPY,
            bucket="copy/starter/short",
            brief=Brief(
                brand=brand, product=product, audience=audience, channel=channel, style=STYLES[seed % len(STYLES)]
            ),
            variant=seed,
            seed=seed,
        )
        for seed in range(count)
    ]


@pytest.fixture(scope="module")
def batch(model: CopyModel) -> list[tuple[Job, list[Sample]]]:
    """What the house model writes for jobs of two lengths in one batch."""
    jobs = jobs_of("google_search.headline", 6) + jobs_of("push.notification", 6)
    return list(zip(jobs, model.generate(jobs, 1), strict=True))


def passing(batch: list[tuple[Job, list[Sample]]]) -> list[str]:
    """Return the best candidate of each job that has one without a failed check."""
    best = [(job, samples[0].data.decode()) for job, samples in batch if samples]
    return [text for job, text in best if all(result.passed for result in check(text, job.brief))]


def test_the_conversion_is_whole_and_made_once(cache: Path):
    folder = starter_folder(cache)
    written = (folder / "model.safetensors").stat().st_mtime_ns

    again = starter_folder(cache)

    assert is_intact(folder)
    assert (again / "model.safetensors").stat().st_mtime_ns == written
    # The file of the lock stays; of drafts nothing does.
    kept = [path.name for path in folder.parent.iterdir() if path.name.startswith(".") and path.suffix != ".lock"]
    assert kept == []


def test_a_damaged_conversion_is_noticed(cache: Path, tmp_path: Path):
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in starter_folder(cache).iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    (folder / "config.json").write_text("{}", encoding="utf-8")

    assert (folder / SUMS_NAME).is_file()
    assert not is_intact(folder)


def test_the_house_model_writes_lines_that_pass_every_check(model: CopyModel, batch: list[tuple[Job, list[Sample]]]):
    assert model.version.startswith("starter+house@")
    assert len(passing(batch[:6])) >= 3
    assert len(passing(batch[6:])) >= 3


def test_the_house_model_gives_the_same_lines_alone_and_in_a_batch(
    model: CopyModel, batch: list[tuple[Job, list[Sample]]]
):
    for job, together in batch[5:7]:
        alone = model.generate([job], 1)[0]
        assert [(sample.data, sample.score) for sample in alone] == [(sample.data, sample.score) for sample in together]


def test_the_house_model_verifies_lines_but_long_texts(model: CopyModel, batch: list[tuple[Job, list[Sample]]]):
    long = model.generate(jobs_of("product.description", 1), 1)

    said = [sample.recipe["verified"] for _, samples in batch[:6] for sample in samples]
    assert len(set(said)) > 1
    assert max(map(abs, said)) > 0.1
    assert {sample.recipe["verified"] for samples in long for sample in samples} <= {0.0}


@pytest.mark.parametrize(
    ("channel", "line", "offered"),
    [
        ("push.notification", "It runs on one charge.", "Tern Desk Lamp: It runs on one charge."),
        ("push.notification", "The lamp runs up to 20 hours.", "The Tern Desk Lamp runs up to 20 hours."),
        ("push.notification", "The Tern Desk Lamp folds flat.", "The Tern Desk Lamp folds flat."),
        ("email.subject", "Runs up to 20 hours", "Runs up to 20 hours"),
        (
            "google_search.description",
            "It runs up to 20 hours on one charge, and it folds flat. It is 59 EUR with a dimmer.",
            "It runs up to 20 hours on one charge, and it folds flat. It is 59 EUR with a dimmer.",
        ),
    ],
)  # fmt: skip
def test_a_text_of_the_house_model_says_what_it_is_about_where_there_is_room(
    model: CopyModel, channel: str, line: str, offered: str
):
    assert model._named(line, jobs_of(channel, 1)[0].brief) == offered


def test_variants_begin_with_different_lines_in_the_briefs_own_words(cache: Path):
    model = open_base("starter", "cpu", "auto", cache, 1, own_words=True).model("house")
    jobs = jobs_of("google_search.description", 2)

    offered = [
        [sample.data.decode() for sample in samples if sample.recipe["words"] == "brief"]
        for samples in model.generate(jobs, 1)
    ]

    known = [own_words_of(job.brief) for job in jobs]
    assert [sorted(some) for some in offered] == [sorted(some) for some in known]
    assert "Tern Desk Lamp: Runs up to 20 hours on one charge." in offered[0]
    assert offered[0][0] != offered[1][0]


def test_the_converted_tokenizer_reads_numbers_digit_by_digit(model: CopyModel):
    assert [model._tokenizer.decode([i]) for i in model._tokenizer("2048")["input_ids"]] == ["2", "0", "4", "8"]
