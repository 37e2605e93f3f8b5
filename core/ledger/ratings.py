"""Ratings in the ledger, read one by one: of an asset, or all of them for an export."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, tuple_

from core.database import Database
from core.ledger.tallies import Standing
from core.tables import SAYS_SOMETHING, ratings, tallies

PAGE_ROWS = 1000


@dataclass(frozen=True)
class KeptRating:
    """One rating as it was given; only the current one of its rater counts."""

    message_id: str
    job_id: str
    campaign_id: str
    tenant: str
    rater: str
    stars: int | None
    approves: bool | None
    reason: str | None
    comment: str
    rated_at: float
    is_current: bool

    @property
    def is_withdrawn(self) -> bool:
        """Tell whether it took back what its rater had said, and says nothing instead."""
        return self.stars is None and self.approves is None


class Ratings:
    """Reads the ratings of the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_job(self, job_id: str) -> list[KeptRating]:
        """Return every rating that an asset ever got, oldest first."""
        query = select(ratings).where(ratings.c.job_id == job_id).order_by(ratings.c.rated_at, ratings.c.message_id)
        with self._database.read() as connection:
            return [_kept(row) for row in connection.execute(query)]

    def page(self, job_id: str, limit: int, after: tuple[float, str] | None = None) -> list[KeptRating]:
        """Return ratings that an asset ever got, newest first, from after that time and message on."""
        query = select(ratings).where(ratings.c.job_id == job_id)
        if after is not None:
            query = query.where(tuple_(ratings.c.rated_at, ratings.c.message_id) < tuple_(*after))
        query = query.order_by(ratings.c.rated_at.desc(), ratings.c.message_id.desc()).limit(limit)
        with self._database.read() as connection:
            return [_kept(row) for row in connection.execute(query)]

    def all(self, campaign_id: str | None = None, *, with_history: bool = False) -> Iterator[KeptRating]:
        """Yield the ratings that count, or with their history all there ever were, in the order of arrival.

        What was withdrawn says nothing and is left out.
        """
        query = select(ratings).where(SAYS_SOMETHING).order_by(ratings.c.id).limit(PAGE_ROWS)
        if campaign_id is not None:
            query = query.where(ratings.c.campaign_id == campaign_id)
        if not with_history:
            query = query.where(ratings.c.is_current)
        last = 0
        while True:
            with self._database.read() as connection:
                page = connection.execute(query.where(ratings.c.id > last)).all()
            yield from map(_kept, page)
            if len(page) < PAGE_ROWS:
                return
            last = page[-1].id

    def standing(self, job_id: str) -> Standing:
        """Return whether an asset was accepted."""
        with self._database.read() as connection:
            found = connection.execute(select(tallies.c.standing).where(tallies.c.job_id == job_id)).scalar()
        return Standing(found) if found else Standing.OPEN

    def last_reason(self, job_id: str) -> str | None:
        """Return what an asset was rejected for last, if anybody says so now."""
        query = (
            select(ratings.c.reason)
            .where(ratings.c.job_id == job_id, ratings.c.is_current, ratings.c.reason.is_not(None))
            .order_by(ratings.c.rated_at.desc(), ratings.c.message_id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalar()


def _kept(row: Row[Any]) -> KeptRating:
    return KeptRating(
        message_id=row.message_id,
        job_id=row.job_id,
        campaign_id=row.campaign_id,
        tenant=row.tenant,
        rater=row.rater,
        stars=row.stars,
        approves=row.approves,
        reason=row.reason,
        comment=row.comment,
        rated_at=row.rated_at,
        is_current=row.is_current,
    )
