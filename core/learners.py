"""Which models learn from ratings, told without loading any: by the kind, and by what their folder says it holds."""

import json
from pathlib import Path

from core.errors import ImpossibleWorkError
from core.settings import Settings
from schemas.buckets import model_name
from schemas.campaigns import Kind

# Kinds whose models learn from ratings.
LEARNERS = (Kind.COPY, Kind.IMAGE, Kind.MUSIC)
STARTER = "starter"
# What a folder of a model calls itself: composers of the starter's kind, and pipelines that a training was tried on.
COMPOSER = "llama"
PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", "StableDiffusion3Pipeline", "FluxPipeline")
# Those that never can: no adapter of theirs is known here.
NEVER = {
    Kind.MUSIC: ("musicgen", "musicgen_melody", "AceStepPipeline"),
    Kind.IMAGE: ("PixArtAlphaPipeline", "PixArtSigmaPipeline"),
}
WAYS_OUT = {
    Kind.MUSIC: "models of the starter's kind learn: set FACTORY_MUSIC_MODEL to one",
    Kind.IMAGE: f"set FACTORY_IMAGE_MODEL to `starter` or to one of {', '.join(PIPELINES)}",
}


def model_of(settings: Settings, kind: Kind) -> str:
    """Return the model of a kind that learns; raises ImpossibleWorkError for a kind or a model that does not."""
    model = _models(settings).get(kind)
    if model is None:
        known = ", ".join(LEARNERS)
        raise ImpossibleWorkError(f"models of kind {kind} do not learn from ratings; those of {known} do")
    named = _named_type(settings, kind)
    if named in NEVER.get(kind, ()):
        raise ImpossibleWorkError(f"{model} is {named}, which does not learn from ratings; {WAYS_OUT[kind]}")
    return model


def models_that_learn(settings: Settings) -> dict[Kind, str]:
    """Return the models of which is known that they learn, for what begins trainings by itself.

    A model that is on no disk here is not among them: somebody may ask, and the worker that has it then says.
    """
    found = {}
    for kind, model in _models(settings).items():
        fitting = {Kind.MUSIC: (COMPOSER,), Kind.IMAGE: PIPELINES}.get(kind)
        if fitting is None or _named_type(settings, kind) in fitting:
            found[kind] = model
    return found


def _models(settings: Settings) -> dict[Kind, str]:
    return {
        Kind.COPY: model_name(settings.copy_model, settings.copy_adapter),
        Kind.IMAGE: model_name(settings.image_model, settings.image_adapter),
        Kind.MUSIC: settings.music_model,
    }


def _named_type(settings: Settings, kind: Kind) -> str:
    """Return what the model of a kind calls itself; empty where no folder of it is at hand."""
    if kind == Kind.COPY:
        return ""
    reference = settings.music_model if kind == Kind.MUSIC else settings.image_model
    if reference == STARTER:
        return COMPOSER if kind == Kind.MUSIC else PIPELINES[0]
    for folder in _folders(settings.home.absolute() / "models", reference):
        for file, key in (("model_index.json", "_class_name"), ("config.json", "model_type")):
            if name := _read(folder / file, key):
                return name
    return ""


def _folders(cache: Path, reference: str) -> list[Path]:
    """Return where a model may lie: the folder that it names, or those that were fetched of a hub id."""
    if Path(reference).is_dir():
        return [Path(reference)]
    return sorted((cache / "hub" / f"models--{reference.replace('/', '--')}").glob("snapshots/*"))


def _read(path: Path, key: str) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Whoever loads it says what is wrong with it.
        return ""
    return str(record.get(key, "")) if isinstance(record, dict) else ""
