"""The record of calls: who changed what over the HTTP API, when, from where, and what came of it."""

import time
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from core.database import Database
from core.errors import ReusedKeyError
from core.tables import calls, idempotency_keys

# As long as somebody may repeat a call whose answer was lost.
REMEMBERED_SECONDS = 2 * 86_400.0


@dataclass(frozen=True)
class Call:
    """One call that may have changed something. Without a status nobody knows what came of it: the process ended."""

    id: int
    at: float
    tenant: str
    actor: str
    operation: str
    path: str
    address: str
    request_id: str
    status: int | None


class Calls:
    """The calls of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, tenant: str, actor: str, operation: str, path: str, address: str, request_id: str) -> int:
        """Record a call before it does anything; return its number."""
        row = {"tenant": tenant, "actor": actor, "operation": operation, "path": path, "address": address}
        values = {"at": time.time(), "request_id": request_id, **row}
        with self._database.write() as connection:
            return int(connection.execute(insert(calls).values(values).returning(calls.c.id)).scalar_one())

    def end(self, call_id: int, status: int) -> None:
        """Record what came of a call: the status of its answer."""
        with self._database.write() as connection:
            connection.execute(update(calls).where(calls.c.id == call_id).values(status=status))

    def newest_first(self, limit: int, tenant: str | None = None) -> list[Call]:
        """Return the newest calls, of one tenant or of all."""
        query = select(calls).order_by(calls.c.id.desc()).limit(limit)
        if tenant is not None:
            query = query.where(calls.c.tenant == tenant)
        with self._database.read() as connection:
            return [Call(**row) for row in connection.execute(query).mappings()]

    def remember(self, tenant: str, key: str, fingerprint: str) -> None:
        """Bind an idempotency key to what it is used for; raises ReusedKeyError when that was something else."""
        now = time.time()
        row = {"tenant": tenant, "key": key, "fingerprint": fingerprint, "created_at": now}
        with self._database.write() as connection:
            old = delete(idempotency_keys).where(idempotency_keys.c.created_at < now - REMEMBERED_SECONDS)
            connection.execute(old)
            connection.execute(self._database.insert_new(idempotency_keys), row)
            known = connection.execute(
                select(idempotency_keys.c.fingerprint).where(
                    idempotency_keys.c.tenant == tenant, idempotency_keys.c.key == key
                )
            ).scalar_one()
        if known != fingerprint:
            raise ReusedKeyError("this Idempotency-Key was used for another call: make a new one for each new call")
