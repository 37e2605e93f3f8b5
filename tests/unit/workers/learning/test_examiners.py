"""What is found in new candidates of each kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from schemas.jobs import MusicOrder
from workers.checks.picture import is_near_duplicate, likeness
from workers.learning.examiners import mean_distance
from workers.learning.media_examiners import ImageExaminer, MusicExaminer
from workers.models.device import CPU
from workers.models.image import UNSAFE
from workers.models.music.model import load
from workers.models.protocol import Sample

from support.drawings import encoded, mug, rocket
from support.music_jobs import music_job
from support.tiny_pictures import brief_of

JOB = music_job(None).model_copy(update={"brief": brief_of(1)})
LIKENESSES = st.lists(st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}"), min_size=2, max_size=6)


class NoMugs:
    """Finds a picture unsafe that looks like a mug."""

    def unsafe(self, image: Image.Image) -> str:
        return "a mug" if is_near_duplicate(likeness(image), [likeness(mug())]) else ""


def painted(image: Image.Image, refused: str = "") -> Sample:
    return Sample(encoded(image, "PNG"), "image/png", 0.0, {}, refused)


def test_a_good_picture_passes():
    found = ImageExaminer().look(JOB, painted(mug()))

    assert (found.is_passed, found.is_unsafe) == (True, False)


def test_a_blank_picture_does_not_pass_and_is_not_unsafe():
    found = ImageExaminer().look(JOB, painted(Image.new("RGB", (64, 64), "white")))

    assert (found.is_passed, found.is_unsafe) == (False, False)


@pytest.mark.parametrize(
    ("sample", "is_unsafe"),
    [(painted(mug()), True), (painted(rocket()), False), (painted(rocket(), UNSAFE), True)],
)
def test_what_a_checker_or_the_model_itself_calls_unsafe_is_unsafe(sample: Sample, is_unsafe: bool):  # noqa: FBT001
    found = ImageExaminer(NoMugs()).look(JOB, sample)

    assert found.is_unsafe == is_unsafe
    assert found.is_passed != is_unsafe


def test_a_piece_says_how_new_it_is_and_how_many_notes_are_in_its_scale():
    job = music_job(MusicOrder(mood="calm", seconds=6), 3)
    ((sample,),) = load("starter", CPU).generate([job], 1)

    found = MusicExaminer().look(job, sample)

    assert found.is_passed
    assert found.shares["in_key"] > 0.9
    assert found.shares["novelty"] == sample.recipe["novelty"]


def test_a_piece_of_another_length_does_not_pass():
    job = music_job(MusicOrder(mood="calm", seconds=6), 3)
    ((sample,),) = load("starter", CPU).generate([job], 1)

    found = MusicExaminer().look(music_job(MusicOrder(mood="calm", seconds=7), 3), sample)

    assert not found.is_passed


@given(LIKENESSES)
def test_things_that_are_all_the_same_are_not_various_and_others_are_somewhat(likenesses: list[str]):
    assert mean_distance([likenesses[0]] * 3) == 0.0
    assert 0.0 <= mean_distance(likenesses) <= 1.0


def test_opposites_are_as_far_apart_as_can_be_and_one_alone_is_no_loss():
    assert mean_distance(["0" * 16, "f" * 16]) == 1.0
    assert mean_distance(["0" * 16]) == 1.0
