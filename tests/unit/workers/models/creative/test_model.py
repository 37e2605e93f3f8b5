"""From jobs and the bytes of other jobs to finished files."""

from io import BytesIO

import pytest
from PIL import Image

from core.errors import CompositionError
from schemas.campaigns import Audience, Brand, Kind, Product
from schemas.jobs import Brief, CreativeOrder, Job
from schemas.layouts import layouts
from workers.models.creative.model import CreativeModel, opened

HEADLINE = b"Slow mornings, freshly roasted"


def job_of(identity: str, *, channel: str = "iab.medium_rectangle", layout: str = "card") -> Job:
    brief = Brief(
        brand=Brand(name="Northbeam Coffee", colors=("#1F3A2E", "#F2C14E")),
        product=Product(sku="NB-001", name="Ember Espresso"),
        audience=Audience(id="commuters", description="people who need coffee before eight"),
        channel=channel,
        creative=CreativeOrder(layout=layout, call_to_action="Order now"),
    )
    return Job(
        id=identity,
        campaign_id="spring",
        kind=Kind.CREATIVE,
        bucket="creative/layouts/any",
        brief=brief,
        variant=0,
        seed=7,
    )


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    target = BytesIO()
    picture.save(target, form)
    return target.getvalue()


@pytest.fixture
def parts(subject: Image.Image) -> dict[str, bytes]:
    return {"headline": HEADLINE, "image": encoded(subject)}


def test_each_job_gets_one_file_and_its_recipe(parts: dict[str, bytes]):
    jobs = [job_of("a"), job_of("b", channel="iab.mobile_banner", layout="poster")]

    first, second = CreativeModel().generate(jobs, 1, {"a": parts, "b": parts})

    sizes = []
    for sample in (*first, *second):
        with Image.open(BytesIO(sample.data)) as picture:
            sizes.append((sample.content_type, picture.size))
    assert sizes == [("image/jpeg", (300, 250)), ("image/jpeg", (320, 50))]
    assert first[0].recipe == {
        "layout": "card",
        "headline": HEADLINE.decode(),
        "call_to_action": "Order now",
        "colors": ["#1F3A2E", "#F2C14E"],
        "seed": 7,
    }


def test_a_job_gives_the_same_file_alone_and_in_a_batch(parts: dict[str, bytes]):
    jobs = [job_of("a"), job_of("b", layout="halo")]
    model = CreativeModel()

    together = model.generate(jobs, 1, {"a": parts, "b": parts})

    assert together[1] == model.generate([jobs[1]], 1, {"b": parts})[0]


def test_each_attempt_takes_the_next_layout_and_begins_anew_after_the_last(parts: dict[str, bytes]):
    names = list(layouts())
    job = job_of("a", layout=names[-1])

    made = [CreativeModel().generate([job], attempt, {"a": parts})[0][0].recipe["layout"] for attempt in (1, 2, 3)]

    assert made == [names[-1], names[0], names[1]]


def test_the_version_follows_from_layouts_and_fonts():
    model = CreativeModel()

    assert (model.version[:8], len(model.version), model.device) == ("layouts-", 16, "cpu")
    assert CreativeModel().version == model.version


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": b"not a picture"}, "the image is no picture in PNG, JPEG or WebP"),
        ({"logo": b"\x89PNG\r\n\x1a\n"}, "the logo is no picture in PNG, JPEG or WebP"),
        ({"headline": b"\xff\xfe"}, "the headline is not text in UTF-8"),
        ({"headline": "朝のコーヒー".encode()}, "shipped font Poppins cannot show"),
    ],
)
def test_a_broken_part_is_named(parts: dict[str, bytes], changes: dict[str, bytes], said: str):
    with pytest.raises(CompositionError, match=said):
        CreativeModel().generate([job_of("a")], 1, {"a": parts | changes})


def test_a_missing_part_is_named(parts: dict[str, bytes]):
    with pytest.raises(CompositionError, match="the advertisement has no headline"):
        CreativeModel().generate([job_of("a")], 1, {"a": {"image": parts["image"]}})


def test_a_channel_for_text_is_refused(parts: dict[str, bytes]):
    with pytest.raises(CompositionError, match=r"'meta\.primary_text' takes no pictures: choose one of instagram"):
        CreativeModel().generate([job_of("a", channel="meta.primary_text")], 1, {"a": parts})


def test_a_job_without_an_order_is_refused(parts: dict[str, bytes]):
    job = job_of("a")
    bare = job.model_copy(update={"brief": job.brief.model_copy(update={"creative": None})})

    with pytest.raises(CompositionError, match="job a does not say how"):
        CreativeModel().generate([bare], 1, {"a": parts})


def test_pictures_are_opened_upright_with_their_transparency(subject: Image.Image):
    sideways = Image.new("RGB", (40, 20), (10, 20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    target = BytesIO()
    sideways.save(target, "JPEG", exif=exif)

    pictures = [opened(data, "image") for data in (target.getvalue(), encoded(subject, "WEBP"), encoded(subject))]

    assert [(picture.mode, picture.size) for picture in pictures] == [
        ("RGB", (20, 40)),
        ("RGBA", (240, 200)),
        ("RGBA", (240, 200)),
    ]


def test_a_picture_that_would_fill_the_memory_is_refused():
    large = encoded(Image.new("1", (8100, 8100)))

    with pytest.raises(CompositionError, match="the image has 8100 x 8100 pixels: make it smaller than 64 megapixels"):
        opened(large, "image")
