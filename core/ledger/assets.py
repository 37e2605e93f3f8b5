"""Assets in the ledger: what was made, where it lies, and what a campaign holds already."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Row, and_, func, or_, select, true, tuple_

from core.database import Database
from core.errors import UnknownIdError
from core.ledger.tallies import Standing
from core.tables import assets, campaigns, jobs, tallies
from schemas.assets import Asset, Location
from schemas.campaigns import Kind
from schemas.jobs import JobState

PAGE_ROWS = 1000
# Campaign id, sku, channel and audience id: what a person who sees one asset may see the others of.
Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Delivered:
    """An asset with the words a person knows it by."""

    asset: Asset
    kind: Kind
    sku: str
    channel: str
    audience_id: str
    variant: int
    brief: str
    created_at: float


_newer = jobs.alias("newer")
_IS_UNWANTED = or_(
    select(tallies.c.job_id)
    .where(tallies.c.job_id == assets.c.job_id, tallies.c.standing == Standing.REJECTED)
    .exists(),
    select(_newer.c.id).where(_newer.c.replaces_job_id == assets.c.job_id, _newer.c.state == JobState.DONE).exists(),
)
# Only the row is left: it was kept as long as the settings say.
IS_DELETED = (
    select(campaigns.c.id)
    .where(campaigns.c.id == assets.c.campaign_id, campaigns.c.assets_deleted_at >= assets.c.created_at)
    .exists()
)


class Assets:
    """The assets of the ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_job(self, job_id: str) -> Asset:
        """Return the asset of a job; raises UnknownIdError when it has none."""
        with self._database.read() as connection:
            row = connection.execute(select(assets).where(assets.c.job_id == job_id)).first()
        if row is None:
            raise UnknownIdError(f"job {job_id} has no asset: it is not done")
        return _asset(row)

    def stored_of_job(self, job_id: str) -> Asset:
        """Return the asset of a job; raises UnknownIdError also when its bytes were deleted by their age."""
        query = select(assets.c.job_id).where(assets.c.job_id == job_id, IS_DELETED)
        with self._database.read() as connection:
            if connection.execute(query).first() is not None:
                raise UnknownIdError(f"the asset of job {job_id} was deleted: FACTORY_KEEP_ASSETS_DAYS says how long")
        return self.of_job(job_id)

    def of_campaign(
        self, campaign_id: str, *, only_wanted: bool = False, only_stored: bool = False
    ) -> Iterator[Delivered]:
        """Yield every asset of a campaign in the order of its plan, a page at a time.

        Unwanted are those that were rejected, and those that another one has replaced. Stored are those whose bytes
        were not deleted when they were old.
        """
        last = ""
        while True:
            made = self.page(campaign_id, PAGE_ROWS, last, only_wanted=only_wanted, only_stored=only_stored)
            yield from made
            if len(made) < PAGE_ROWS:
                return
            last = made[-1].asset.job_id

    def page(
        self,
        campaign_id: str,
        limit: int,
        after: str = "",
        *,
        only_wanted: bool = False,
        only_stored: bool = False,
    ) -> list[Delivered]:
        """Return assets of a campaign in the order of its plan, from after that job on."""
        condition = and_(
            ~_IS_UNWANTED if only_wanted else true(),
            ~IS_DELETED if only_stored else true(),
        )
        query = (
            select(assets, jobs.c.kind, jobs.c.channel, jobs.c.audience_id, jobs.c.variant, jobs.c.brief)
            .join(jobs, jobs.c.id == assets.c.job_id)
            .where(assets.c.campaign_id == campaign_id, assets.c.job_id > after, condition)
            .order_by(assets.c.job_id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [delivered_of(row) for row in connection.execute(query)]

    def deleted(self, campaign_id: str) -> int:
        """Return of how many assets of a campaign only the rows are left."""
        query = select(func.count()).select_from(assets).where(assets.c.campaign_id == campaign_id, IS_DELETED)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def unwanted(self, campaign_id: str) -> int:
        """Return how many assets of a campaign were rejected or replaced."""
        query = select(func.count()).select_from(assets).where(assets.c.campaign_id == campaign_id, _IS_UNWANTED)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def locations(self, job_ids: Iterable[str]) -> dict[str, Asset]:
        """Return the assets of these jobs, by job id; a job that is not done has none."""
        wanted = sorted(set(job_ids))
        found: dict[str, Asset] = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), PAGE_ROWS):
                rows = connection.execute(select(assets).where(assets.c.job_id.in_(wanted[start : start + PAGE_ROWS])))
                found |= {row.job_id: _asset(row) for row in rows}
        return found

    def texts(self, products: Iterable[tuple[str, str]]) -> dict[Place, list[str]]:
        """Return the lines of copy that exist already of these (campaign id, sku)."""
        return self._of_products(products, assets.c.preview, assets.c.likeness == "")

    def likenesses(self, products: Iterable[tuple[str, str]]) -> dict[Place, list[str]]:
        """Return the likenesses of the pictures that exist already of these (campaign id, sku)."""
        return self._of_products(products, assets.c.likeness, assets.c.likeness != "")

    def _of_products(
        self, products: Iterable[tuple[str, str]], column: Column[str], condition: ColumnElement[bool]
    ) -> dict[Place, list[str]]:
        found: dict[Place, list[str]] = defaultdict(list)
        query = (
            select(assets.c.campaign_id, assets.c.sku, jobs.c.channel, jobs.c.audience_id, column)
            .join(jobs, jobs.c.id == assets.c.job_id)
            .where(tuple_(assets.c.campaign_id, assets.c.sku).in_(sorted(set(products))), condition)
        )
        with self._database.read() as connection:
            for campaign_id, sku, channel, audience_id, value in connection.execute(query):
                found[campaign_id, sku, channel, audience_id].append(value)
        return found

    def held(self, candidates: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return which of these (campaign id, fingerprint) exist already."""
        wanted = sorted(set(candidates))
        held: set[tuple[str, str]] = set()
        with self._database.read() as connection:
            for start in range(0, len(wanted), PAGE_ROWS):
                rows = connection.execute(
                    select(assets.c.campaign_id, assets.c.fingerprint).where(
                        tuple_(assets.c.campaign_id, assets.c.fingerprint).in_(wanted[start : start + PAGE_ROWS])
                    )
                )
                held.update((row.campaign_id, row.fingerprint) for row in rows)
        return held

    def measured_rates(self) -> dict[str, float]:
        """Return the mean device seconds of one asset, by bucket, over everything made so far."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(jobs.c.bucket, func.avg(assets.c.device_seconds))
                .join(jobs, jobs.c.id == assets.c.job_id)
                .group_by(jobs.c.bucket)
            ).all()
        return {bucket: float(mean) for bucket, mean in rows}


def asset_row(asset: Asset, now: float) -> dict[str, object]:
    """Return the row of an asset."""
    plain = asset.model_dump(exclude={"location", "manifest"})
    places = {"": asset.location, "manifest_": asset.manifest}
    located = {
        f"{prefix}{name}": value for prefix, place in places.items() for name, value in place.model_dump().items()
    }
    return plain | located | {"created_at": now}


def delivered_of(row: Row[tuple[object, ...]]) -> Delivered:
    """Return the asset of a row that has the columns of its job, too."""
    return Delivered(
        asset=_asset(row),
        kind=Kind(row.kind),
        sku=row.sku,
        channel=row.channel,
        audience_id=row.audience_id,
        variant=row.variant,
        brief=row.brief,
        created_at=row.created_at,
    )


def _asset(row: Row[tuple[object, ...]]) -> Asset:
    return Asset(
        job_id=row.job_id,
        campaign_id=row.campaign_id,
        sku=row.sku,
        location=Location(key=row.key, offset_bytes=row.offset_bytes, length_bytes=row.length_bytes, sha256=row.sha256),
        manifest=Location(
            key=row.manifest_key,
            offset_bytes=row.manifest_offset_bytes,
            length_bytes=row.manifest_length_bytes,
            sha256=row.manifest_sha256,
        ),
        content_type=row.content_type,
        preview=row.preview,
        fingerprint=row.fingerprint,
        likeness=row.likeness,
        model=row.model,
        device_seconds=row.device_seconds,
    )
