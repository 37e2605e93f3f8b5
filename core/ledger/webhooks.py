"""Webhooks: where tenants want to be told, what is on its way there, and what came of every attempt."""

import json
import secrets
import time
import uuid
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, func, insert, select, tuple_, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.tables import IS_PENDING, attempts, deliveries, events, webhooks
from schemas.events import EventType

MOST_WEBHOOKS = 20
SECRET_BYTES = 32
# A webhook that is slow or away must not take the turns of the others.
MOST_AT_ONCE = 4
DELETED = "deleted"


@dataclass(frozen=True)
class Webhook:
    """Where to tell what. It stays in the ledger when it is deleted, so that its history does."""

    id: str
    tenant: str
    url: str
    types: tuple[EventType, ...]
    created_at: float
    disabled_reason: str


@dataclass(frozen=True)
class Event:
    """What happened."""

    id: str
    tenant: str
    type: EventType
    subject: str
    data: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Delivery:
    """An event on its way to a webhook: this attempt counts only as long as no later one has begun."""

    event: Event
    webhook_id: str
    url: str
    secret: str
    attempt: int
    tries: int


@dataclass(frozen=True)
class Attempt:
    """What came of sending an event once; without a status there was no answer."""

    webhook_id: str
    at: float
    seconds: float
    status: int | None
    error: str


@dataclass(frozen=True)
class History:
    """Where a delivery stands, and its attempts, oldest first."""

    webhook_id: str
    state: str
    next_at: float | None
    attempts: tuple[Attempt, ...]


class Webhooks:
    """The webhooks of the ledger and their deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, tenant: str, url: str, types: Sequence[EventType]) -> tuple[Webhook, str]:
        """Make a webhook; return it and its secret, which is shown this once."""
        wanted = tuple(sorted(set(types)))
        made = Webhook(f"wh_{uuid.uuid4().hex}", tenant, url, wanted, time.time(), "")
        secret = f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
        row = vars(made) | {"secret": secret, "types": f",{','.join(wanted)},"}
        with self._database.write() as connection:
            held = select(func.count()).where(webhooks.c.tenant == tenant, webhooks.c.disabled_reason == "")
            if connection.execute(held).scalar_one() >= MOST_WEBHOOKS:
                raise StateError(f"tenant {tenant} has {MOST_WEBHOOKS} webhooks, which is the most: delete one first")
            connection.execute(insert(webhooks).values(row))
        return made, secret

    def of(self, tenant: str) -> list[Webhook]:
        """Return the webhooks of a tenant, also those that are disabled."""
        query = select(webhooks).where(webhooks.c.tenant == tenant, webhooks.c.disabled_reason != DELETED)
        with self._database.read() as connection:
            return [_webhook(row) for row in connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))]

    def delete(self, tenant: str, webhook_id: str) -> None:
        """Send nothing to it any more; raises UnknownIdError when the tenant has none of this id."""
        mine = and_(webhooks.c.id == webhook_id, webhooks.c.tenant == tenant, webhooks.c.disabled_reason != DELETED)
        with self._database.write() as connection:
            if not connection.execute(update(webhooks).where(mine).values(disabled_reason=DELETED)).rowcount:
                raise UnknownIdError(f"there is no webhook '{webhook_id}' of yours: list the webhooks to see their ids")
            connection.execute(_GIVE_UP.where(deliveries.c.webhook_id == webhook_id))

    def disable(self, webhook_id: str, reason: str) -> None:
        """Send nothing to it any more, because it said so itself."""
        with self._database.write() as connection:
            active = and_(webhooks.c.id == webhook_id, webhooks.c.disabled_reason == "")
            connection.execute(update(webhooks).where(active).values(disabled_reason=reason))
            connection.execute(_GIVE_UP.where(deliveries.c.webhook_id == webhook_id))

    def claim(self, lease_seconds: float) -> list[Delivery]:
        """Take deliveries that are due, of every webhook some; who dies with them leaves them due again after that."""
        now = time.time()
        found: list[Delivery] = []
        due = select(deliveries.c.webhook_id).where(IS_PENDING, deliveries.c.next_at <= now).distinct()
        with self._database.read() as connection:
            waiting = sorted(connection.execute(due).scalars())
        if not waiting:
            # Who asks every second shall not hold up those that write.
            return []
        with self._database.write() as connection:
            for webhook_id in waiting:
                rows = connection.execute(_DUE, {"webhook": webhook_id, "now": now, "most": MOST_AT_ONCE}).all()
                for row in rows:
                    connection.execute(
                        update(deliveries)
                        .where(deliveries.c.event_id == row.id, deliveries.c.webhook_id == webhook_id)
                        .values(
                            attempts=deliveries.c.attempts + 1,
                            tries=deliveries.c.tries + 1,
                            next_at=now + lease_seconds,
                        )
                    )
                found += [
                    Delivery(_event(row), webhook_id, row.url, row.secret, row.attempts + 1, row.tries + 1)
                    for row in rows
                ]
        return found

    def record(self, delivery: Delivery, attempt: Attempt, *, is_delivered: bool, wait_seconds: float | None) -> None:
        """Keep what came of an attempt; without a time to wait, one that failed was the last."""
        state = "delivered" if is_delivered else "given_up" if wait_seconds is None else "pending"
        mine = and_(
            deliveries.c.event_id == delivery.event.id,
            deliveries.c.webhook_id == delivery.webhook_id,
            deliveries.c.attempts == delivery.attempt,
            deliveries.c.state == "pending",
        )
        with self._database.write() as connection:
            connection.execute(insert(attempts).values(event_id=delivery.event.id, **vars(attempt)))
            next_at = time.time() + (wait_seconds or 0.0)
            connection.execute(update(deliveries).where(mine).values(state=state, next_at=next_at))

    def page(self, tenant: str, limit: int, after: tuple[float, str] | None = None) -> list[Event]:
        """Return the events of a tenant, newest first, from after that time and id on."""
        query = select(events).where(events.c.tenant == tenant)
        if after is not None:
            query = query.where(tuple_(events.c.at, events.c.id) < tuple_(*after))
        query = query.order_by(events.c.at.desc(), events.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(query)]

    def history(self, tenant: str, event_id: str) -> tuple[Event, list[History]]:
        """Return an event and how each of its deliveries went; raises UnknownIdError when the tenant has none such."""
        with self._database.read() as connection:
            event = connection.execute(select(events).where(events.c.id == event_id, events.c.tenant == tenant)).first()
            if event is None:
                raise UnknownIdError(f"there is no event '{event_id}' of yours: list the events to see their ids")
            standing = connection.execute(
                select(deliveries).where(deliveries.c.event_id == event_id).order_by(deliveries.c.webhook_id)
            ).all()
            tried = connection.execute(
                select(attempts).where(attempts.c.event_id == event_id).order_by(attempts.c.id)
            ).all()
        of = {row.webhook_id: [one for one in tried if one.webhook_id == row.webhook_id] for row in standing}
        return _event(event), [_history(row, of[row.webhook_id]) for row in standing]

    def replay(self, tenant: str, event_id: str) -> int:
        """Send an event again, with its old id, to the webhooks that it was meant for; return to how many.

        Raises StateError when none of them is served any more.
        """
        self.history(tenant, event_id)
        served = select(webhooks.c.id).where(webhooks.c.tenant == tenant, webhooks.c.disabled_reason == "")
        with self._database.write() as connection:
            again = connection.execute(
                update(deliveries)
                .where(deliveries.c.event_id == event_id, deliveries.c.webhook_id.in_(served))
                .values(state="pending", tries=0, next_at=time.time())
            ).rowcount
        if not again:
            raise StateError(f"no webhook that event {event_id} was meant for is served any more")
        return int(again)

    def waiting(self) -> int:
        """Return how many deliveries are not at their end."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(deliveries).where(IS_PENDING)).scalar_one())


_GIVE_UP = update(deliveries).where(IS_PENDING).values(state="given_up")
_DUE = (
    select(events, deliveries.c.attempts, deliveries.c.tries, webhooks.c.url, webhooks.c.secret)
    .join(deliveries, deliveries.c.event_id == events.c.id)
    .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
    .where(
        IS_PENDING,
        webhooks.c.disabled_reason == "",
        deliveries.c.webhook_id == bindparam("webhook"),
        deliveries.c.next_at <= bindparam("now"),
    )
    .order_by(deliveries.c.next_at, events.c.id)
    .limit(bindparam("most"))
    .with_for_update(of=deliveries, skip_locked=True)
)


def _webhook(row: Row[Any]) -> Webhook:
    types = tuple(EventType(one) for one in row.types.strip(",").split(","))
    return Webhook(row.id, row.tenant, row.url, types, row.created_at, row.disabled_reason)


def _event(row: Row[Any]) -> Event:
    return Event(row.id, row.tenant, EventType(row.type), row.subject, json.loads(row.data), row.at)


def _history(row: Row[Any], tried: Sequence[Row[Any]]) -> History:
    told = tuple(Attempt(one.webhook_id, one.at, one.seconds, one.status, one.error) for one in tried)
    return History(row.webhook_id, row.state, row.next_at if row.state == "pending" else None, told)
