"""Trainings in the ledger: one at a time for each model, under a lease, so that a killed one is taken up again."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select, update

from core.database import Database
from core.errors import UnknownIdError
from core.tables import trainings
from schemas.campaigns import Kind
from schemas.learning import TrainingState
from schemas.versions import SHIPPED, NewVersion

# What a page can draw: of more points every second one is left out.
MOST_POINTS = 200
# One that killed its workers so often is given up.
MOST_ATTEMPTS = 10


@dataclass(frozen=True)
class StoredSnapshot:
    """Where the snapshot of a training lies, and up to which feedback it goes."""

    key: str
    sha256: str
    length_bytes: int
    last_rating_id: int
    last_comparison_id: int
    # The share of approval among the answers in it; nothing where nobody said yes or no.
    approval: float | None


@dataclass(frozen=True)
class Training:
    """One training as the ledger holds it."""

    id: str
    kind: Kind
    model: str
    state: TrainingState
    cause: str
    stage: str
    message: str
    step: int
    steps: int
    losses: tuple[dict[str, float], ...]
    snapshot: StoredSnapshot | None
    parent: str
    version: NewVersion | None
    attempts: int
    worker: str | None
    created_at: float
    finished_at: float | None


@dataclass(frozen=True)
class Claim:
    """A training in hand: whoever holds the token may change it."""

    training: Training
    token: str


class Trainings:
    """Begin, claim, renew, report, finish."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self.lease_seconds = lease_seconds

    def ask(self, kind: Kind, model: str, cause: str) -> tuple[Training, bool]:
        """Return the open training of a model, begun for this cause if there was none; and whether it is new."""
        row = {"id": uuid.uuid4().hex, "kind": kind, "model": model, "cause": cause[:200], "created_at": time.time()}
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(trainings), row | _BEGUN)
            open_one = connection.execute(select(trainings).where(_IS_OPEN, _is_of(kind, model))).one()
        return _training(open_one), open_one.id == row["id"]

    def claim(self, kind: Kind, model: str, worker: str) -> Claim | None:
        """Take up the open training of a model under a lease; nothing when there is none, or somebody is at it."""
        now, token = time.time(), uuid.uuid4().hex
        with self._database.write() as connection:
            row = connection.execute(
                update(trainings)
                .where(_IS_OPEN, _is_of(kind, model), trainings.c.lease_until <= now)
                .values(
                    lease_token=token,
                    lease_until=now + self.lease_seconds,
                    worker=worker,
                    attempts=trainings.c.attempts + 1,
                )
                .returning(trainings)
            ).first()
        return Claim(_training(row), token) if row else None

    def waiting(self) -> list[tuple[Kind, str]]:
        """Return the models with an open training that nobody is at."""
        query = select(trainings.c.kind, trainings.c.model).where(_IS_OPEN, trainings.c.lease_until <= time.time())
        with self._database.read() as connection:
            return [(Kind(kind), model) for kind, model in connection.execute(query.order_by(trainings.c.created_at))]

    def report(self, claim: Claim, stage: str, step: int, steps: int, losses: Sequence[Mapping[str, float]]) -> bool:
        """Renew the lease and say how far it is; return False when the training is somebody else's by now."""
        values = {"stage": stage, "step": step, "steps": steps, "losses": json.dumps(thinned(losses))}
        return self._change(claim, values | {"lease_until": time.time() + self.lease_seconds})

    def keep_snapshot(self, claim: Claim, snapshot: StoredSnapshot, parent: str) -> bool:
        """Say what it learns from and which version it goes on from, once and for all its attempts."""
        return self._change(
            claim,
            {
                "snapshot_key": snapshot.key,
                "snapshot_sha256": snapshot.sha256,
                "snapshot_bytes": snapshot.length_bytes,
                "last_rating_id": snapshot.last_rating_id,
                "last_comparison_id": snapshot.last_comparison_id,
                "parent": parent,
                "approval": snapshot.approval,
            },
        )

    def keep_version(self, claim: Claim, version: NewVersion) -> bool:
        """Say what came of it before it is stored: a killed training then stores the same."""
        return self._change(claim, {"version": version.model_dump_json()})

    def finish(self, claim: Claim, state: TrainingState, message: str = "", version: NewVersion | None = None) -> bool:
        """End it; return False when it is somebody else's by now."""
        return self._change(
            claim,
            ({"version": version.model_dump_json()} if version else {})
            | {
                "state": state,
                "stage": "",
                "message": message,
                "version_id": version.id if version else None,
                "lease_token": None,
                "lease_until": 0.0,
                "finished_at": time.time(),
            },
        )

    def give_back(self, claim: Claim) -> None:
        """Let go of it: the next may take it up at once, and the attempt does not count."""
        given = {"lease_token": None, "lease_until": 0.0, "attempts": trainings.c.attempts - 1}
        self._change(claim, given)

    def of_id(self, training_id: str) -> Training:
        """Return a training; raises UnknownIdError."""
        with self._database.read() as connection:
            row = connection.execute(select(trainings).where(trainings.c.id == training_id)).first()
        if row is None:
            raise UnknownIdError(f"there is no training {training_id}: `factory models trainings` shows all")
        return _training(row)

    def newest(self, kind: Kind | None = None, model: str | None = None, limit: int = 20) -> list[Training]:
        """Return trainings, of one model or all, the newest first."""
        query = select(trainings).order_by(trainings.c.created_at.desc(), trainings.c.id).limit(limit)
        if kind is not None:
            query = query.where(trainings.c.kind == kind)
        if model is not None:
            query = query.where(trainings.c.model == model)
        with self._database.read() as connection:
            return [_training(row) for row in connection.execute(query)]

    def has_version(self, version_id: str) -> bool:
        """Tell whether a training that ended made this version."""
        with self._database.read() as connection:
            found = connection.execute(select(trainings.c.id).where(trainings.c.version_id == version_id)).first()
        return found is not None

    def _change(self, claim: Claim, values: Mapping[str, Any]) -> bool:
        mine = and_(trainings.c.id == claim.training.id, trainings.c.lease_token == claim.token)
        with self._database.write() as connection:
            changed = update(trainings).where(mine, _IS_OPEN).values(**values).returning(trainings.c.id)
            return connection.execute(changed).first() is not None


def thinned(points: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """Return at most MOST_POINTS of the points, the last one among them."""
    every = -(-len(points) // MOST_POINTS) or 1
    return [dict(point) for place, point in enumerate(points, start=1) if place % every == 0 or place == len(points)]


_IS_OPEN = trainings.c.state == TrainingState.OPEN
_BEGUN: dict[str, Any] = {
    "state": TrainingState.OPEN,
    "stage": "waits",
    "message": "",
    "step": 0,
    "steps": 0,
    "losses": "[]",
    "last_rating_id": 0,
    "last_comparison_id": 0,
    "parent": SHIPPED,
    "attempts": 0,
    "lease_until": 0.0,
}


def _is_of(kind: Kind, model: str) -> ColumnElement[bool]:
    return and_(trainings.c.kind == kind, trainings.c.model == model)


def _training(row: Row[Any]) -> Training:
    snapshot = StoredSnapshot(
        row.snapshot_key,
        row.snapshot_sha256,
        row.snapshot_bytes,
        row.last_rating_id,
        row.last_comparison_id,
        row.approval,
    )
    return Training(
        id=row.id,
        kind=Kind(row.kind),
        model=row.model,
        state=TrainingState(row.state),
        cause=row.cause,
        stage=row.stage,
        message=row.message,
        step=row.step,
        steps=row.steps,
        losses=tuple(json.loads(row.losses)),
        snapshot=snapshot if row.snapshot_key else None,
        parent=row.parent,
        version=NewVersion.model_validate_json(row.version) if row.version else None,
        attempts=row.attempts,
        worker=row.worker,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
