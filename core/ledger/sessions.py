"""Who has signed in to the pages. A browser keeps a random text; the ledger keeps its hash, and the key behind it."""

import secrets
import time

from sqlalchemy import delete, insert, select

from core.database import Database
from core.ledger.keys import SECRET_BYTES, Key, hash_of, key_of
from core.tables import keys, sessions

# A working week, and the weekend: then the key is asked for again.
SESSION_SECONDS = 7 * 86_400


class Sessions:
    """The sessions of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, key: Key) -> str:
        """Begin a session of a key; return its text, which nobody can show again. Forgets those that ended."""
        now, text = time.time(), secrets.token_urlsafe(SECRET_BYTES)
        row = {"sha256": hash_of(text), "key_id": key.id, "created_at": now, "ends_at": now + SESSION_SECONDS}
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.ends_at <= now))
            connection.execute(insert(sessions).values(row))
        return text

    def find(self, text: str) -> Key | None:
        """Return the key of a session, None when there is none, it has ended or its key is revoked."""
        query = (
            select(keys)
            .join(sessions, sessions.c.key_id == keys.c.id)
            .where(sessions.c.sha256 == hash_of(text), sessions.c.ends_at > time.time(), keys.c.revoked_at.is_(None))
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return key_of(row) if row else None

    def close(self, text: str) -> None:
        """End a session; one that is not there is no error."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.sha256 == hash_of(text)))
