"""Versions of models in the ledger: what trainings made, what the gate found, and what workers found since.

A version is registered once and never changed. Which one serves a model is no part of it: see `promotions`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.database import Database
from core.errors import StateError, UnknownIdError
from core.ledger.campaigns import record
from core.tables import versions
from schemas.buckets import MOST_MODEL_CHARACTERS
from schemas.campaigns import Kind
from schemas.versions import NewVersion

MOST_FAULT_CHARACTERS = 2000
# Who registers versions, in the record of actions.
TRAINING = "training"


@dataclass(frozen=True)
class Version:
    """A registered version, and why it cannot be loaded; empty while no worker has found a fault."""

    described: NewVersion
    fault: str

    @property
    def is_fit(self) -> bool:
        """Return whether it may serve: the gate let it through, and no worker found it broken."""
        return self.described.verdict.is_passed and not self.fault


class Versions:
    """The versions of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, version: NewVersion) -> bool:
        """Keep a version whose files are stored; return False when it is known.

        Raises StateError for another one under the same id.
        """
        if len(version.model) > MOST_MODEL_CHARACTERS:
            raise StateError(f"model: {version.model!r} has more than {MOST_MODEL_CHARACTERS} characters: rename it")
        row = {
            "id": version.id,
            "kind": version.kind,
            "model": version.model,
            "record": version.model_dump_json(),
            "fault": "",
            "created_at": version.created_at,
        }
        with self._database.write() as connection:
            added = self._database.insert_new(versions).returning(versions.c.id)
            if connection.execute(added, row).first() is not None:
                record(connection, TRAINING, "register", version.id, version.model)
                return True
            if find(connection, version.id).described != version:
                raise StateError(f"version {version.id} is registered with other files or facts: give it another id")
        return False

    def get(self, version_id: str) -> Version:
        """Return a version; raises UnknownIdError for one that was never registered."""
        with self._database.read() as connection:
            return find(connection, version_id)

    def of_model(self, kind: Kind, model: str) -> list[Version]:
        """Return the versions of a model, oldest first."""
        mine = select(versions).where(versions.c.kind == kind, versions.c.model == model)
        with self._database.read() as connection:
            rows = connection.execute(mine.order_by(versions.c.created_at, versions.c.id))
            return [_version(row) for row in rows]

    def models(self) -> list[tuple[Kind, str]]:
        """Return kind and name of every model that has a version."""
        query = select(versions.c.kind, versions.c.model).distinct().order_by(versions.c.kind, versions.c.model)
        with self._database.read() as connection:
            return [(Kind(row.kind), row.model) for row in connection.execute(query)]

    def ids(self) -> set[str]:
        """Return the id of every version."""
        with self._database.read() as connection:
            return set(connection.execute(select(versions.c.id)).scalars())

    def clear_fault(self, version_id: str, actor: str) -> None:
        """Forget that a version was found broken, after its files were found whole again."""
        with self._database.write() as connection:
            if find(connection, version_id).fault:
                connection.execute(update(versions).where(versions.c.id == version_id).values(fault=""))
                record(connection, actor, "mend", version_id, "its files are whole")


def find(connection: Connection, version_id: str) -> Version:
    """Return a version within a transaction; raises UnknownIdError for one that was never registered."""
    row = connection.execute(select(versions).where(versions.c.id == version_id)).first()
    if row is None:
        raise UnknownIdError(f"there is no version '{version_id}': `factory models show MODEL` lists those of a model")
    return _version(row)


def mark_fault(connection: Connection, version_id: str, fault: str, actor: str) -> None:
    """Keep why a version cannot be loaded; the first fault that was found stays."""
    broken = update(versions).where(versions.c.id == version_id, versions.c.fault == "")
    if connection.execute(broken.values(fault=fault[:MOST_FAULT_CHARACTERS])).rowcount:
        record(connection, actor[:100], "fault", version_id, fault[:MOST_FAULT_CHARACTERS])


def _version(row: Row[Any]) -> Version:
    return Version(NewVersion.model_validate_json(row.record), row.fault)
