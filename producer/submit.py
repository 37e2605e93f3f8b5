"""Record a campaign and its jobs, then ring the workers: a job that was rung for is always in the ledger."""

from dataclasses import dataclass, replace
from math import ceil

from celery import Celery

from core import traces
from core.broker import ring
from core.errors import BrokerError, ImpossibleWorkError, SettingsError
from core.ledger import Ledger
from core.ledger.campaigns import CampaignState, CampaignStatus
from core.ledger.tenants import OPERATOR, Admission
from core.settings import Settings
from core.storage import Storage
from producer import plan
from producer.campaigns import CampaignSource
from schemas.buckets import MOST_MODEL_CHARACTERS, model_name
from schemas.campaigns import Kind
from schemas.rates import Rates, rates

# Finished advertisements are composed, not generated.
LAYOUTS = "layouts"


@dataclass(frozen=True)
class Submitted:
    """What a submit did. A campaign that was there already is left as it is; without tickets the sweep rings later."""

    id: str
    is_new: bool
    jobs: int
    tickets_rung: bool


def models_of(settings: Settings) -> dict[Kind, str]:
    """Return the model that makes each kind in new campaigns; raises SettingsError for a name too long to record."""
    models = {
        Kind.COPY: model_name(settings.copy_model, settings.copy_adapter),
        Kind.IMAGE: model_name(settings.image_model, settings.image_adapter),
        Kind.CREATIVE: LAYOUTS,
        Kind.MUSIC: settings.music_model,
    }
    for kind, name in models.items():
        if len(name) > MOST_MODEL_CHARACTERS:
            names = f"FACTORY_{kind.upper()}_MODEL and FACTORY_{kind.upper()}_ADAPTER"
            raise SettingsError(
                f"{names} have {len(name)} characters together; {MOST_MODEL_CHARACTERS} fit: use a shorter path"
            )
    return models


def submit(
    source: CampaignSource, settings: Settings, ledger: Ledger, app: Celery, admission: Admission = OPERATOR
) -> Submitted:
    """Submit a campaign; the same campaign twice is one. Raises ImpossibleWorkError for what must not be begun.

    A broker that is away is no error: the jobs are safe in the ledger, and the sweep rings when the broker is back.
    """
    began = traces.now()
    with traces.span("submit campaign", {"factory.campaign.id": source.id}) as span:
        models = models_of(settings)
        with traces.span("plan"):
            planned = possible(source, settings, ledger)
        if source.logo:
            with traces.span("store logo"):
                Storage(settings).put(source.logo.key, source.logo.data, source.logo.content_type)
        admission = replace(admission, jobs=planned.jobs)
        with traces.span("record", {"factory.jobs": planned.jobs}):
            is_new = ledger.campaigns.submit(source.id, source.campaign, plan.jobs(source, models), admission)
            status = ledger.campaigns.status(source.id)
        span.note({"factory.campaign.is_new": is_new, "factory.jobs": status.submitted_jobs})
        if is_new:
            _begin_trace(status, began)
        rung = True
        if status.state == CampaignState.ACTIVE and status.waiting:
            rung = ring_for(app, status.waiting, settings.batch_size)
    return Submitted(source.id, is_new, status.submitted_jobs, rung)


def _begin_trace(status: CampaignStatus, began: int) -> None:
    """Begin the trace of a campaign, which all that becomes of it goes back to, with a link to what submits it."""
    told: traces.Attributes = {"factory.campaign.id": status.id, "factory.jobs": status.submitted_jobs}
    submits = traces.current()
    origin = traces.Origin(as_root=traces.campaign_link(status.id, status.created_at), since=began)
    with traces.span("campaign submitted", told, traces.Role.SENDER, origin) as span:
        if submits:
            span.link(submits)


def possible(source: CampaignSource, settings: Settings, ledger: Ledger) -> plan.Plan:
    """Return the plan of a campaign that may be begun; raises ImpossibleWorkError for one that must not."""
    planned = plan.plan(source, models_of(settings), _known_rates(ledger), settings.batch_size)
    if problem := plan.budget_problem(source, planned.jobs):
        raise ImpossibleWorkError.of(problem)
    return planned


def ring_for(app: Celery, waiting_jobs: int, batch_size: int) -> bool:
    """Ring for a number of waiting jobs; return False when the broker is away, which the sweep mends later."""
    try:
        for kind in Kind:
            ring(app, kind, ceil(waiting_jobs / batch_size))
    except BrokerError:
        return False
    return True


def _known_rates(ledger: Ledger) -> Rates:
    return rates(ledger.assets.measured_rates())
