"""The tuner of a kind, and all that one needs to begin: what a training tells the processes that do it together."""

from pathlib import Path

from pydantic import ConfigDict

from core.errors import ImpossibleWorkError
from core.learners import LEARNERS
from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.learning import Recipe
from workers.models.tuning.crew import ALONE, Member
from workers.models.tuning.protocol import Lesson, Place, Tuner


class Workplace(Frozen):
    """The model that is tuned, and where and how; the last two are said of pipelines of pictures."""

    kind: Kind
    model: str
    # Where models lie that were fetched.
    cache: Path
    recipe: Recipe
    place: Place
    steps: int | None = None
    slicing: bool = False


class Errand(Frozen):
    """What the processes of a crew have to do."""

    # Lines are learnt as they were delivered.
    model_config = ConfigDict(str_strip_whitespace=False)

    workplace: Workplace
    parent: Path | None
    lessons: tuple[Lesson, ...]
    folder: Path


def tuner_of(workplace: Workplace, member: Member = ALONE) -> Tuner:
    """Return the tuner of a kind; what it needs is loaded for that kind alone."""
    here = (workplace.model, workplace.cache, workplace.recipe, workplace.place)
    if workplace.kind == Kind.COPY:
        from workers.models.tuning.copy import CopyTuner  # noqa: PLC0415 - loads transformers

        return CopyTuner(*here, member)
    if workplace.kind == Kind.MUSIC:
        from workers.models.tuning.music import MusicTuner  # noqa: PLC0415 - loads transformers

        return MusicTuner(*here, member)
    if workplace.kind == Kind.IMAGE:
        from workers.models.image_pipelines import ImageOptions  # noqa: PLC0415 - loads diffusers
        from workers.models.tuning.image import ImageTuner  # noqa: PLC0415 - loads diffusers

        # Weights that wait beside a card cannot be trained; all else is as a worker has it.
        return ImageTuner(*here, ImageOptions(steps=workplace.steps, slicing=workplace.slicing), member)
    raise ImpossibleWorkError(
        f"models of kind {workplace.kind} do not learn from ratings; those of {', '.join(LEARNERS)} do"
    )
