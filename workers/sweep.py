"""Housekeeping: expired leases wait again, poisonous jobs become dead letters, work without a ticket gets one.

Feedback that was sent and not recorded is sent again.
"""

import logging

from celery import Celery

from core import traces
from core.broker import ring, send_again, waiting_feedback, waiting_tickets
from core.ledger import Ledger
from workers.traced import Batches

logger = logging.getLogger(__name__)


def sweep(app: Celery, ledger: Ledger) -> None:
    """Run once; safe to run at any time and by several at once."""
    began = traces.now()
    swept = ledger.leases.sweep()
    if swept.returned or swept.dead:
        # Every few seconds it finds nothing, which is nothing to tell.
        traces.passed("sweep", began, {"factory.jobs.again": swept.returned, "factory.jobs.failed": swept.dead})
        logger.warning("leases ended: %d jobs wait again, %d are dead letters", swept.returned, swept.dead)
    Batches(ledger.campaigns).finished(swept.finished_campaigns)
    for kind in swept.waiting_kinds:
        if not waiting_tickets(app, kind):
            ring(app, kind)
    # While messages lie there, nobody records, and the same ones again would only make the queue longer.
    if ledger.intake.expected() and not waiting_feedback(app):
        overdue = ledger.intake.overdue(ledger.leases.lease_seconds)
        if overdue:
            logger.warning("%d ratings were not recorded in time and are sent again", len(overdue))
        send_again(app, overdue)
