"""What is known about each model: the settings, the table of rates, and what the ledger says it made."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from core.ledger.progress import MadeBy
from core.ledger.promotions import Serving
from core.settings import Settings
from producer.submit import models_of
from schemas.buckets import Bucket
from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.rates import rates


class MadeRecord(Frozen):
    """What one version of a model made in one shape; the version as assets name it."""

    version: str
    shape: str
    assets: int
    seconds_each: float


class ModelRecord(Frozen):
    """A model that is configured, known by name, or has made something."""

    model: str
    kind: Kind
    role: str
    locales: tuple[str, ...]
    assets: int
    device_seconds: float
    versions: tuple[MadeRecord, ...]
    # The trained version that serves; empty: the weights that the model ships with. Beside it what a canary tries.
    champion: str
    challenger: str
    share: float


def model_records(settings: Settings, made_by: Iterable[MadeBy], served: Iterable[Serving] = ()) -> list[ModelRecord]:
    """Return every model, by kind, those that make new campaigns first."""
    serves = {(one.kind, one.model): one for one in served}
    made: dict[tuple[Kind, str], list[MadeBy]] = defaultdict(list)
    for one in made_by:
        bucket = Bucket.parse(one.bucket)
        made[bucket.kind, bucket.model].append(one)
    table = rates()
    known = {(model.kind, model.name) for model in table.models}
    serving = set(models_of(settings).items())
    ordered = sorted({*serving, *known, *made, *serves}, key=lambda one: (list(Kind).index(one[0]), one not in serving))
    return [
        ModelRecord(
            model=name,
            kind=kind,
            role="makes new campaigns" if (kind, name) in serving else "",
            locales=table.locales(name) if kind == Kind.COPY else (),
            assets=sum(one.assets for one in made.get((kind, name), ())),
            device_seconds=round(sum(one.device_seconds for one in made.get((kind, name), ())), 3),
            versions=tuple(_made(one) for one in made.get((kind, name), ())),
            **_pointers(serves.get((kind, name), Serving(kind, name))),
        )
        for kind, name in ordered
    ]


def _pointers(serving: Serving) -> dict[str, Any]:
    return {name: getattr(serving, name) for name in ("champion", "challenger", "share")}


def _made(one: MadeBy) -> MadeRecord:
    return MadeRecord(
        version=one.model,
        shape=Bucket.parse(one.bucket).shape,
        assets=one.assets,
        seconds_each=round(one.device_seconds / one.assets, 4),
    )
