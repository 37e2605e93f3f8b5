"""Which models learn from ratings, told without loading any: by the kind, and by what their folder says it holds."""

import json
from pathlib import Path

from core.errors import ImpossibleWorkError
from core.settings import Settings
from schemas.buckets import model_name, reference_and_adapter
from schemas.campaigns import Kind

# Kinds whose models learn from ratings.
LEARNERS = (Kind.COPY, Kind.IMAGE, Kind.MUSIC)
STARTER = "starter"
IN_STORE = "s3://"
# What a folder of a model calls itself: composers of the starter's kind, Llamas whose words are music, and pipelines
# that a training was tried on.
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
    if _is_in_store(model):
        raise ImpossibleWorkError(
            f"{model} lies in the store, and models there do not learn from ratings: copy it to a folder and name "
            f"that in FACTORY_{kind.upper()}_MODEL"
        )
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
        if _is_in_store(model):
            continue
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


def _is_in_store(model: str) -> bool:
    """Tell whether a model is no folder but objects, which only the engine of a worker fetches."""
    reference, _ = reference_and_adapter(model)
    return reference.startswith(IN_STORE)


def _named_type(settings: Settings, kind: Kind) -> str:
    """Return what the model of a kind calls itself; empty where no folder of it is at hand."""
    if kind == Kind.COPY:
        return ""
    reference = settings.music_model if kind == Kind.MUSIC else settings.image_model
    if reference == STARTER:
        return COMPOSER if kind == Kind.MUSIC else PIPELINES[0]
    for folder in _folders(settings.home.absolute() / "models", reference):
        try:
            if name := type_of_folder(folder):
                return name
        except (OSError, ValueError):
            # Whoever loads it says what is wrong with it.
            continue
    return ""


def _folders(cache: Path, reference: str) -> list[Path]:
    """Return where a model may lie: the folder that it names, or those that were fetched of a hub id."""
    if Path(reference).is_dir():
        return [Path(reference)]
    return sorted((cache / "hub" / f"models--{reference.replace('/', '--')}").glob("snapshots/*"))


def type_of_folder(folder: Path) -> str:
    """Return the type that a folder of a model names itself, empty when it names none; raises ValueError if damaged."""
    for file, key in (("model_index.json", "_class_name"), ("config.json", "model_type")):
        path = folder / file
        if not path.is_file():
            continue
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is no JSON: {error}") from error
        if isinstance(record, dict) and (name := record.get(key)):
            return str(name)
    return ""
