"""Keys of the HTTP API. A key is shown once, when it is made; the ledger keeps its hash and the part that finds it."""

import re
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import Row, insert, select, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import record
from core.tables import keys
from schemas.access import Role

# 256 random bits cannot be guessed, so a plain hash keeps them: nothing is gained by a slow one.
SECRET_BYTES = 32
_TEXT = re.compile(r"cf_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Key:
    """Who may call: for which tenant, and in which role."""

    id: str
    name: str
    tenant: str
    role: Role
    created_at: float
    created_by: str
    revoked_at: float | None


class Keys:
    """The keys of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, tenant: str, role: Role, actor: str) -> tuple[Key, str]:
        """Make a key; return it and its text, which nobody can show again."""
        made = Key(secrets.token_hex(6), name, tenant, role, time.time(), actor, None)
        text = f"cf_{made.id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        with self._database.write() as connection:
            connection.execute(insert(keys).values(sha256=hash_of(text), **vars(made)))
            record(connection, actor, "create key", made.id, f"{name}, {role} of {tenant}")
        return made, text

    def find(self, text: str) -> Key | None:
        """Return the key with this text, None when there is none or it is revoked."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        with self._database.read() as connection:
            row = connection.execute(select(keys).where(keys.c.id == match[1])).first()
        if row is None or row.revoked_at is not None or not compare_digest(row.sha256, hash_of(text)):
            return None
        return key_of(row)

    def any(self) -> bool:
        """Tell whether there is or ever was a key: a factory that had one never serves without."""
        with self._database.read() as connection:
            return connection.execute(select(keys.c.id).limit(1)).first() is not None

    def any_valid(self) -> bool:
        """Tell whether somebody has a key that is not revoked."""
        with self._database.read() as connection:
            return connection.execute(select(keys.c.id).where(keys.c.revoked_at.is_(None)).limit(1)).first() is not None

    def all(self) -> list[Key]:
        """Return every key, also those that are revoked, in the order in which they were made."""
        with self._database.read() as connection:
            return [key_of(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke(self, key_id: str, actor: str) -> Key:
        """Make a key useless from the next call on; raises StateError when it is revoked already."""
        with self._database.write() as connection:
            revoked = connection.execute(
                update(keys)
                .where(keys.c.id == key_id, keys.c.revoked_at.is_(None))
                .values(revoked_at=time.time())
                .returning(keys)
            ).first()
            if revoked is None:
                if connection.execute(select(keys.c.id).where(keys.c.id == key_id)).first() is None:
                    raise UnknownIdError(f"there is no key '{key_id}': `factory keys list` shows all")
                raise StateError(f"key {key_id} is revoked already")
            record(connection, actor, "revoke key", key_id, revoked.name)
        return key_of(revoked)


def hash_of(text: str) -> str:
    """Return what is kept of a secret."""
    return sha256(text.encode()).hexdigest()


def key_of(row: Row[tuple[object, ...]]) -> Key:
    """Return the key of a row."""
    return Key(row.id, row.name, row.tenant, Role(row.role), row.created_at, row.created_by, row.revoked_at)
