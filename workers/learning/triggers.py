"""When a model learns by itself: enough new ratings, the clock, or a drift of what people approve of."""

import logging
import math
import time

from celery import Celery

from core.broker import ring_training, waiting_trainings
from core.learners import models_that_learn
from core.ledger import Ledger
from core.ledger.opinions import News
from core.ledger.trainings import Training
from core.settings import Settings
from schemas.campaigns import Kind
from schemas.learning import Triggers
from workers.learning.rules import rules_of

logger = logging.getLogger(__name__)

HOUR, DAY = 3600.0, 86400.0
# How far beyond chance a drift must be.
SIGMAS = 3.0


class Watch:
    """Looks every now and then whether a training shall begin, and rings for those that wait. Safe to run twice."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._ledger = ledger
        rules = rules_of(settings)
        self._models = {kind: model for kind, model in models_that_learn(settings).items() if kind in rules.recipes}
        self._rules = rules.triggers
        self._looked_at = -math.inf

    def look(self, app: Celery) -> None:
        """Begin what is due, and ring for it when nobody has been rung for; raises TransientError."""
        if time.monotonic() - self._looked_at >= self._rules.check_seconds:
            self._looked_at = time.monotonic()
            for kind, model in self._models.items():
                self._begin(kind, model)
        waiting = self._ledger.trainings.waiting()
        if waiting and not waiting_trainings(app):
            for kind, model in waiting:
                ring_training(app, kind, model)

    def _begin(self, kind: Kind, model: str) -> None:
        former = self._ledger.trainings.newest(kind, model, limit=1)
        last = former[0] if former else None
        after = last.snapshot.last_rating_id if last and last.snapshot else 0
        news = self._ledger.opinions.news(kind, model, after, self._rules.ratings)
        if cause := why_begin(news, last, time.time(), self._rules):
            _, is_new = self._ledger.trainings.ask(kind, model, cause)
            if is_new:
                logger.info("%s %s shall learn: %s", kind, model, cause)


def why_begin(news: News, last: Training | None, now: float, rules: Triggers) -> str:
    """Return why a training shall begin, empty when none shall. `news` is what came since the last one's snapshot."""
    if last is not None and (last.finished_at is None or now - last.finished_at < rules.least_hours_between * HOUR):
        return ""
    if news.ratings >= rules.ratings:
        return f"{rules.ratings} new ratings"
    began = last.created_at if last else -math.inf
    if last is not None and now - began >= rules.days * DAY and news.ratings >= rules.ratings_of_the_clock:
        return f"{news.ratings} new ratings in {rules.days:g} days"
    before = last.snapshot.approval if last and last.snapshot else None
    if before is not None and news.answers >= rules.ratings_of_drift:
        share = news.approvals / news.answers
        # Of so many answers, the share moves by this much by chance.
        chance = math.sqrt(max(before * (1 - before), 0.01) / news.answers)
        if abs(share - before) >= max(rules.drift, SIGMAS * chance):
            return f"approval moved from {before:.0%} to {share:.0%}"
    return ""
