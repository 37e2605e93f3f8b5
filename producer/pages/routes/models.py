"""The pages of models: what serves, what the gate found, which styles people like, and changes after a second look.

Models serve every tenant, so everybody looks, and admins of who runs the factory change: by the rules of the API.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from core.ledger.promotions import MOST_WHY_CHARACTERS, Serving
from core.ledger.versions import Version
from producer.api.opened import Factory, Opened
from producer.api.routes import versions as calls
from producer.model_records import ModelRecord, model_records
from producer.pages.forms import Form, Sent
from producer.pages.person import RULES, SEES, Person, Visitor
from producer.pages.render import go_to, page
from producer.styles import styles_records
from producer.versions import VersionRecord, VersionState, serving_for, serving_of, version_records
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Kind
from schemas.versions import SHIPPED, VersionId

router = APIRouter(dependencies=[SEES])
operators = APIRouter(dependencies=[RULES, Depends(calls.operators_only)])

# The version that a model ships with has no name.
SHIPPED_TITLE = "as shipped"
# From here a version can become champion.
FIT = (VersionState.READY, VersionState.FORMER, VersionState.CHALLENGER)

# Channels and audiences of which people said the most; more would make the page long.
MOST_STYLES = 20


@dataclass(frozen=True)
class ModelRow:
    """A model on the page: what it made, its trained versions, and how what serves it was changed, newest first."""

    model: ModelRecord
    trained: tuple[VersionRecord, ...]
    changes: tuple[calls.ChangeAnswer, ...]


@dataclass(frozen=True)
class Step:
    """A change that is looked at a second time before it is made."""

    verb: str
    seen: Serving
    # What would serve after it; nothing is known of what a model ships with.
    after: str
    version: Version | None


@router.get("/models")
def show_models(request: Request, factory: Factory, visitor: Visitor, *, changed: bool = False) -> Response:
    """Show every model with its versions, and what ratings say of the styles of lines."""
    records = model_records(factory.settings, factory.ledger.progress.models(), factory.ledger.promotions.all())
    by_kind = {kind: [_row(factory, visitor, one) for one in records if one.kind == kind] for kind in Kind}
    may_change = visitor.may("admin") and visitor.caller.tenant == DEFAULT_TENANT
    styles, left_out = styles_records(factory.ledger, visitor.caller.tenant, MOST_STYLES)
    return page(
        request,
        "models.html",
        visitor,
        by_kind=by_kind,
        styles=styles,
        left_out=left_out,
        is_on=factory.settings.bandit == "on",
        may_change=may_change,
        fit=FIT,
        shipped=SHIPPED_TITLE,
        changed=changed,
    )


@operators.get("/models/promote")
def show_promotion(request: Request, factory: Factory, visitor: Visitor, version: VersionId) -> Response:
    """Show what the gate found of a version, before it is made champion."""
    return _step(request, visitor, _promotion(factory, version))


@operators.post("/models/promote")
def promote(request: Request, factory: Factory, visitor: Visitor, version: VersionId, form: Sent) -> Response:
    """Make a version the champion."""
    step = _promotion(factory, version)

    def ordered() -> None:
        order = calls.PromoteOrder.model_validate({"version": version, **_said(form)})
        calls.promote_version(factory, visitor.caller, step.seen.model, order)

    return _made(request, visitor, step, ordered)


@operators.get("/models/rollback")
def show_rollback(request: Request, factory: Factory, visitor: Visitor, model: str, kind: Kind) -> Response:
    """Show what served before, and what the gate found of it, before it serves again."""
    return _step(request, visitor, _rollback(factory, model, kind))


@operators.post("/models/rollback")
def roll_back(request: Request, factory: Factory, visitor: Visitor, model: str, kind: Kind, form: Sent) -> Response:
    """Go back to the champion before this one."""
    step = _rollback(factory, model, kind)

    def ordered() -> None:
        order = calls.ChangeOrder.model_validate({"kind": kind, **_said(form)})
        calls.rollback_model(factory, visitor.caller, step.seen.model, order)

    return _made(request, visitor, step, ordered)


def _row(factory: Opened, visitor: Person, model: ModelRecord) -> ModelRow:
    changes = reversed(factory.ledger.promotions.history(model.kind, model.model))
    trained = [one for one in version_records(factory.ledger, model.model) if one.kind == model.kind]
    told = tuple(calls.ChangeAnswer.of(model.kind, one, visitor.caller) for one in changes)
    return ModelRow(model, tuple(reversed(trained)), told)


def _promotion(factory: Opened, version: str) -> Step:
    return Step("promote", serving_for(factory.ledger, version), version, factory.ledger.versions.get(version))


def _rollback(factory: Opened, model: str, kind: Kind) -> Step:
    seen = serving_of(factory.ledger, model, kind)
    after = factory.ledger.promotions.former(seen)
    return Step("rollback", seen, after, factory.ledger.versions.get(after) if after != SHIPPED else None)


def _made(request: Request, visitor: Person, step: Step, ordered: Callable[[], None]) -> Response:
    """Make a change; what is wrong with the form is told on it."""
    try:
        ordered()
    except ValidationError as error:
        told = error.errors(include_url=False)[0]
        return _step(request, visitor, step, f"{told['loc'][0]}: {told['msg'][:1].lower()}{told['msg'][1:]}")
    return go_to("/models?changed=true")


def _said(form: Form) -> dict[str, str]:
    """Return the reason, and the number of what was seen serving: where it changed since, nothing is done."""
    return {"why": form.get("why").strip(), "seen": form.get("seen")}


def _step(request: Request, visitor: Person, step: Step, told: str = "") -> Response:
    return page(
        request,
        "change_model.html",
        visitor,
        422 if told else 200,
        step=step,
        told=told,
        shipped=SHIPPED_TITLE,
        most_why=MOST_WHY_CHARACTERS,
    )
