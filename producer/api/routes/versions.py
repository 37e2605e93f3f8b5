"""Versions of models: where they stand, what served when; promote, roll back, try on a share of the jobs.

Models serve every tenant, so everybody may look, and only admins of the tenant `default`, who run the factory, change.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field, StringConstraints
from starlette.exceptions import HTTPException

from core.ledger.promotions import MOST_WHY_CHARACTERS, Action, Change, Order, Serving
from producer.api.access import ADMIN, VIEWER, Caller, Me
from producer.api.answers import Moment
from producer.api.describe import refusals
from producer.api.opened import Factory
from producer.versions import VersionRecord, require_kinds, serving_of, version_records
from schemas.access import DEFAULT_TENANT
from schemas.buckets import MOST_MODEL_CHARACTERS
from schemas.campaigns import Kind
from schemas.frozen import Frozen
from schemas.versions import VersionId


def operators_only(me: Me) -> None:
    """Refuse whoever is of another tenant than the one that runs the factory."""
    if me.tenant != DEFAULT_TENANT:
        raise HTTPException(
            403, f"models serve every tenant: an admin of the tenant '{DEFAULT_TENANT}' changes what serves them"
        )


router = APIRouter(prefix="/v1/models", tags=["models"])
OPERATOR = [ADMIN, Depends(operators_only)]

# A model may be a folder or an id with slashes in it.
ModelName = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MOST_MODEL_CHARACTERS,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="The name of a model, as `GET /v1/models` has it.",
    ),
]
Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MOST_WHY_CHARACTERS, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="The reason, kept in the history."),
]
Seen = Annotated[
    int | None,
    Field(ge=0, le=2**31 - 1, description="`number` of what you saw serving: where it changed since, nothing is done."),
]


class PromoteOrder(Frozen):
    """Which version shall be champion."""

    version: VersionId
    why: Why
    seen: Seen = None


class CanaryOrder(Frozen):
    """Which version shall be tried, on which part of the jobs."""

    version: VersionId
    share: Annotated[float, Field(gt=0, lt=1, examples=[0.1])]
    why: Why
    seen: Seen = None


class ChangeOrder(Frozen):
    """Why what serves shall be changed; the kind where a model has versions of several kinds."""

    why: Why
    kind: Kind | None = None
    seen: Seen = None


class ServingAnswer(Frozen):
    """What serves a model since the change of this number."""

    kind: Kind
    model: str
    number: int
    champion: Annotated[str, Field(description="Empty: the weights that the model ships with.")]
    challenger: Annotated[str, Field(description="What a canary tries; empty while none runs.")]
    share: float
    since: Moment

    @classmethod
    def of(cls, serving: Serving) -> "ServingAnswer":
        """Return what serves, as it is answered."""
        return cls(**vars(serving))


class VersionList(Frozen):
    """The versions of a model, oldest first."""

    versions: tuple[VersionRecord, ...]


class ChangeAnswer(Frozen):
    """One change of what serves a model."""

    kind: Kind
    number: int
    at: Moment
    action: Action
    before: str
    after: str
    champion: str
    challenger: str
    share: float
    actor: Annotated[str, Field(description="Who did it; told to the tenant that runs the factory alone.")]
    why: str

    @classmethod
    def of(cls, kind: Kind, change: Change, me: Caller) -> "ChangeAnswer":
        """Return a change as it is answered to a caller."""
        told = change if me.tenant == DEFAULT_TENANT else replace(change, actor="")
        return cls(kind=kind, **vars(told))


class ChangeList(Frozen):
    """Changes of what serves a model, newest first."""

    changes: tuple[ChangeAnswer, ...]


@router.get("/{model:path}/versions", dependencies=[VIEWER], responses=refusals(404))
def list_versions(factory: Factory, model: ModelName) -> VersionList:
    """List the versions that trainings made of a model: where each stands, and what the gate found."""
    require_kinds(factory.ledger, model)
    return VersionList(versions=tuple(version_records(factory.ledger, model)))


@router.get("/{model:path}/history", dependencies=[VIEWER], responses=refusals(404))
def list_changes(
    factory: Factory,
    me: Me,
    model: ModelName,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
) -> ChangeList:
    """List what served a model when, and who changed it why, the newest first."""
    kinds = require_kinds(factory.ledger, model)
    found = [(change, kind) for kind in kinds for change in factory.ledger.promotions.history(kind, model)]
    newest = sorted(found, key=lambda one: (one[0].at, one[0].number), reverse=True)[:limit]
    return ChangeList(changes=tuple(ChangeAnswer.of(kind, change, me) for change, kind in newest))


@router.post("/{model:path}/promote", dependencies=OPERATOR, responses=refusals(404, 409))
def promote_version(factory: Factory, me: Me, model: ModelName, order: PromoteOrder) -> ServingAnswer:
    """Make a version the champion, from the next batches on. Only what passed the gate can be. Twice is no error."""
    kind = factory.ledger.versions.get(order.version).described.kind
    seen = _seen(serving_of(factory.ledger, model, kind), order.seen)
    return ServingAnswer.of(factory.ledger.promotions.promote(order.version, seen, Order(me.actor, order.why)))


@router.post("/{model:path}/rollback", dependencies=OPERATOR, responses=refusals(404, 409))
def rollback_model(factory: Factory, me: Me, model: ModelName, order: ChangeOrder) -> ServingAnswer:
    """Go back to the champion before this one, from the next batches on."""
    seen = _seen(serving_of(factory.ledger, model, order.kind), order.seen)
    return ServingAnswer.of(factory.ledger.promotions.rollback(seen, Order(me.actor, order.why)))


@router.post("/{model:path}/canary", dependencies=OPERATOR, responses=refusals(404, 409))
def start_canary(factory: Factory, me: Me, model: ModelName, order: CanaryOrder) -> ServingAnswer:
    """Try a version on a part of the jobs, until ratings decide."""
    kind = factory.ledger.versions.get(order.version).described.kind
    seen = _seen(serving_of(factory.ledger, model, kind), order.seen)
    begun = factory.ledger.promotions.start_canary(order.version, order.share, seen, Order(me.actor, order.why))
    return ServingAnswer.of(begun)


@router.post("/{model:path}/canary/stop", dependencies=OPERATOR, responses=refusals(404, 409))
def stop_canary(factory: Factory, me: Me, model: ModelName, order: ChangeOrder) -> ServingAnswer:
    """Give all jobs to the champion again."""
    seen = _seen(serving_of(factory.ledger, model, order.kind), order.seen)
    return ServingAnswer.of(factory.ledger.promotions.stop_canary(seen, Order(me.actor, order.why)))


def _seen(serving: Serving, number: int | None) -> Serving:
    """Return what the caller saw: what serves now, unless it says otherwise."""
    return serving if number is None else replace(serving, number=number)
