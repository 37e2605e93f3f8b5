"""Make and change schedules: by the rules of campaign files, checked as `factory plan` does before anything is kept."""

import re
from dataclasses import dataclass, replace

from core.errors import ScheduleError
from core.ledger import Ledger
from core.ledger.schedules import Schedule, ScheduleState, new_id
from core.settings import Settings
from core.windows import window_problem
from producer.schedules import templates
from producer.schedules.cron import check, next_after
from producer.schedules.templates import Taken, Terms
from producer.submit import possible
from schemas.access import NAME_PATTERN
from schemas.campaigns import Priority
from schemas.schedules import CatchUp

UTC = "UTC"
_WINDOW = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True)
class Wish:
    """What somebody wants of a schedule; None leaves it as it is, or to its default."""

    cron: str | None = None
    timezone: str | None = None
    catch_up: CatchUp | None = None
    # Empty: as the campaign says.
    window: str | None = None
    priority: Priority | None = None


@dataclass(frozen=True)
class Owner:
    """Whose a schedule is, who makes or changes it, and whether the limits of the tenant bind its runs."""

    tenant: str
    actor: str
    is_limited: bool = False


def add(
    ledger: Ledger, settings: Settings, taken: Taken, wish: Wish, owner: Owner, name: str | None, now: float
) -> Schedule:
    """Keep a campaign that is submitted by the clock; raises what `factory plan` does, and ScheduleError."""
    possible(taken.source, settings, ledger)
    campaign = taken.source.campaign
    terms = Terms(wish.timezone or campaign.timezone or UTC, wish.window or "", wish.priority)
    cron, named = _one_line(wish.cron or ""), campaign.name if name is None else name
    _check(cron, terms)
    if not re.fullmatch(NAME_PATTERN, named):
        raise ScheduleError("name: use lowercase letters, digits and hyphens (at most 63), such as 'weekly-roast'")
    template = templates.kept(taken, terms, settings)
    schedule = Schedule(
        id=new_id(),
        tenant=owner.tenant,
        name=named,
        state=ScheduleState.ACTIVE,
        cron=cron,
        timezone=terms.timezone,
        catch_up=wish.catch_up or CatchUp.SKIP,
        window=terms.window,
        priority=terms.priority,
        template_id=template.id,
        is_limited=owner.is_limited,
        next_at=next_after(cron, terms.timezone, now),
        created_at=now,
        created_by=owner.actor,
    )
    ledger.schedules.add(schedule, template)
    return schedule


def change(
    ledger: Ledger, settings: Settings, old: Schedule, wish: Wish, owner: Owner, taken: Taken | None, now: float
) -> Schedule:
    """Change a schedule from now on; with a campaign it makes that one. Moments that have come are decided already."""
    window = old.window if wish.window is None else wish.window
    terms = Terms(wish.timezone or old.timezone, window, wish.priority or old.priority)
    cron = old.cron if wish.cron is None else _one_line(wish.cron)
    _check(cron, terms)
    if taken:
        possible(taken.source, settings, ledger)
        template = templates.kept(taken, terms, settings)
    else:
        template = templates.of_terms(ledger.schedules.template(old.template_id), terms)
    changed = replace(
        old,
        cron=cron,
        timezone=terms.timezone,
        catch_up=wish.catch_up or old.catch_up,
        window=terms.window,
        priority=terms.priority,
        template_id=template.id,
        next_at=next_after(cron, terms.timezone, now),
    )
    ledger.schedules.update(changed, template, owner.actor)
    return changed


def _one_line(cron: str) -> str:
    return " ".join(cron.split())


def _check(cron: str, terms: Terms) -> None:
    check(cron, terms.timezone)
    if not terms.window:
        return
    if not _WINDOW.fullmatch(terms.window):
        raise ScheduleError("window: write two times of day, such as '22:00-06:00'")
    if problem := window_problem(terms.window):
        raise ScheduleError(f"window: {problem}")
