"""What people think of the assets that champion and challenger made since a canary began.

Each rating that counts is one answer: a yes is 1, a no is 0, stars without either lie between. A comparison of assets
of both sides is half an answer about each, since it says one thing and not two.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, case, func, select, true, tuple_

from core.database import Database
from core.estimates import Moments
from core.ledger.opinions import Person
from core.ledger.promotions import Serving
from core.tables import IS_CURRENT, SAYS_SOMETHING, assets, comparisons, jobs, ratings
from schemas.ratings import MOST_STARS
from schemas.versions import version_of


class Canaries:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def answers(self, serving: Serving, referees: frozenset[Person] = frozenset()) -> tuple[Moments, Moments]:
        """Return what is observed of the assets of the champion, and of the challenger; of referees alone, if any."""
        assert serving.challenger, "the caller asks while a canary runs"
        units: dict[str, dict[str, tuple[float, float]]] = {serving.champion: {}, serving.challenger: {}}
        with self._database.read() as connection:
            rated = connection.execute(_rated(serving, referees)).all()
            compared = connection.execute(_compared(serving, referees)).all()
        for job_id, version, size, total in (*_ratings(rated), *_halves(compared)):
            if version in units:
                sizes, totals = units[version].get(job_id, (0.0, 0.0))
                units[version][job_id] = sizes + size, totals + total
        champion, challenger = (units[version].values() for version in (serving.champion, serving.challenger))
        return _moments(champion), _moments(challenger)


def _moments(units: Iterable[tuple[float, float]]) -> Moments:
    return sum((Moments.of_unit(size, total) for size, total in units), Moments())


def _made_since(serving: Serving, made: Any, its_job: Any) -> ColumnElement[bool]:
    bucket = f"{serving.kind}/{serving.model}/"
    return and_(
        made.c.created_at >= serving.since,
        its_job.c.id == made.c.job_id,
        its_job.c.bucket.startswith(bucket, autoescape=True),
    )


def _said_by(people: frozenset[Person], feedback: Table) -> ColumnElement[bool]:
    return tuple_(feedback.c.tenant, feedback.c.rater).in_(sorted(people)) if people else true()


def _rated(serving: Serving, referees: frozenset[Person]) -> Select[Any]:
    stars = (ratings.c.stars - 1) / float(MOST_STARS - 1)
    answer = case((ratings.c.approves.is_(True), 1.0), (ratings.c.approves.is_(False), 0.0), else_=stars)
    return (
        select(assets.c.job_id, assets.c.model, func.count().label("size"), func.sum(answer).label("total"))
        .select_from(assets)
        .join(jobs, _made_since(serving, assets, jobs))
        .join(ratings, and_(ratings.c.job_id == assets.c.job_id, IS_CURRENT, SAYS_SOMETHING))
        .where(_said_by(referees, ratings))
        .group_by(assets.c.job_id, assets.c.model)
    )


def _compared(serving: Serving, referees: frozenset[Person]) -> Select[Any]:
    other, other_job = assets.alias("other"), jobs.alias("other_job")
    return (
        select(
            *(comparisons.c.job_id, comparisons.c.other_job_id, comparisons.c.better_job_id),
            *(assets.c.model, other.c.model.label("other_model")),
        )
        .select_from(assets)
        .join(jobs, _made_since(serving, assets, jobs))
        .join(comparisons, and_(comparisons.c.job_id == assets.c.job_id, IS_CURRENT))
        .join(other, other.c.job_id == comparisons.c.other_job_id)
        .join(other_job, _made_since(serving, other, other_job))
        .where(assets.c.model != other.c.model, _said_by(referees, comparisons))
    )


def _ratings(rows: Any) -> Iterator[tuple[str, str, float, float]]:
    for row in rows:
        yield row.job_id, version_of(row.model), float(row.size), float(row.total)


def _halves(rows: Any) -> Iterator[tuple[str, str, float, float]]:
    """Yield the part of each side in each comparison of two versions."""
    row: Row[Any]
    for row in rows:
        first, second = version_of(row.model), version_of(row.other_model)
        if first != second:
            won = 0.25 if row.better_job_id is None else 0.5 * (row.better_job_id == row.job_id)
            yield row.job_id, first, 0.5, won
            yield row.other_job_id, second, 0.5, 0.5 - won
