"""Ends canaries: a challenger that people like better is promoted, one that they do not is stopped."""

import logging
import time

from core.canary import Outcome, Rules, judge
from core.errors import StateError
from core.ledger import Ledger
from core.ledger.promotions import Order, Serving
from core.settings import Settings

logger = logging.getLogger(__name__)

ACTOR = "canary"
DAY_SECONDS = 86_400


def judge_canaries(ledger: Ledger, settings: Settings) -> None:
    """Judge every canary once; safe to run at any time and by several at once."""
    rules, referees = rules_of(settings), settings.referee_people
    for serving in ledger.promotions.all():
        if not serving.canary:
            continue
        judgement = judge(*ledger.canaries.answers(serving, referees), time.time() - serving.since, rules)
        why = f"{judgement.why}, by referees alone" if referees else judgement.why
        try:
            _end(ledger, serving, judgement.outcome, Order(ACTOR, why))
        except StateError as error:
            # A person was faster, and knows better.
            logger.info("canary of %s left as it is: %s", serving.challenger, error)


def rules_of(settings: Settings) -> Rules:
    """Return when canaries end."""
    return Rules(settings.canary_least_ratings, settings.canary_sureness, settings.canary_longest_days * DAY_SECONDS)


def _end(ledger: Ledger, serving: Serving, outcome: Outcome, order: Order) -> None:
    if outcome == Outcome.PROMOTE:
        ledger.promotions.promote(serving.challenger, serving, order)
    elif outcome == Outcome.STOP:
        ledger.promotions.stop_canary(serving, order)
    else:
        return
    logger.warning("canary of %s on %s: %s, since %s", serving.challenger, serving.model, outcome, order.why)
