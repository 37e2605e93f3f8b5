"""The assets of a campaign as people look through them: filtered, a page at a time, with what this person said of each.

In the order of the plan, so that the variants of one product stand side by side and nothing comes twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, select

from core.database import Database
from core.errors import UnknownIdError
from core.ledger.assets import Delivered, delivered_of
from core.ledger.tallies import Standing
from core.tables import IS_CURRENT, SAYS_SOMETHING, assets, jobs, ratings, tallies
from schemas.campaigns import Kind

# Of a campaign with more products, people type the number of one.
MOST_PRODUCTS = 200


@dataclass(frozen=True)
class Viewer:
    """Who looks: the ratings of this person are told apart."""

    tenant: str
    rater: str


@dataclass(frozen=True)
class Wanted:
    """Which assets of a campaign; what is empty does not matter."""

    kind: Kind | None = None
    channel: str = ""
    audience_id: str = ""
    sku: str = ""
    standing: Standing | None = None
    # Only those that the viewer has not rated.
    only_unrated: bool = False
    # Rated a moment ago, and not recorded yet.
    but_not: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mine:
    """What the viewer says of an asset."""

    message_id: str
    stars: int | None
    approves: bool | None
    reason: str | None
    comment: str


@dataclass(frozen=True)
class Shown:
    """An asset as it hangs in the gallery."""

    delivered: Delivered
    standing: Standing
    mine: Mine | None


@dataclass(frozen=True)
class Choices:
    """What a campaign has assets of: what its gallery can be filtered by."""

    kinds: tuple[Kind, ...]
    channels: tuple[str, ...]
    audiences: tuple[str, ...]
    products: tuple[str, ...]


class Gallery:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, campaign_id: str, wanted: Wanted, viewer: Viewer, limit: int, after: str = "") -> list[Shown]:
        """Return assets in the order of the plan, from after that job on."""
        query = _shown(viewer).where(*_conditions(campaign_id, wanted), assets.c.job_id > after)
        return self._read(query.order_by(assets.c.job_id).limit(limit))

    def before(self, campaign_id: str, wanted: Wanted, viewer: Viewer, job_id: str) -> Shown | None:
        """Return the last one before that job."""
        query = _shown(viewer).where(*_conditions(campaign_id, wanted), assets.c.job_id < job_id)
        return next(iter(self._read(query.order_by(assets.c.job_id.desc()).limit(1))), None)

    def one(self, job_id: str, viewer: Viewer) -> Shown:
        """Return the asset of a job; raises UnknownIdError when it has none."""
        found = self._read(_shown(viewer).where(assets.c.job_id == job_id))
        if not found:
            raise UnknownIdError(f"job {job_id} has no asset: it is not done")
        return found[0]

    def count(self, campaign_id: str, wanted: Wanted, viewer: Viewer) -> int:
        """Return how many there are."""
        query = _joined(select(func.count()), viewer).where(*_conditions(campaign_id, wanted))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def choices(self, campaign_id: str) -> Choices:
        """Return what the gallery of a campaign can be filtered by."""
        groups = (
            select(jobs.c.kind, jobs.c.channel, jobs.c.audience_id)
            .where(jobs.c.campaign_id == campaign_id, jobs.c.state == "done")
            .distinct()
        )
        products = select(assets.c.sku).where(assets.c.campaign_id == campaign_id).distinct().order_by(assets.c.sku)
        with self._database.read() as connection:
            rows = connection.execute(groups).all()
            skus = connection.execute(products.limit(MOST_PRODUCTS)).scalars().all()
        kinds = {row.kind for row in rows}
        return Choices(
            kinds=tuple(kind for kind in Kind if kind in kinds),
            channels=tuple(sorted({row.channel for row in rows})),
            audiences=tuple(sorted({row.audience_id for row in rows})),
            products=tuple(skus),
        )

    def _read(self, query: Select[Any]) -> list[Shown]:
        with self._database.read() as connection:
            return [_of(row) for row in connection.execute(query)]


_JOB = (jobs.c.kind, jobs.c.channel, jobs.c.audience_id, jobs.c.variant, jobs.c.brief)
_MINE = (ratings.c.message_id, ratings.c.stars, ratings.c.approves, ratings.c.reason, ratings.c.comment)


def _shown(viewer: Viewer) -> Select[Any]:
    return _joined(select(assets, *_JOB, tallies.c.standing, *_MINE), viewer)


def _joined(query: Select[Any], viewer: Viewer) -> Select[Any]:
    mine = and_(
        ratings.c.job_id == assets.c.job_id,
        ratings.c.tenant == viewer.tenant,
        ratings.c.rater == viewer.rater,
        IS_CURRENT,
        SAYS_SOMETHING,
    )
    return (
        query.select_from(assets)
        .join(jobs, jobs.c.id == assets.c.job_id)
        .outerjoin(tallies, tallies.c.job_id == assets.c.job_id)
        .outerjoin(ratings, mine)
    )


def _conditions(campaign_id: str, wanted: Wanted) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [assets.c.campaign_id == campaign_id]
    if wanted.kind is not None:
        found.append(jobs.c.kind == wanted.kind)
    if wanted.channel:
        found.append(jobs.c.channel == wanted.channel)
    if wanted.audience_id:
        found.append(jobs.c.audience_id == wanted.audience_id)
    if wanted.sku:
        found.append(assets.c.sku == wanted.sku)
    if wanted.standing is not None:
        found.append(func.coalesce(tallies.c.standing, Standing.OPEN) == wanted.standing)
    if wanted.only_unrated:
        found.append(ratings.c.message_id.is_(None))
    if wanted.but_not:
        found.append(assets.c.job_id.not_in(wanted.but_not))
    return found


def _of(row: Row[Any]) -> Shown:
    mine = None
    if row.message_id is not None:
        mine = Mine(row.message_id, row.stars, row.approves, row.reason, row.comment)
    return Shown(delivered_of(row), Standing(row.standing or Standing.OPEN), mine)
