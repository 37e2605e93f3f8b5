"""What people think of the assets of one model: read whole, in one transaction, for whoever learns from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, func, or_, select, true

from core.database import Database
from core.ledger.assets import IS_DELETED
from core.tables import SAYS_SOMETHING, assets, comparisons, jobs, ratings
from schemas.campaigns import Kind
from schemas.jobs import Brief

# A person: the name, and the tenant for whom it stands.
Person = tuple[str, str]


@dataclass(frozen=True)
class RatedAsset:
    """An asset that somebody said something of."""

    job_id: str
    brief: Brief
    text: str
    fingerprint: str
    sha256: str


@dataclass(frozen=True)
class Said:
    """What one person thinks of one asset, now."""

    job_id: str
    person: Person
    stars: int | None
    approves: bool | None


@dataclass(frozen=True)
class Compared:
    """Which of two assets one person finds better, now; nothing for a tie."""

    job_id: str
    other_job_id: str
    person: Person
    better_job_id: str | None


@dataclass(frozen=True)
class Heard:
    """All that counts of the assets of one model, in an order that does not depend on its arrival."""

    assets: dict[str, RatedAsset]
    ratings: tuple[Said, ...]
    comparisons: tuple[Compared, ...]
    # The newest rating and comparison of all, so that later ones can be told.
    last_rating_id: int
    last_comparison_id: int


@dataclass(frozen=True)
class News:
    """What was said of the assets of a model after a rating: how many ratings, and the answers among them."""

    ratings: int
    answers: int
    approvals: int


class Opinions:
    """Reads feedback by the model that made the assets; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_model(self, kind: Kind, model: str) -> Heard:
        """Return all current ratings and comparisons of what a model made."""
        made = _made_by(kind, model)
        rated = (
            select(ratings).join(jobs, jobs.c.id == ratings.c.job_id).where(ratings.c.is_current, SAYS_SOMETHING, *made)
        )
        compared = (
            select(comparisons).join(jobs, jobs.c.id == comparisons.c.job_id).where(comparisons.c.is_current, *made)
        )
        with self._database.read() as connection:
            said = [_said(row) for row in connection.execute(rated)]
            pairs = [_compared(row) for row in connection.execute(compared)]
            known = _assets(connection, kind, made)
            last = [_last(connection, table) for table in (ratings, comparisons)]
        # Of a pair, one may be of another model, or deleted.
        both = [one for one in pairs if one.job_id in known and one.other_job_id in known]
        return Heard(
            assets=known,
            ratings=tuple(
                sorted((one for one in said if one.job_id in known), key=lambda one: (one.job_id, one.person))
            ),
            comparisons=tuple(sorted(both, key=lambda one: (one.job_id, one.other_job_id, one.person))),
            last_rating_id=last[0],
            last_comparison_id=last[1],
        )

    def news(self, kind: Kind, model: str, after_rating_id: int, most: int) -> News:
        """Return what was said after a rating, looking at no more than the newest `most` ratings."""
        newest = (
            select(ratings.c.approves)
            .join(jobs, jobs.c.id == ratings.c.job_id)
            .where(ratings.c.id > after_rating_id, ratings.c.is_current, SAYS_SOMETHING, *_made_by(kind, model))
            .order_by(ratings.c.id.desc())
            .limit(most)
        )
        with self._database.read() as connection:
            answers = list(connection.execute(newest).scalars())
        given = [one for one in answers if one is not None]
        return News(len(answers), len(given), sum(given))


def _made_by(kind: Kind, model: str) -> tuple[Any, Any]:
    """Return the conditions of what a model made, in any shape."""
    return jobs.c.kind == kind, jobs.c.bucket.startswith(f"{kind}/{model}/", autoescape=True)


def _assets(connection: Connection, kind: Kind, made: Sequence[Any]) -> dict[str, RatedAsset]:
    """Return the assets that somebody said something of and that can be learnt from, in the order of their ids."""
    # The row of a line holds all that is learnt from; of other kinds the bytes are needed.
    is_there = true() if kind == Kind.COPY else ~IS_DELETED
    sides = (ratings.c.job_id, comparisons.c.job_id, comparisons.c.other_job_id)
    is_judged = or_(*(assets.c.job_id.in_(select(side).where(side.table.c.is_current)) for side in sides))
    query = (
        select(assets.c.job_id, assets.c.preview, assets.c.fingerprint, assets.c.sha256, jobs.c.brief)
        .join(jobs, jobs.c.id == assets.c.job_id)
        .where(*made, is_judged, is_there)
    )
    return {row.job_id: _asset(row) for row in sorted(connection.execute(query), key=lambda row: row.job_id)}


def _last(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.max(table.c.id))).scalar() or 0)


def _asset(row: Any) -> RatedAsset:
    brief = Brief.model_validate_json(row.brief)
    return RatedAsset(row.job_id, brief, row.preview, row.fingerprint, row.sha256)


def _said(row: Row[Any]) -> Said:
    return Said(row.job_id, (row.tenant, row.rater), row.stars, row.approves)


def _compared(row: Row[Any]) -> Compared:
    return Compared(row.job_id, row.other_job_id, (row.tenant, row.rater), row.better_job_id)
