"""Pictures as they would be delivered, and what becomes of those that are not safe."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from core.ledger import Ledger
from core.settings import Settings
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, Job
from workers.choose import Chooser, rejection
from workers.finishing.pictures import ImageFinisher
from workers.models.protocol import Sample

from support.drawings import encoded, mug, rocket


class NoRed:
    """Finds a picture unsafe on which there is more red than blue."""

    def unsafe(self, image: Image.Image) -> str:
        seen = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        red, _, blue, _ = ImageStat.Stat(seen).mean
        return "red" if red > blue else ""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def chooser(settings: Settings) -> Iterator[Chooser]:
    ledger = Ledger(settings)
    yield Chooser(ledger.assets, {Kind.IMAGE: ImageFinisher(settings, NoRed())})
    ledger.close()


def job() -> Job:
    brief = Brief(
        brand=Brand(name="Northbeam"),
        product=Product(sku="NB-1", name="Ember"),
        audience=Audience(id="all", description="everybody"),
        channel="iab.medium_rectangle",
    )
    return Job(
        id="spring-000000",
        campaign_id="spring",
        kind=Kind.IMAGE,
        bucket="image/starter/300x250",
        brief=brief,
        variant=0,
        seed=1,
    )


def sample(picture: Image.Image) -> Sample:
    return Sample(encoded(picture, "PNG"), "image/png", 0.0, {"prompt": "a mug"})


def test_the_check_of_a_safety_checker_is_listed_with_what_it_found(settings: Settings):
    finisher = ImageFinisher(settings, NoRed())

    found = finisher.check(job(), finisher.finish(job(), sample(mug()), "tiny@ab12"))

    assert [(one.name, one.detail) for one in found if not one.passed] == [("unsafe", "red")]


def test_without_a_safety_checker_no_such_check_is_listed(settings: Settings):
    finisher = ImageFinisher(settings)

    found = finisher.check(job(), finisher.finish(job(), sample(mug()), "tiny@ab12"))

    assert "unsafe" not in {one.name for one in found}
    assert all(one.passed for one in found)


def test_an_unsafe_picture_is_not_taken_and_a_safe_one_is(chooser: Chooser):
    refused, reasons = chooser.choose([(job(), [sample(mug())])], "tiny@ab12")
    taken, _ = chooser.choose([(job(), [sample(rocket())])], "tiny@ab12")

    assert refused == []
    assert reasons == {"spring-000000": Counter(unsafe=1)}
    assert "unsafe" in {check.name for check in taken[0].checks}


def test_the_dead_letter_of_a_job_with_unsafe_pictures_alone_says_so():
    failure = rejection(job(), Counter(unsafe=3), 1.0)

    assert failure.is_permanent
    assert "no picture passed the checks: unsafe (3x)" in failure.message
