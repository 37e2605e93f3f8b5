"""How long jobs take: device seconds a job by model, device and shape, and what a named model makes."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field
from ruamel.yaml import YAML

from schemas.buckets import ANY_SHAPE, Bucket, reference_and_adapter
from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.styles import Style

Seconds = Annotated[float, Field(gt=0)]


class Rate(Frozen):
    """Device seconds a job of each shape in a full batch. Without a day it is an estimate that nobody measured."""

    device: Literal["cpu", "cuda"]
    machine: str
    measured_on: str | None
    seconds: dict[str, Seconds]


class KnownModel(Frozen):
    """A model that we know by name: what it makes, and how fast."""

    kind: Kind
    name: str
    # Copy: patterns as in file names (`en*` is English of every country), and the styles it writes well enough.
    locales: tuple[str, ...] = ()
    styles: tuple[Style, ...] = ()
    rates: tuple[Rate, ...]


class Rates(Frozen):
    """What is known about models; `measured` (bucket to seconds a job, as the ledger saw it) goes before the table."""

    version: int
    models: tuple[KnownModel, ...]
    measured: dict[str, Seconds] = Field(default_factory=dict)

    def device_seconds(self, bucket: str, device: str) -> float | None:
        """Return the device seconds of one job, or nothing for a model that nobody measured on such a device."""
        if bucket in self.measured:
            return self.measured[bucket]
        rate = self._rate(bucket, device)
        return rate.seconds.get(Bucket.parse(bucket).shape, rate.seconds.get(ANY_SHAPE)) if rate else None

    def is_measured(self, bucket: str) -> bool:
        """Say whether the seconds of a bucket were measured here; those of the table are another machine's at best."""
        return bucket in self.measured

    def writes(self, model: str, locale: str) -> bool:
        """Say whether a model writes a language; of models that are not known by name nothing is ruled out."""
        known = self._model(Kind.COPY, model)
        return known is None or any(fnmatchcase(locale, pattern) for pattern in known.locales)

    def locales(self, model: str) -> tuple[str, ...]:
        """Return the patterns of what a copy model writes; none for models that are not known by name."""
        known = self._model(Kind.COPY, model)
        return known.locales if known else ()

    def styles(self, model: str) -> tuple[Style, ...]:
        """Return the styles that variants walk through, plain ones first; all of them for models not known by name."""
        known = self._model(Kind.COPY, model)
        return known.styles if known else (Style.BENEFIT, Style.DETAIL, Style.ACTION, Style.MOMENT, Style.QUESTION)

    def _model(self, kind: Kind, name: str) -> KnownModel | None:
        # An adapter changes no language, and little of the speed.
        reference, _ = reference_and_adapter(name)
        models = [model for model in self.models if model.kind == kind]
        return next((model for known in (name, reference) for model in models if model.name == known), None)

    def _rate(self, bucket: str, device: str) -> Rate | None:
        model = self._model(Bucket.parse(bucket).kind, Bucket.parse(bucket).model)
        # `cuda:1` is as fast as any `cuda`.
        family = device.partition(":")[0]
        return next((rate for rate in model.rates if rate.device == family), None) if model else None


def rates(measured: Mapping[str, float] | None = None) -> Rates:
    """Return the table of rates, and before it what was measured here: seconds a job by bucket."""
    return _table().model_copy(update={"measured": dict(measured or {})})


@cache
def _table() -> Rates:
    text = files("schemas").joinpath("data/rates.yaml").read_text(encoding="utf-8")
    return Rates.model_validate(YAML(typ="safe", pure=True).load(text))
