"""The factory itself: whether it answers, who calls, which models there are, and what was changed over the API."""

from typing import Annotated

from fastapi import APIRouter, Query

from core.ledger.calls import Call
from producer.api.access import ADMIN, VIEWER, Me
from producer.api.answers import Moment
from producer.api.describe import refusals
from producer.api.opened import Factory, Opened
from producer.model_records import ModelRecord, model_records
from producer.styles import StylesRecord, styles_records
from schemas.access import Role
from schemas.frozen import Frozen

# Whoever watches the process may ask without a key, and learns nothing else.
public = APIRouter(tags=["factory"])
router = APIRouter(prefix="/v1", tags=["factory"])


class HealthAnswer(Frozen):
    """The process answers, and so does its ledger."""

    is_healthy: bool


class MeAnswer(Frozen):
    """Who calls, what it may ask for, and what it has asked for."""

    key: str
    name: str
    tenant: str
    role: Role
    jobs_today: int
    open_jobs: int
    most_jobs_a_day: int | None
    most_open_jobs: int | None
    calls_per_minute: int


class ModelList(Frozen):
    """Every model that is configured, known by name, or has made something."""

    models: tuple[ModelRecord, ...]


class StylesList(Frozen):
    """What ratings say of styles; where it is off, campaigns that ask for it walk through the styles instead."""

    is_on: bool
    styles: tuple[StylesRecord, ...]
    # Channels and audiences of which people said less than of those that are listed.
    left_out: int


class CallAnswer(Frozen):
    """One call that may have changed something. Without a status nobody knows: the process ended in it."""

    at: Moment
    actor: str
    operation: str
    path: str
    address: str
    request_id: str
    status: int | None

    @classmethod
    def of(cls, call: Call) -> "CallAnswer":
        """Return a call as it is answered."""
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class CallList(Frozen):
    """The newest calls."""

    calls: tuple[CallAnswer, ...]


@public.get("/health", responses=refusals(401, 403, 422, drop=True))
def get_health(factory: Factory) -> HealthAnswer:
    """Tell whether the API and its ledger answer; 503 when the ledger does not."""
    factory.ledger.database.ping()
    return HealthAnswer(is_healthy=True)


@router.get("/me", dependencies=[VIEWER], responses=refusals())
def get_me(factory: Factory, me: Me) -> MeAnswer:
    """Show whose key this is, its limits, and what they leave."""
    usage = factory.ledger.tenants.usage(me.tenant)
    limits = factory.ledger.tenants.limits(me.tenant, factory.limits)
    return MeAnswer(
        key=me.id,
        name=me.name,
        tenant=me.tenant,
        role=me.role,
        jobs_today=usage.jobs_today,
        open_jobs=usage.open_jobs,
        most_jobs_a_day=limits.jobs_a_day,
        most_open_jobs=limits.open_jobs,
        calls_per_minute=factory.settings.api_calls_per_minute,
    )


@router.get("/models", dependencies=[VIEWER], responses=refusals(), tags=["models"])
def list_models(factory: Factory) -> ModelList:
    """List models: which make new campaigns, their languages, and what each version made how fast."""
    return ModelList(models=tuple(_model_records(factory)))


@router.get("/models/styles", dependencies=[VIEWER], responses=refusals(), tags=["models"])
def list_styles(
    factory: Factory, me: Me, limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100
) -> StylesList:
    """List what your ratings say of the styles of lines, by model, channel and audience, and what is chosen next."""
    records, left_out = styles_records(factory.ledger, me.tenant, limit)
    return StylesList(is_on=factory.settings.bandit == "on", styles=tuple(records), left_out=left_out)


def _model_records(factory: Opened) -> list[ModelRecord]:
    ledger = factory.ledger
    return model_records(factory.settings, ledger.progress.models(), ledger.promotions.all())


@router.get("/calls", dependencies=[ADMIN], responses=refusals())
def list_calls(
    factory: Factory, me: Me, limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100
) -> CallList:
    """List the calls of your tenant that may have changed something, newest first."""
    return CallList(calls=tuple(map(CallAnswer.of, factory.ledger.calls.newest_first(limit, me.tenant))))
