"""Feedback in the ledger: every message kept once, whatever comes twice, late or in another order.

Of one person and asset the message with the latest `at` counts (of two, the greater id), so what counts does not depend
on the order of arrival. Messages about one asset are recorded one after the other: whoever records locks its row first.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from sqlalchemy import (
    Connection,
    Row,
    Select,
    String,
    Table,
    and_,
    column,
    delete,
    func,
    insert,
    select,
    union_all,
    update,
    values,
)

from core.database import Database
from core.ledger.campaigns import record
from core.ledger.tallies import refresh
from core.tables import IS_CURRENT, assets, campaigns, comparisons, forgotten, inbox, jobs, ratings, refusals, results
from schemas.campaigns import Kind
from schemas.ratings import VERSION, Comparison, Feedback, Outcome, Rating, Results
from schemas.reasons import reason_table, reasons_for

# One transaction: more is hardly faster, and the write lock is held longer.
MOST_AT_ONCE = 500
# Clocks differ; but what is dated tomorrow would beat everything that is said until then.
MOST_SECONDS_AHEAD = 300.0
MOST_REFUSED_CHARACTERS = 4000
PAGE_ROWS = 500
# What makes two messages of a table speak of the same thing: the later one counts.
KEYS = {
    ratings: ("job_id", "tenant", "rater"),
    comparisons: ("job_id", "other_job_id", "tenant", "rater"),
    results: ("job_id", "tenant", "source", "day"),
}


@dataclass(frozen=True)
class Receipt:
    """What became of one message: recorded, known already, or refused with a reason."""

    message_id: str
    is_new: bool = False
    refusal: str = ""


@dataclass(frozen=True)
class Refusal:
    """Feedback that could not be recorded: when it came, why not, and what it was."""

    at: float
    reason: str
    message: str


class Intake:
    """Takes feedback into the ledger, and out of it for whoever asks for that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def expect(self, messages: Sequence[Feedback]) -> None:
        """Keep messages that are about to be sent until they are recorded or refused."""
        now = time.time()
        rows = [
            {"message_id": one.id, "tenant": one.tenant, "rater": one.rater, "message": one.model_dump_json()}
            for one in messages
        ]
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(inbox), [row | {"sent_at": now} for row in rows])

    def leave(self, message_id: str, tenant: str, rater: str, message: Mapping[str, JsonValue]) -> None:
        """Keep a message that this version cannot read until a newer worker records it; it is sent again and again."""
        row = {"message_id": message_id, "tenant": tenant, "rater": rater, "message": json.dumps(message)}
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(inbox), row | {"sent_at": time.time()})

    def expected(self) -> int:
        """Return how many messages were sent and are not recorded yet."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(inbox)).scalar_one())

    def on_their_way(self, tenant: str, rater: str) -> list[Feedback]:
        """Return what a person has sent that is not recorded yet, oldest first; at most MOST_AT_ONCE.

        Without what a newer version has sent.
        """
        theirs = and_(inbox.c.tenant == tenant, inbox.c.rater == rater)
        query = select(inbox.c.message).where(theirs).order_by(inbox.c.sent_at, inbox.c.message_id)
        with self._database.read() as connection:
            sent = connection.execute(query.limit(MOST_AT_ONCE)).scalars().all()
        return [Feedback.model_validate_json(one) for one in sent if json.loads(one).get("version") == VERSION]

    def overdue(self, seconds: float) -> list[dict[str, JsonValue]]:
        """Return messages that were sent so long ago and are not recorded, to be sent again, as they were sent."""
        now = time.time()
        late = select(inbox.c.message_id, inbox.c.message).where(inbox.c.sent_at < now - seconds)
        with self._database.read() as connection:
            rows = connection.execute(late.order_by(inbox.c.sent_at).limit(MOST_AT_ONCE)).all()
        if rows:
            ids = [row.message_id for row in rows]
            with self._database.write() as connection:
                connection.execute(update(inbox).where(inbox.c.message_id.in_(ids)).values(sent_at=now))
        return [json.loads(row.message) for row in rows]

    def record(self, messages: Sequence[Feedback]) -> list[Receipt]:
        """Record what is not known yet, all in one transaction; return a receipt for each message, in their order.

        What cannot be recorded is refused alone. At most MOST_AT_ONCE messages.
        """
        assert len(messages) <= MOST_AT_ONCE, "the caller divides"
        now = time.time()
        with self._database.write() as connection:
            job_ids = sorted({job_id for one in messages for job_id in _job_ids(one)})
            _lock(connection, job_ids)
            rated = _rated(connection, job_ids)
            refused = {one.id: why for one in messages if (why := _why_not(one, rated, now))}
            known = _known(connection, [one.id for one in messages])
            fresh: dict[str, Feedback] = {}
            for one in messages:
                if one.id not in known and one.id not in refused:
                    fresh.setdefault(one.id, one)
            self._keep(connection, list(fresh.values()), rated, now)
            settled = [one.id for one in messages if one.id in known or one.id in fresh]
            connection.execute(delete(inbox).where(inbox.c.message_id.in_(settled)))
        return [_receipt(one, fresh, refused, known) for one in messages]

    def _keep(
        self, connection: Connection, fresh: Sequence[Feedback], rated: dict[str, Row[Any, Any, Any, Any]], now: float
    ) -> None:
        rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in KEYS}
        for one in fresh:
            table, row = _row(one, rated)
            rows[table].append(row | {"recorded_at": now})
        for table, some in rows.items():
            if some:
                _supersede(connection, table, some)
                connection.execute(insert(table), some)
        refresh(self._database, connection, sorted({job_id for one in fresh for job_id in _job_ids(one)}))

    def why_not(self, message: Feedback) -> str:
        """Return why a message could not be recorded now, empty when it could; starts nothing."""
        return self.why_not_each([message])[0]

    def why_not_each(self, messages: Sequence[Feedback]) -> list[str]:
        """Return for each of these messages what `why_not` does; at most MOST_AT_ONCE."""
        assert len(messages) <= MOST_AT_ONCE, "the caller divides"
        now = time.time()
        with self._database.read() as connection:
            rated = _rated(connection, sorted({job_id for one in messages for job_id in _job_ids(one)}))
        return [_why_not(one, rated, now) for one in messages]

    def is_recorded(self, message_id: str) -> bool:
        """Tell whether a message arrived and counts, or counted until a later one came."""
        with self._database.read() as connection:
            return bool(_known(connection, [message_id]))

    def refuse(self, reason: str, message: str, tenant: str = "", rater: str = "", message_id: str = "") -> None:
        """Keep a message that cannot be recorded, with the reason; the same message twice is one refusal."""
        row = {
            "sha256": hashlib.sha256(message.encode("utf-8", "backslashreplace")).hexdigest(),
            "tenant": _storable(tenant)[:63],
            "rater": _storable(rater)[:100],
            "reason": _storable(reason),
            "message": _storable(message)[:MOST_REFUSED_CHARACTERS],
            "at": time.time(),
        }
        with self._database.write() as connection:
            connection.execute(self._database.insert_new(refusals), row)
            connection.execute(delete(inbox).where(inbox.c.message_id == _storable(message_id)))

    def refusals(self, limit: int) -> list[Refusal]:
        """Return what was refused, newest first."""
        query = select(refusals).order_by(refusals.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [Refusal(row.at, row.reason, row.message) for row in connection.execute(query)]

    def forget(self, tenant: str, rater: str, actor: str) -> int:
        """Delete every rating and comparison of a person, and the name from results; return how many were deleted.

        A message that was deleted and comes once more changes nothing. Ratings that are given from now on count again.
        """
        deleted = sum(self._forget(table, tenant, rater) for table in (ratings, comparisons))
        with self._database.write() as connection:
            connection.execute(
                update(results).where(results.c.tenant == tenant, results.c.rater == rater).values(rater="")
            )
            theirs = and_(inbox.c.tenant == tenant, inbox.c.rater == rater)
            on_their_way = connection.execute(delete(inbox).where(theirs).returning(inbox.c.message_id)).scalars().all()
            if on_their_way:
                ids = [{"message_id": one} for one in on_their_way]
                connection.execute(self._database.insert_new(forgotten), ids)
            connection.execute(delete(refusals).where(refusals.c.tenant == tenant, refusals.c.rater == rater))
            # The name must not stay in the record of the deletion.
            record(connection, actor, "forget", "ratings", f"{deleted} ratings of a person")
        return deleted

    def _forget(self, table: Table, tenant: str, rater: str) -> int:
        return sum(self._forgotten_pages(table, tenant, rater))

    def _forgotten_pages(self, table: Table, tenant: str, rater: str) -> Iterator[int]:
        """Delete a page after the other; yield how many rows each had."""
        query = select(table).where(table.c.tenant == tenant, table.c.rater == rater).limit(PAGE_ROWS)
        while True:
            with self._database.write() as connection:
                touched = sorted({job_id for row in connection.execute(query) for job_id in _job_ids_of(row)})
                _lock(connection, touched)
                rows = [row for row in connection.execute(query) if set(_job_ids_of(row)) <= set(touched)]
                ids = [{"message_id": row.message_id} for row in rows]
                if ids:
                    connection.execute(self._database.insert_new(forgotten), ids)
                connection.execute(delete(table).where(table.c.id.in_([row.id for row in rows])))
                refresh(self._database, connection, touched)
            if not rows:
                return
            yield len(rows)


def _lock(connection: Connection, job_ids: Sequence[str]) -> None:
    """Lock the assets of these jobs until the end of the transaction."""
    query = select(assets.c.job_id).where(assets.c.job_id.in_(job_ids)).order_by(assets.c.job_id)
    connection.execute(query.with_for_update(key_share=True)).all()


def _rated(connection: Connection, job_ids: Sequence[str]) -> dict[str, Row[Any, Any, Any, Any]]:
    """Return campaign, kind and tenant of the assets that there are."""
    columns = (assets.c.job_id, assets.c.campaign_id, jobs.c.kind, campaigns.c.tenant)
    query = (
        select(*columns)
        .join(jobs, jobs.c.id == assets.c.job_id)
        .join(campaigns, campaigns.c.id == assets.c.campaign_id)
        .where(assets.c.job_id.in_(job_ids))
    )
    return {row.job_id: row for row in connection.execute(query)}


def _known(connection: Connection, message_ids: Sequence[str]) -> set[str]:
    parts = (
        select(table.c.message_id).where(table.c.message_id.in_(message_ids))
        for table in (ratings, comparisons, results, forgotten)
    )
    return set(connection.execute(union_all(*parts)).scalars())


def _receipt(one: Feedback, fresh: dict[str, Feedback], refused: dict[str, str], known: set[str]) -> Receipt:
    is_new = fresh.get(one.id) is one
    return Receipt(one.id, is_new, "" if is_new or one.id in known else refused.get(one.id, ""))


def _supersede(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Mark which of the new rows count, and end those in the table that count no longer."""
    keys = KEYS[table]
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["rated_at"], row["message_id"])):
        row["is_current"] = False
        latest[tuple(row[key] for key in keys)] = row
    ended = []
    for old in connection.execute(_held(table, sorted(latest))):
        key = tuple(getattr(old, name) for name in keys)
        if (old.rated_at, old.message_id) < (latest[key]["rated_at"], latest[key]["message_id"]):
            ended.append(old.id)
        else:
            del latest[key]
    for row in latest.values():
        row["is_current"] = True
    if ended:
        connection.execute(update(table).where(table.c.id.in_(ended)).values(is_current=False))


def _held(table: Table, wanted: Sequence[tuple[Any, ...]]) -> Select[Any]:
    """Return the statement for the rows with these keys that count at present."""
    keys = KEYS[table]
    # Joined and not compared with a list of rows, for which SQLite uses no index.
    given = values(*(column(key, String) for key in keys), name="wanted").data(list(wanted)).cte("wanted")
    joined = given.join(table, and_(*(table.c[key] == given.c[key] for key in keys)))
    columns = (table.c[name] for name in ("id", *keys, "rated_at", "message_id"))
    return select(*columns).select_from(joined).where(IS_CURRENT)


def _why_not(one: Feedback, rated: dict[str, Row[Any, Any, Any, Any]], now: float) -> str:
    """Return why a message cannot be recorded, empty when it can."""
    # What belongs to another tenant is as good as not there.
    theirs = {job_id for job_id, row in rated.items() if row.tenant == one.tenant}
    if missing := [job_id for job_id in _job_ids(one) if job_id not in theirs]:
        return f"job_id: there is no asset of a job '{missing[0]}': `factory jobs CAMPAIGN --state done` lists them"
    if one.at > now + MOST_SECONDS_AHEAD:
        return f"at: is {one.at - now:.0f} s in the future: set the clock of the sender"
    kinds = {Kind(rated[job_id].kind) for job_id in _job_ids(one)}
    if len(kinds) > 1:
        return f"other_job_id: is of another kind: {' and '.join(sorted(kinds))} cannot be compared"
    if isinstance(one.content, Rating) and one.content.reason is not None:
        known = reasons_for(*kinds)
        if one.content.reason not in known:
            return f"reason: there is no reason '{one.content.reason}' for {kinds.pop()}: one of {', '.join(known)}"
    return ""


def _job_ids(one: Feedback) -> tuple[str, ...]:
    if isinstance(one.content, Comparison):
        return one.content.job_id, one.content.other_job_id
    return (one.content.job_id,)


def _job_ids_of(row: Row[Any]) -> tuple[str, ...]:
    fields = row._mapping  # noqa: SLF001 - its public name for a row as a mapping
    return tuple(fields[name] for name in ("job_id", "other_job_id") if name in fields)


def _row(one: Feedback, rated: dict[str, Row[Any, Any, Any, Any]]) -> tuple[Table, dict[str, Any]]:
    """Return the row of a message, and the table that it belongs into."""
    content = one.content
    row: dict[str, Any] = {"message_id": one.id, "tenant": one.tenant, "rater": one.rater, "rated_at": one.at}
    if isinstance(content, Results):
        return results, row | content.model_dump(exclude={"type"}) | {"day": content.day or ""}
    if isinstance(content, Comparison):
        first, second = sorted((content.job_id, content.other_job_id))
        winner = {Outcome.BETTER: content.job_id, Outcome.WORSE: content.other_job_id, Outcome.TIE: None}
        sides = {"job_id": first, "other_job_id": second, "better_job_id": winner[content.outcome]}
        return comparisons, row | sides | {"comment": content.comment}
    version = reason_table().version if content.reason is not None else None
    place = {"campaign_id": rated[content.job_id].campaign_id, "reasons_version": version}
    return ratings, row | content.model_dump(exclude={"type", "is_withdrawn"}) | place


def _storable(text: str) -> str:
    """Return a text that every database takes: without NUL, and without halves of characters."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
