from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks import media_work, work
from core.settings import Settings
from schemas.campaigns import Kind
from workers.models.creative.model import CreativeModel


def settings(home: Path) -> Settings:
    return Settings(home=home, copy_model="model", copy_adapter=None, image_model="painter")


def test_pictures_share_a_bucket_and_no_product(tmp_path: Path):
    made = list(media_work.jobs(Kind.IMAGE, "c", 40, settings(tmp_path)))

    assert {job.bucket for job in made} == {"image/painter/300x250"}
    assert len({job.brief.product.sku for job in made}) == 40


def test_copy_is_the_same_work_as_before(tmp_path: Path):
    made = list(media_work.jobs(Kind.COPY, "c", 8, settings(tmp_path)))

    assert made == list(work.jobs("c", 8, "model", None))


def test_advertisements_are_made_of_the_two_parts_and_can_be_composed(tmp_path: Path):
    made = list(media_work.jobs(Kind.CREATIVE, "c", 6, settings(tmp_path)))
    ready = [job.id for job in media_work.part_jobs("c")]

    samples = CreativeModel().generate(made, 1, {job.id: media_work.parts() for job in made})

    assert {tuple(one.job_id for one in job.inputs) for job in made} == {tuple(ready)}
    assert len({one[0].recipe["layout"] for one in samples}) == 6
    with Image.open(BytesIO(samples[0][0].data)) as picture:
        assert picture.size == (300, 250)


def test_pieces_of_music_share_a_bucket_and_differ_by_their_seeds(tmp_path: Path):
    made = list(media_work.jobs(Kind.MUSIC, "c", 40, settings(tmp_path)))

    assert len({job.bucket for job in made}) == 1
    assert len({job.seed for job in made}) == 40
    assert {job.brief.music.seconds for job in made if job.brief.music} == {media_work.SECONDS}
