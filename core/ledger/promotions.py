"""Which version serves a model: the champion, and beside it a challenger on a share of the jobs while a canary runs.

Every change is one row that says what serves from then on, so the last row of a model is the pointer and all rows are
its history. A change is made on what its author has seen: of two at once one is told that it was too late.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from core.database import Database
from core.errors import StateError
from core.ledger.campaigns import record
from core.ledger.outbox import tell_promoted
from core.ledger.versions import Version, find, mark_fault
from core.tables import promotions, versions
from schemas.campaigns import Kind
from schemas.versions import SHIPPED

MOST_WHY_CHARACTERS = 500
# A name in the record of actions is as long as the id of a job.
MOST_TARGET_CHARACTERS = 96


class Action(StrEnum):
    """How what serves a model was changed."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    START_CANARY = "start-canary"
    STOP_CANARY = "stop-canary"


@dataclass(frozen=True)
class Serving:
    """What serves a model, since the change of this number; a model that was never changed has the number 0."""

    kind: Kind
    model: str
    number: int = 0
    champion: str = SHIPPED
    # While a canary runs: the version that is tried, on which share of the jobs, and since when.
    challenger: str = ""
    share: float = 0.0
    since: float = 0.0

    @property
    def canary(self) -> str:
        """Return what the canary is known by, the same for its whole time; empty while none runs."""
        return f"{self.challenger}/{self.number}" if self.challenger else ""


@dataclass(frozen=True)
class Change:
    """One change of what serves a model. `before` and `after` are champions, or challengers where a canary changed."""

    number: int
    at: float
    action: Action
    before: str
    after: str
    champion: str
    challenger: str
    share: float
    actor: str
    why: str


@dataclass(frozen=True)
class Order:
    """Who changes what serves, and why."""

    actor: str
    why: str


class Promotions:
    """What serves each model, and what ever did."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def serving(self, kind: Kind, model: str) -> Serving:
        """Return what serves a model now."""
        with self._database.read() as connection:
            return _serving(connection, kind, model)

    def all(self) -> list[Serving]:
        """Return what serves each model that was ever changed."""
        known = select(promotions.c.kind, promotions.c.model).distinct().order_by(promotions.c.kind, promotions.c.model)
        with self._database.read() as connection:
            return [_serving(connection, Kind(row.kind), row.model) for row in connection.execute(known).all()]

    def history(self, kind: Kind, model: str) -> list[Change]:
        """Return every change of what serves a model, oldest first."""
        with self._database.read() as connection:
            return _changes(connection, kind, model)

    def champion_at(self, kind: Kind, model: str, at: float) -> str:
        """Return the version that was champion of a model at an instant."""
        query = (
            select(promotions.c.champion)
            .where(promotions.c.kind == kind, promotions.c.model == model, promotions.c.at <= at)
            .order_by(promotions.c.number.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar() or SHIPPED

    def promote(self, version_id: str, seen: Serving, order: Order) -> Serving:
        """Make a version the champion; a canary ends with it. Twice changes nothing.

        Raises StateError for a version that is not fit, and when somebody else changed what was seen.
        """
        with self._database.write() as connection:
            now = _unchanged(connection, seen)
            if now.champion == version_id:
                return now
            _require_fit(find(connection, version_id), seen)
            return self._change(connection, now, replace(now, champion=version_id), Action.PROMOTE, order)

    def rollback(self, seen: Serving, order: Order) -> Serving:
        """Make the former champion champion again, passing over broken ones; a canary ends with it.

        Raises StateError when there is none, and when somebody else changed what was seen.
        """
        with self._database.write() as connection:
            now = _unchanged(connection, seen)
            former = replace(now, champion=_before(connection, now))
            return self._change(connection, now, former, Action.ROLLBACK, order)

    def former(self, seen: Serving) -> str:
        """Return the champion that a rollback would go back to; raises StateError when there is none."""
        with self._database.read() as connection:
            return _before(connection, seen)

    def start_canary(self, version_id: str, share: float, seen: Serving, order: Order) -> Serving:
        """Try a version on a share of the jobs.

        Raises StateError for a version that is not fit or is champion, while another canary runs, and when somebody
        else changed what was seen.
        """
        if not 0 < share < 1:
            raise StateError(f"share: must be between 0 and 1, not {share:g}; to serve all jobs promote it")
        with self._database.write() as connection:
            now = _unchanged(connection, seen)
            _require_fit(find(connection, version_id), seen)
            if now.champion == version_id:
                raise StateError(f"version {version_id} is champion of {seen.model}: there is nothing to try")
            if now.challenger:
                raise StateError(f"{now.challenger} is being tried on {seen.model}: stop its canary first")
            begun = replace(now, challenger=version_id, share=share)
            return self._change(connection, now, begun, Action.START_CANARY, order)

    def stop_canary(self, seen: Serving, order: Order) -> Serving:
        """Give all jobs to the champion again.

        Raises StateError while no canary runs, and when somebody else changed what was seen.
        """
        with self._database.write() as connection:
            now = _unchanged(connection, seen)
            if not now.challenger:
                raise StateError(f"no canary runs on {seen.model}")
            return self._change(connection, now, now, Action.STOP_CANARY, order)

    def withdraw(self, version_id: str, seen: Serving, order: Order) -> Serving:
        """Mark a version that cannot be loaded and let it serve no longer: its canary stops, a champion is rolled back.

        Never fails for what somebody else changed meanwhile: then the mark is all that is left to do.
        """
        with self._database.write() as connection:
            mark_fault(connection, version_id, order.why, order.actor)
            now = _serving(connection, seen.kind, seen.model)
            if now.challenger == version_id:
                return self._change(connection, now, now, Action.STOP_CANARY, order)
            if now.champion == version_id:
                former = replace(now, champion=_former(connection, now))
                return self._change(connection, now, former, Action.ROLLBACK, order)
            return now

    def _change(self, connection: Connection, now: Serving, wanted: Serving, action: Action, order: Order) -> Serving:
        """Add the row after the one that serves now, and tell of it."""
        if action != Action.START_CANARY:
            wanted = replace(wanted, challenger="", share=0.0)
        changed = replace(wanted, number=now.number + 1, since=time.time())
        row = {
            **{name: getattr(changed, name) for name in ("kind", "model", "number", "champion", "challenger", "share")},
            "action": action,
            "actor": order.actor[:100],
            "why": order.why[:MOST_WHY_CHARACTERS],
            "at": changed.since,
        }
        added = self._database.insert_new(promotions).returning(promotions.c.number)
        if connection.execute(added, row).first() is None:
            raise _too_late(now)
        target = f"{now.kind} {now.model}"[:MOST_TARGET_CHARACTERS]
        record(connection, order.actor[:100], action, target, f"{_shown(now)} -> {_shown(changed)}: {order.why}")
        if changed.champion != now.champion:
            subject = changed.champion or now.champion
            told = {"kind": now.kind, "model": now.model, "action": action, "number": changed.number}
            tell_promoted(connection, subject, {**told, "before": now.champion, "after": changed.champion})
        return changed


_LAST = (
    select(promotions)
    .where(promotions.c.kind == bindparam("its_kind"), promotions.c.model == bindparam("its_model"))
    .order_by(promotions.c.number.desc())
    .limit(1)
)


def _serving(connection: Connection, kind: Kind, model: str) -> Serving:
    row = connection.execute(_LAST, {"its_kind": kind, "its_model": model}).first()
    if row is None:
        return Serving(kind, model)
    return Serving(kind, model, row.number, row.champion, row.challenger, row.share, row.at)


def _unchanged(connection: Connection, seen: Serving) -> Serving:
    """Return what serves now; raises StateError unless it is what was seen."""
    now = _serving(connection, seen.kind, seen.model)
    if now.number != seen.number:
        raise _too_late(seen)
    return now


def _too_late(seen: Serving) -> StateError:
    return StateError(
        f"somebody else has just changed what serves {seen.model}: "
        f"look at `factory models history {seen.model}`, then decide again"
    )


def _require_fit(version: Version, seen: Serving) -> None:
    described = version.described
    if (described.kind, described.model) != (seen.kind, seen.model):
        raise StateError(f"version {described.id} is one of {described.model} ({described.kind}), not of {seen.model}")
    if not described.verdict.is_passed:
        raise StateError(
            f"version {described.id} did not pass the gate, so it never serves: "
            f"`factory models show {described.model}` says what was found"
        )
    if version.fault:
        raise StateError(
            f"version {described.id} is broken: {version.fault}; "
            f"restore its files below {described.prefix}, then `factory models check {described.id}`"
        )


def _before(connection: Connection, now: Serving) -> str:
    """Return the champion before the present one; raises StateError when nothing trained serves."""
    if now.champion == SHIPPED:
        raise StateError(f"{now.model} is served by the weights it ships with: there is nothing to go back to")
    return _former(connection, now)


def _former(connection: Connection, now: Serving) -> str:
    """Return the champion that the present one took the place of, or one before it where that is broken."""
    stack = [SHIPPED]
    for change in _changes(connection, now.kind, now.model):
        if change.action == Action.PROMOTE:
            stack.append(change.champion)
        while change.action == Action.ROLLBACK and stack[-1] != change.champion:
            stack.pop()
    broken = set(connection.execute(select(versions.c.id).where(versions.c.fault != "")).scalars())
    return next(one for one in reversed(stack) if one not in {now.champion, *broken})


def _changes(connection: Connection, kind: Kind, model: str) -> list[Change]:
    mine = select(promotions).where(promotions.c.kind == kind, promotions.c.model == model)
    rows: Sequence[Row[Any]] = connection.execute(mine.order_by(promotions.c.number)).all()
    changes, champion, challenger = [], SHIPPED, ""
    for row in rows:
        is_canary = row.action in {Action.START_CANARY, Action.STOP_CANARY}
        before, after = (challenger, row.challenger) if is_canary else (champion, row.champion)
        plain = (row.champion, row.challenger, row.share, row.actor, row.why)
        changes.append(Change(row.number, row.at, Action(row.action), before, after, *plain))
        champion, challenger = row.champion, row.challenger
    return changes


def _shown(serving: Serving) -> str:
    tried = f" and {serving.share:g} {serving.challenger}" if serving.challenger else ""
    return f"{serving.champion or 'shipped'}{tried}"
