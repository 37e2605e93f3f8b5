"""The page of models: which make new campaigns, what each version made and how fast, and which styles people like."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from producer.api.opened import Factory, Opened
from producer.model_records import ModelRecord, model_records
from producer.pages.person import SEES, Visitor
from producer.pages.render import page
from producer.styles import styles_records
from schemas.campaigns import Kind

router = APIRouter(dependencies=[SEES])

# The version that a model ships with has no name.
SHIPPED_TITLE = "as shipped"

# Channels and audiences of which people said the most; more would make the page long.
MOST_STYLES = 20


@dataclass(frozen=True)
class HistoryRow:
    """Something that happened to a version of a model: when, to which one, and what."""

    at: float
    version: str
    what: str
    who: str


@router.get("/models")
def show_models(request: Request, factory: Factory, visitor: Visitor) -> Response:
    """Show every model with its versions, and what ratings say of the styles of lines."""
    records = model_records(factory.settings, factory.ledger.progress.models())
    by_kind = {kind: [(one, history_of(factory, one)) for one in records if one.kind == kind] for kind in Kind}
    styles = styles_records(factory.ledger, visitor.caller.tenant)
    return page(
        request,
        "models.html",
        visitor,
        by_kind=by_kind,
        styles=styles[:MOST_STYLES],
        left_out=len(styles[MOST_STYLES:]),
        is_on=factory.settings.bandit == "on",
    )


def history_of(factory: Opened, model: ModelRecord) -> tuple[HistoryRow, ...]:
    """Return how what serves a model was changed, newest first; a model that serves as it ships has no history."""
    changes = factory.ledger.promotions.history(model.kind, model.model)
    return tuple(
        HistoryRow(one.at, one.after or SHIPPED_TITLE, f"{one.action}: {one.why}" if one.why else one.action, one.actor)
        for one in reversed(changes)
    )
