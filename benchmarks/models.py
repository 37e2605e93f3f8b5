"""The models that are measured, loaded as a worker loads them; random ones are built where they are not there yet."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import work
from benchmarks.picture_model import build_random_pipeline
from core.settings import Settings
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from workers.models.protocol import Model


def load(kind: Kind, settings: Settings) -> "Model":
    """Return the model of a kind; each kind loads only its own libraries, as in a worker."""
    place = (settings.device, settings.dtype, settings.home.absolute() / "models", settings.threads)
    if kind == Kind.COPY:
        from workers.models import copy_loading  # noqa: PLC0415

        if settings.copy_model != work.STARTER and not Path(settings.copy_model).exists():
            work.build_random_model(Path(settings.copy_model))
        return copy_loading.load(settings.copy_model, settings.copy_adapter, *place)
    if kind == Kind.IMAGE:
        from workers.models import image  # noqa: PLC0415

        if not Path(settings.image_model).exists():
            build_random_pipeline(Path(settings.image_model))
        return image.load(settings.image_model, settings.image_adapter, *place)
    if kind == Kind.MUSIC:
        from workers.models.music import references  # noqa: PLC0415

        return references.load(settings.music_model, *place)
    from workers.models.creative.model import CreativeModel  # noqa: PLC0415

    return CreativeModel()
