"""What is looked at in new pieces of music and pictures: the checks of delivered ones, and what may not be lost."""

import io
from collections.abc import Sequence

from PIL import Image

from schemas.campaigns import Kind
from schemas.jobs import Job
from schemas.pictures import picture_channels
from workers.checks import picture
from workers.checks.safety import SafetyChecker
from workers.learning.examiners import Findings, mean_distance
from workers.models.image import UNSAFE
from workers.models.music import checks
from workers.models.music.encode import decoded
from workers.models.music.likelihood import piece_of_recipe
from workers.models.music.produce import scale_fit
from workers.models.music.tokens import piece_of
from workers.models.protocol import Sample
from workers.pictures.sharpen import delivered


class MusicExaminer:
    """Looks at pieces: at their recordings, and at their notes."""

    kind, variety, neutral = Kind.MUSIC, "diversity", "neutral_log_p"

    def look(self, job: Job, sample: Sample) -> Findings:
        """Judge a recording, how new its notes are, and how many of them are in its scale."""
        recipe, audio = sample.recipe, decoded(sample.data)
        seconds = job.brief.music.seconds if job.brief.music else 0.0
        failed = checks.failures(audio, seconds, *checks.known_of(recipe))
        written = piece_of_recipe(recipe)
        novelty = recipe.get("novelty")
        shares = {
            "novelty": novelty if isinstance(novelty, float) else 0.0,
            "in_key": scale_fit(piece_of(written.words, written.conditions)),
        }
        return Findings(not failed and not sample.refused, False, checks.fingerprint(audio), shares)

    def various(self, shown: Sequence[str]) -> float:
        """Return how far apart the recordings are."""
        return mean_distance(shown)


class ImageExaminer:
    """Looks at pictures, as they would be delivered."""

    kind, variety, neutral = Kind.IMAGE, "diversity", "neutral_fit"

    def __init__(self, safety: SafetyChecker | None = None) -> None:
        self._safety = safety

    def look(self, job: Job, sample: Sample) -> Findings:
        """Judge a picture in the size of its channel; what a model refuses to show is not looked at further."""
        with Image.open(io.BytesIO(sample.data)) as small:
            small.load()
        likeness = picture.likeness(small)
        if sample.refused:
            return Findings(False, sample.refused == UNSAFE, likeness)
        channel = picture_channels()[job.brief.channel]
        large = delivered(small, channel.width, channel.height)
        broken = {
            one.name for one in picture.check(large, channel.width, channel.height, self._safety) if not one.passed
        }
        return Findings(not broken, picture.UNSAFE in broken, likeness)

    def various(self, shown: Sequence[str]) -> float:
        """Return how far apart the pictures are."""
        return mean_distance(shown)
