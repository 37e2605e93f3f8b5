"""Pairs of assets that a person may compare: of one product, channel and language, and not compared before."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from core.database import Database
from core.ledger.gallery import Viewer
from core.ledger.tallies import Standing
from core.tables import IS_CURRENT, assets, comparisons, jobs, tallies

# Assets whose pairs are looked at in one statement: few at first, since the next pair is near for most who compare.
FIRST_ASSETS = 20
MOST_ASSETS = 500
# Pairs that are read at once, to find one in the same language.
PAGE_ROWS = 50


@dataclass(frozen=True)
class Pair:
    """Two jobs whose assets can be compared; the smaller id first."""

    job_id: str
    other_job_id: str


_first, _second = assets.alias("first"), assets.alias("second")
_one, _other = jobs.alias("one"), jobs.alias("other")
_REJECTED = select(tallies.c.job_id).where(tallies.c.standing == Standing.REJECTED)


class Pairs:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(
        self, campaign_id: str, viewer: Viewer, after: Pair | None = None, but_not: Sequence[Pair] = ()
    ) -> Pair | None:
        """Return the next pair to be compared, from after that one on; nothing when there is none left.

        Rejected assets are not compared: nobody wants them. `but_not` was compared and is not recorded yet.
        """
        known = {(pair.job_id, pair.other_job_id) for pair in but_not}
        size, place, is_first = FIRST_ASSETS, after.job_id if after else "", True
        with self._database.read() as connection:
            while lefts := list(connection.execute(_lefts(campaign_id, place, size, with_place=is_first)).scalars()):
                for row in _pairs(connection, lefts, viewer, after):
                    if (row.job_id, row.other_job_id) not in known and _is_alike(row):
                        return Pair(row.job_id, row.other_job_id)
                place, after, size = lefts[-1], None, min(2 * size, MOST_ASSETS)
                is_first = False
        return None

    def compared(self, campaign_id: str, viewer: Viewer) -> int:
        """Return how many pairs of a campaign a person has compared."""
        mine = and_(comparisons.c.tenant == viewer.tenant, comparisons.c.rater == viewer.rater, IS_CURRENT)
        query = (
            select(func.count())
            .select_from(comparisons)
            .join(assets, assets.c.job_id == comparisons.c.job_id)
            .where(mine, assets.c.campaign_id == campaign_id)
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())


def _lefts(campaign_id: str, place: str, limit: int, *, with_place: bool) -> Select[Any]:
    """Return the statement for the assets from that job on, in the order of the plan."""
    later = assets.c.job_id >= place if with_place else assets.c.job_id > place
    query = select(assets.c.job_id).where(assets.c.campaign_id == campaign_id, later)
    return query.order_by(assets.c.job_id).limit(limit)


def _pairs(connection: Connection, lefts: Sequence[str], viewer: Viewer, after: Pair | None) -> Iterator[Row[Any]]:
    """Yield the pairs of these assets with later ones that are not compared yet, from after that pair on."""
    while True:
        rows = connection.execute(_query(lefts, viewer, after).limit(PAGE_ROWS)).all()
        yield from rows
        if len(rows) < PAGE_ROWS:
            return
        after = Pair(rows[-1].job_id, rows[-1].other_job_id)


def _query(lefts: Sequence[str], viewer: Viewer, after: Pair | None) -> Select[Any]:
    left, right = _first.c.job_id, _second.c.job_id
    compared = select(comparisons.c.id).where(
        comparisons.c.job_id == left,
        comparisons.c.other_job_id == right,
        comparisons.c.tenant == viewer.tenant,
        comparisons.c.rater == viewer.rater,
        IS_CURRENT,
    )
    query = (
        select(left, right.label("other_job_id"), _one.c.brief, _other.c.brief.label("other_brief"))
        .select_from(_first)
        .join(_second, and_(_second.c.campaign_id == _first.c.campaign_id, _second.c.sku == _first.c.sku, right > left))
        .join(_one, _one.c.id == left)
        .join(_other, and_(_other.c.id == right, _other.c.kind == _one.c.kind, _other.c.channel == _one.c.channel))
        .where(left.in_(lefts), left.not_in(_REJECTED), right.not_in(_REJECTED))
        .where(~compared.exists())
        .order_by(left, right)
    )
    if after is not None:
        query = query.where(or_(left > after.job_id, and_(left == after.job_id, right > after.other_job_id)))
    return query


def _is_alike(row: Row[Any]) -> bool:
    """Tell whether both speak one language. A whole brief is not read for that: there are many."""
    return bool(json.loads(row.brief)["locale"] == json.loads(row.other_brief)["locale"])
