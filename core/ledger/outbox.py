"""The outbox: what webhooks are told, written in the transaction in which it happens: none is without the other.

What nobody listens to is not written: an event has a delivery for each webhook of its tenant that wants its type.
"""

import json
import time
import uuid
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, bindparam, func, insert, select

from core.tables import campaigns, deliveries, events, jobs, schedules, webhooks
from schemas.events import EventType
from schemas.jobs import JobState

PAGE_ROWS = 1000
MOST_TOLD_CHARACTERS = 1000


def _wants(event_type: EventType) -> ColumnElement[bool]:
    return and_(webhooks.c.disabled_reason == "", webhooks.c.types.contains(f",{event_type},", autoescape=True))


def _listens(event_type: EventType, owner: Table = campaigns) -> ColumnElement[bool]:
    return and_(webhooks.c.tenant == owner.c.tenant, _wants(event_type))


_FINISHED: Select[Any] = (
    select(campaigns, webhooks.c.id.label("webhook_id"))
    .join(webhooks, _listens(EventType.CAMPAIGN_FINISHED))
    .where(campaigns.c.id == bindparam("campaign"))
)
_COUNTS = (
    select(jobs.c.state, func.count().label("jobs"))
    .where(jobs.c.campaign_id == bindparam("campaign"))
    .group_by(jobs.c.state)
)
_FAILED: Select[Any] = (
    select(
        *(jobs.c.id, jobs.c.campaign_id, jobs.c.kind, jobs.c.channel, jobs.c.sku, jobs.c.error_code, jobs.c.error),
        campaigns.c.tenant,
        webhooks.c.id.label("webhook_id"),
    )
    .join(campaigns, campaigns.c.id == jobs.c.campaign_id)
    .join(webhooks, _listens(EventType.ASSET_FAILED))
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(jobs.c.id)
)
_RUN_FAILED: Select[Any] = (
    select(schedules.c.id, schedules.c.tenant, schedules.c.name, webhooks.c.id.label("webhook_id"))
    .join(webhooks, _listens(EventType.SCHEDULE_FAILED, schedules))
    .where(schedules.c.id == bindparam("schedule"))
)

_PROMOTED: Select[Any] = (
    select(webhooks.c.tenant, webhooks.c.id.label("webhook_id"))
    .where(_wants(EventType.VERSION_PROMOTED))
    .order_by(webhooks.c.tenant, webhooks.c.id)
)


def tell_finished(connection: Connection, campaign_id: str) -> None:
    """Tell that a campaign has no open job left."""
    rows = connection.execute(_FINISHED, {"campaign": campaign_id}).all()
    if not rows:
        return
    counts: dict[str, int] = {row.state: row.jobs for row in connection.execute(_COUNTS, {"campaign": campaign_id})}
    first = rows[0]
    data = {
        "campaign": campaign_id,
        "name": first.name,
        "submitted_jobs": first.submitted_jobs,
        **{state.value: counts.get(state, 0) for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)},
        "device_seconds": round(first.spent_device_seconds, 3),
    }
    _write(connection, EventType.CAMPAIGN_FINISHED, rows, campaign_id, data)


def tell_failed(connection: Connection, job_ids: Sequence[str]) -> None:
    """Tell that these jobs are dead letters."""
    for start in range(0, len(job_ids), PAGE_ROWS):
        by_job: dict[str, list[Row[Any]]] = {}
        for row in connection.execute(_FAILED, {"ids": job_ids[start : start + PAGE_ROWS]}):
            by_job.setdefault(row.id, []).append(row)
        for job_id, rows in by_job.items():
            _write(connection, EventType.ASSET_FAILED, rows, job_id, _failure(rows[0]))


def tell_run_failed(connection: Connection, schedule_id: str, due_at: float, reason: str) -> None:
    """Tell that a campaign that was due by the clock cannot be submitted."""
    rows = connection.execute(_RUN_FAILED, {"schedule": schedule_id}).all()
    if rows:
        data = {
            "schedule": schedule_id,
            "name": rows[0].name,
            "due_at": due_at,
            "reason": reason[:MOST_TOLD_CHARACTERS],
        }
        _write(connection, EventType.SCHEDULE_FAILED, rows, schedule_id, data)


def tell_promoted(connection: Connection, subject: str, data: dict[str, object]) -> None:
    """Tell every tenant that another version serves a model: models serve them all."""
    for _, rows in groupby(connection.execute(_PROMOTED).all(), key=lambda row: str(row.tenant)):
        _write(connection, EventType.VERSION_PROMOTED, list(rows), subject, data)


def _failure(row: Row[Any]) -> dict[str, object]:
    return {
        "job": row.id,
        "campaign": row.campaign_id,
        "kind": row.kind,
        "channel": row.channel,
        "sku": row.sku,
        "error_code": row.error_code,
        "error": (row.error or "")[:MOST_TOLD_CHARACTERS],
    }


def _write(
    connection: Connection, event_type: EventType, rows: Sequence[Row[Any]], subject: str, data: dict[str, object]
) -> None:
    """Write an event and its deliveries: one for each of the rows, which name the webhooks that listen."""
    now, event_id = time.time(), f"evt_{uuid.uuid4().hex}"
    connection.execute(
        insert(events).values(
            id=event_id,
            tenant=rows[0].tenant,
            type=event_type,
            subject=subject,
            data=json.dumps(data, ensure_ascii=False),
            at=now,
        )
    )
    pending = {"event_id": event_id, "state": "pending", "attempts": 0, "tries": 0, "next_at": now}
    connection.execute(insert(deliveries), [{**pending, "webhook_id": row.webhook_id} for row in rows])
