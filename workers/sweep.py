"""Housekeeping: expired leases wait again, poisonous jobs become dead letters, work without a ticket gets one."""

import logging

from celery import Celery

from core.broker import ring, waiting_tickets
from core.ledger import Ledger

logger = logging.getLogger(__name__)


def sweep(app: Celery, ledger: Ledger) -> None:
    """Run once; safe to run at any time and by several at once."""
    swept = ledger.leases.sweep()
    if swept.returned or swept.dead:
        logger.warning("leases ended: %d jobs wait again, %d are dead letters", swept.returned, swept.dead)
    for kind in swept.waiting_kinds:
        if not waiting_tickets(app, kind):
            ring(app, kind)
