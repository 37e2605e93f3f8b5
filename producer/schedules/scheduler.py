"""The scheduler: decides what is due, then submits what is decided. Any number of them may run; any may die anywhere.

A decision is one transaction. What it leaves behind is taken up under leases, and a run that is submitted twice is one
campaign, whose id follows from the schedule and the moment: so no moment is lost, and none is made twice.
"""

import logging
import threading
import time
from collections.abc import Callable
from hashlib import blake2b

from celery import Celery

from core.errors import FactoryError, LedgerError, OutdatedError, SettingsError, TransientError
from core.ledger import Ledger
from core.ledger.runs import Run
from core.ledger.schedules import Schedule, Template
from core.ledger.tenants import Admission
from core.probes import Probes, Pulse, probed
from core.settings import Settings
from core.windows import day_and_time
from producer.campaigns import CampaignSource, on_occasion
from producer.schedules.decide import decide
from producer.schedules.templates import opened
from producer.submit import submit
from schemas.access import Limits

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
AWAY_SECONDS = 5.0
# A store or a quota may take a while to have room again; what is a day late is no longer what was wanted.
GIVE_UP_SECONDS = 86_400.0
WAIT_SECONDS = 5.0
# A campaign of a million jobs takes a minute to submit, and its store may be slow.
LONGEST_SECONDS = 900.0
MOST_WAIT_SECONDS = 600.0
# The name of a campaign has 63 characters, and the moment 16 of them.
MOST_NAME_CHARACTERS = 47
MOST_SEED = 2**31


def run(
    ledger: Ledger,
    settings: Settings,
    app: Celery,
    stopping: threading.Event,
    clock: Callable[[], float] = time.time,
) -> None:
    """Decide and submit until it is told to stop; what is in hand is ended first."""
    pulse = Pulse(LONGEST_SECONDS)
    with probed(settings, Probes(is_alive=pulse.moves)):
        while not stopping.is_set():
            try:
                with pulse.busy():
                    decide_due(ledger, clock())
                    # One at a time: what comes due meanwhile is decided in time.
                    has_submitted = submit_next(ledger, settings, app, clock())
            except LedgerError as error:
                logger.warning("nothing scheduled: %s", error)
                stopping.wait(AWAY_SECONDS)
            else:
                if not has_submitted:
                    stopping.wait(POLL_SECONDS)


def decide_due(ledger: Ledger, now: float) -> int:
    """Decide about every schedule whose moment has come; return how many moments are run."""
    decided = 0
    for schedule in ledger.schedules.due(now):
        try:
            decision = decide(schedule, now)
        except Exception:  # one schedule that nobody thought of must not end all others
            logger.exception("nothing is decided about %s", schedule.id)
            continue
        if ledger.runs.decide(schedule, decision, now):
            decided += len(decision.runs)
            logger.info("%s: %d due, %d missed", schedule.id, len(decision.runs), len(decision.skipped))
    return decided


def submit_next(ledger: Ledger, settings: Settings, app: Celery, now: float) -> bool:
    """Submit one run that is decided; return False when there is none."""
    claimed = ledger.runs.claim(now, settings.lease_seconds)
    if claimed:
        _attempt(ledger, settings, app, *claimed, now)
    return claimed is not None


def run_now(ledger: Ledger, settings: Settings, app: Celery, schedule: Schedule, actor: str) -> Run:
    """Submit the campaign of a schedule at once, besides what the clock says; return what became of it."""
    now = time.time()
    one = ledger.runs.order(schedule, now, actor, settings.lease_seconds)
    _attempt(ledger, settings, app, one, schedule, now)
    return ledger.runs.of(schedule.id, one.due_at)


def _attempt(ledger: Ledger, settings: Settings, app: Celery, one: Run, schedule: Schedule, now: float) -> None:
    """Submit a run that is held, and record what came of it."""
    try:
        campaign_id = _submit(ledger, settings, app, one, schedule)
    except (LedgerError, OutdatedError):
        # Nothing can be recorded either; the lease brings it back.
        raise
    except (TransientError, SettingsError) as error:
        # Settings are mended by people, who need time for it.
        _later(ledger, one, str(error), now)
    except FactoryError as error:
        ledger.runs.failed(one, str(error), now)
        logger.warning("%s at %d failed: %s", schedule.id, one.due_at, error)
    except Exception as error:  # one schedule that nobody thought of must not end all others
        logger.exception("%s at %d broke", schedule.id, one.due_at)
        _later(ledger, one, f"unexpected {type(error).__name__}: {error}", now)
    else:
        ledger.runs.submitted(one, campaign_id, now)
        logger.info("%s at %d is campaign %s", schedule.id, one.due_at, campaign_id)


def _submit(ledger: Ledger, settings: Settings, app: Celery, one: Run, schedule: Schedule) -> str:
    template = ledger.schedules.template(one.template_id)
    limits = Limits(settings.tenant_jobs_a_day, settings.tenant_open_jobs) if schedule.is_limited else None
    with opened(template, schedule.tenant, settings) as source:
        occasion = campaign_of(source, template, schedule, one.due_at)
        return submit(occasion, settings, ledger, app, Admission(schedule.tenant, limits=limits)).id


def campaign_of(source: CampaignSource, template: Template, schedule: Schedule, due_at: float) -> CampaignSource:
    """Return the campaign of one run: of its own name, with a seed of its own, so that it does not repeat the last."""
    moment = day_and_time(due_at, template.timezone)
    campaign = source.campaign
    name = f"{campaign.name[:MOST_NAME_CHARACTERS].rstrip('-')}-{moment:%Y-%m-%d-%H%M}"
    changes: dict[str, object] = {"name": name, "seed": _seed(campaign.seed, due_at)}
    if template.window:
        changes |= {"window": template.window, "timezone": template.timezone}
    if template.priority:
        changes["priority"] = template.priority
    occasion = f"{schedule.id} at {due_at!r}"
    return on_occasion(source, campaign.model_copy(update=changes), occasion, schedule.tenant)


def _seed(seed: int, due_at: float) -> int:
    digest = blake2b(f"{seed}\0{due_at!r}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % MOST_SEED


def _later(ledger: Ledger, one: Run, reason: str, now: float) -> None:
    """Try it again later, unless that has gone on for too long."""
    if now - one.decided_at > GIVE_UP_SECONDS:
        ledger.runs.failed(one, f"given up after a day: {reason}", now)
        return
    wait = min(MOST_WAIT_SECONDS, WAIT_SECONDS * 2 ** min(one.attempts, 10))
    ledger.runs.postpone(one, reason, now + wait)
    logger.warning("run of %s at %d is tried again in %d s: %s", one.schedule_id, one.due_at, wait, reason)
