"""Revoking a job in Flower cancels it in the ledger; revoking anything else stays what it is in Celery."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.control import Panel

from core.errors import FactoryError
from core.ledger import Ledger

logger = logging.getLogger(__name__)


def cancel_on_revoke(open_ledger: Callable[[], Ledger]) -> None:
    """Put our handler before Celery's. Every worker hears a revoke; the first one to ask the ledger cancels."""
    revoke = Panel.data["revoke"]

    def handler(state: Any, task_id: str | list[str], **options: Any) -> Any:
        for job_id in [task_id] if isinstance(task_id, str) else task_id:
            try:
                if open_ledger().jobs.cancel(job_id, "flower"):
                    logger.info("job %s cancelled by a revoke", job_id)
            except FactoryError as error:
                logger.info("revoke of %s: %s", job_id, error)
        return revoke(state, task_id, **options)

    Panel.data["revoke"] = handler
