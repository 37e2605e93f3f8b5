"""What the ledger need not keep for ever: counted before it is deleted, and deleted a page at a time."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, or_, select, update

from core.database import Database
from core.ledger.campaigns import CampaignState, record
from core.tables import assets, attempts, calls, campaigns, deliveries, events, idempotency_keys, sessions

# Rows at a time, so that others may write in between.
PAGE_ROWS = 1000


class Old(StrEnum):
    """What is deleted from the ledger when it is old."""

    CALLS = "calls"
    KEYS = "idempotency keys"
    SESSIONS = "sessions"
    EVENTS = "events"


_COLUMNS = {
    Old.CALLS: (calls.c.id, calls.c.at),
    Old.KEYS: (idempotency_keys.c.key, idempotency_keys.c.created_at),
    Old.SESSIONS: (sessions.c.sha256, sessions.c.ends_at),
    Old.EVENTS: (events.c.id, events.c.at),
}
# One that is still on its way somewhere stays, however old it is.
_IS_ON_ITS_WAY = (
    select(deliveries.c.event_id).where(deliveries.c.event_id == events.c.id, deliveries.c.state == "pending").exists()
)


class Retention:
    """Counts and deletes what is old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, what: Old, before: float) -> int:
        """Return how many rows `delete` would delete."""
        query = select(func.count()).select_from(_COLUMNS[what][0].table).where(_is_old(what, before))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def delete(self, what: Old, before: float) -> int:
        """Delete what is older than that; return how much it was."""
        return sum(self._pages(what, before))

    def _pages(self, what: Old, before: float) -> Iterator[int]:
        column = _COLUMNS[what][0]
        query = select(column).where(_is_old(what, before)).order_by(column).limit(PAGE_ROWS)
        while True:
            # Looking through a whole table takes long, and nobody else could write to SQLite meanwhile.
            with self._database.read() as connection:
                found = connection.execute(query).scalars().all()
            if not found:
                return
            deleted = self._delete(what, found, before)
            yield deleted
            if len(found) < PAGE_ROWS or not deleted:
                return

    def _delete(self, what: Old, found: Sequence[str], before: float) -> int:
        """Delete what was found, as far as it still is so old; return how much it was."""
        column = _COLUMNS[what][0]
        with self._database.write() as connection:
            if what is Old.EVENTS:
                return _delete_events(connection, found)
            old = and_(column.in_(found), _is_old(what, before))
            return len(connection.execute(delete(column.table).where(old).returning(column)).all())

    def campaigns_to_clear(self, before: float) -> list[str]:
        """Return the campaigns that ended before that and whose assets are not deleted yet."""
        has_assets = select(assets.c.job_id).where(assets.c.campaign_id == campaigns.c.id).exists()
        # One that was opened again and ended again has new ones.
        is_cleared = and_(
            campaigns.c.assets_deleted_at.is_not(None), campaigns.c.assets_deleted_at >= campaigns.c.finished_at
        )
        query: Select[tuple[str]] = (
            select(campaigns.c.id).where(_ended_before(before), has_assets, ~is_cleared).order_by(campaigns.c.id)
        )
        with self._database.read() as connection:
            return [row.id for row in connection.execute(query)]

    def has_ended(self, campaign_id: str, before: float) -> bool:
        """Tell whether a campaign ended before that and nobody has opened it again since."""
        query = select(campaigns.c.id).where(campaigns.c.id == campaign_id, _ended_before(before))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def cleared(self, campaign_id: str, at: float, actor: str) -> None:
        """Record that all assets of a campaign that were made until then are deleted."""
        with self._database.write() as connection:
            row = update(campaigns).where(campaigns.c.id == campaign_id).values(assets_deleted_at=at)
            connection.execute(row)
            record(connection, actor, "delete-assets", campaign_id, "kept as long as the settings say")


def _ended_before(before: float) -> ColumnElement[bool]:
    is_over = campaigns.c.state.in_((CampaignState.FINISHED, CampaignState.CANCELLED))
    return and_(is_over, campaigns.c.finished_at < before)


def _is_old(what: Old, before: float) -> ColumnElement[bool]:
    is_old = _COLUMNS[what][1] < before
    return and_(is_old, ~_IS_ON_ITS_WAY) if what is Old.EVENTS else is_old


def _delete_events(connection: Connection, ids: Sequence[str]) -> int:
    """Delete events with all that is known of their ways; one that somebody sends again at this moment stays."""
    is_over = or_(deliveries.c.state == "delivered", deliveries.c.state == "given_up")
    connection.execute(delete(deliveries).where(deliveries.c.event_id.in_(ids), is_over))
    left = select(deliveries.c.event_id).where(deliveries.c.event_id.in_(ids))
    stays = set(connection.execute(left).scalars())
    gone = [one for one in ids if one not in stays]
    connection.execute(delete(attempts).where(attempts.c.event_id.in_(gone)))
    return len(connection.execute(delete(events).where(events.c.id.in_(gone)).returning(events.c.id)).all())
