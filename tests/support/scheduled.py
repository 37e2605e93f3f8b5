"""Schedules on a clock that a test moves: campaigns of a few lines, added, come due, and counted."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from celery import Celery
from sqlalchemy import update

from core.broker import make_app
from core.ledger import Ledger
from core.ledger.schedules import Schedule
from core.settings import Settings
from core.tables import schedules
from producer.schedules.keep import Owner, Wish, add
from producer.schedules.scheduler import decide_due, submit_next
from producer.schedules.templates import received
from schemas.schedules import CatchUp

BERLIN = ZoneInfo("Europe/Berlin")
TENANT = "ann"
CAMPAIGN = """\
name: roast
brand: {name: Northbeam}
products:
  - {sku: NB-1, name: Ember Espresso}
audiences:
  - {id: commuters, description: people in a hurry}
deliverables:
  - {kind: copy, channel: google_search.headline, variants: 3}
"""
JOBS = 3


def at(text: str) -> float:
    """Return a moment by the clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def without_broker(home: Path, ledger_url: str | None = None) -> Settings:
    """Return settings of a factory whose tickets go nowhere."""
    return Settings(home=home, ledger_url=ledger_url, broker_url="memory://")


class Factory:
    """A ledger and the parts of a scheduler; nothing of it looks at the real clock."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self.app: Celery = make_app(settings)

    def add(
        self,
        cron: str,
        now: str,
        *,
        catch_up: CatchUp = CatchUp.SKIP,
        text: str = CAMPAIGN,
        name: str | None = None,
        **wish: object,
    ) -> Schedule:
        """Add a schedule by the clock of Berlin."""
        wanted = replace(Wish(cron, "Europe/Berlin", catch_up), **wish)
        taken = received(text.encode(), "campaign.yaml", TENANT)
        return add(self.ledger, self.settings, taken, wanted, Owner(TENANT, "test"), name, at(now))

    def tick(self, now: float) -> None:
        """Do what a scheduler does at this moment."""
        decide_due(self.ledger, now)
        while submit_next(self.ledger, self.settings, self.app, now):
            pass

    def campaigns(self) -> list[str]:
        """Return the names of all campaigns, in their order; each is wholly submitted, with every job once."""
        found = self.ledger.campaigns.page(TENANT, 1000)
        assert {(one.state, one.submitted_jobs, one.waiting) for one in found} <= {("active", JOBS, JOBS)}
        return sorted(one.name for one in found)

    def come_due(self, schedule: Schedule, moment: float) -> None:
        """Have a schedule due at a moment."""
        with self.ledger.database.write() as connection:
            connection.execute(update(schedules).where(schedules.c.id == schedule.id).values(next_at=moment))
