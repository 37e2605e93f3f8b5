"""What the current feedback of assets adds up to: a row an asset, and a row a stratum, a group of alike assets.

The row of an asset is read anew from its feedback and never counted up. The row of its stratum changes by what the new
row of the asset has more than the old one. Whoever calls this holds the locks of the assets.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, case, cast, func, select, union_all

from core.database import Database
from core.estimates import Moments
from core.tables import (
    IS_CURRENT,
    MOMENTS,
    SAYS_SOMETHING,
    STRATUM_SUMS,
    TALLIED,
    comparisons,
    jobs,
    ratings,
    results,
    strata,
    tallies,
)
from schemas.campaigns import Kind

# What the assets of a stratum have in common.
SLOT = ("campaign_id", "kind", "channel", "audience_id", "style")


class Standing(StrEnum):
    """Whether an asset was accepted: what the person said last who said yes or no last."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


def refresh(database: Database, connection: Connection, job_ids: Sequence[str]) -> None:
    """Write the tallies of these assets."""
    rows: dict[str, dict[str, object]] = {row.id: _begun(row) for row in connection.execute(_jobs(job_ids))}
    for query in (_rated(job_ids), _compared(job_ids), _published(job_ids)):
        for found in connection.execute(query).mappings():
            rows[found["job_id"]] |= {name: value for name, value in found.items() if name != "job_id"}
    for job_id, approves in connection.execute(_decisions(job_ids)):
        rows[job_id]["standing"] = Standing.APPROVED if approves else Standing.REJECTED
    if rows:
        former = connection.execute(select(tallies).where(tallies.c.job_id.in_(job_ids))).mappings().all()
        connection.execute(database.upsert_all(tallies, ("job_id",)), [rows[job_id] for job_id in sorted(rows)])
        _shift(database, connection, former, rows.values())


def moments_of(tally: Mapping[Any, Any]) -> dict[str, Moments]:
    """Return what is observed of an asset by each measure."""
    answers = tally["approvals"] + tally["rejections"]
    return {
        "stars": Moments.of_unit(tally["stars_count"], tally["stars_sum"], tally["stars_squares"]),
        "approval": Moments.of_unit(answers, tally["approvals"]),
        "click_rate": Moments.of_unit(tally["impressions"], tally["clicks"]),
    }


def _shift(
    database: Database, connection: Connection, former: Iterable[Mapping[Any, Any]], now: Iterable[Mapping[Any, Any]]
) -> None:
    """Take the former tallies out of their strata and put the new ones in."""
    shifts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for tally in former:
        shifts[tuple(tally[name] for name in SLOT)].subtract(_sums(tally))
    for tally in now:
        shifts[tuple(tally[name] for name in SLOT)].update(_sums(tally))
    # In one order, so that two who shift the same strata never wait for each other.
    rows = [
        dict(zip(SLOT, slot, strict=True)) | {name: shifts[slot][name] for name in STRATUM_SUMS}
        for slot in sorted(shifts)
    ]
    connection.execute(database.add_all(strata, SLOT), rows)


def _sums(tally: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what an asset adds to its stratum, without what it adds nothing to."""
    sums = {name: tally[name] for name in TALLIED if tally[name]}
    sums["assets"] = 1
    if tally["standing"] != Standing.OPEN:
        sums[str(tally["standing"])] = 1
    for measure, moments in moments_of(tally).items():
        if moments.units:
            sums |= {f"{measure}_{name}": getattr(moments, name) for name in MOMENTS}
    return sums


def _jobs(job_ids: Sequence[str]) -> Select[Any]:
    columns = (jobs.c.id, jobs.c.campaign_id, jobs.c.kind, jobs.c.channel, jobs.c.audience_id, jobs.c.brief)
    return select(*columns).where(jobs.c.id.in_(job_ids))


def _begun(row: Row[Any]) -> dict[str, object]:
    numbers: dict[str, object] = dict.fromkeys(TALLIED, 0)
    return numbers | {
        "job_id": row.id,
        "campaign_id": row.campaign_id,
        "kind": row.kind,
        "channel": row.channel,
        "audience_id": row.audience_id,
        # Reading the whole brief would take most of the time of a batch.
        "style": json.loads(row.brief)["style"] if row.kind == Kind.COPY else "",
        "standing": Standing.OPEN,
    }


def _rated(job_ids: Sequence[str]) -> Select[Any]:
    stars, approves = ratings.c.stars, ratings.c.approves
    return (
        select(
            ratings.c.job_id,
            func.sum(case((SAYS_SOMETHING, 1), else_=0)).label("ratings"),
            func.count(stars).label("stars_count"),
            func.coalesce(func.sum(stars), 0).label("stars_sum"),
            func.coalesce(func.sum(stars * stars), 0).label("stars_squares"),
            func.sum(case((approves.is_(True), 1), else_=0)).label("approvals"),
            func.sum(case((approves.is_(False), 1), else_=0)).label("rejections"),
        )
        .where(IS_CURRENT, ratings.c.job_id.in_(job_ids))
        .group_by(ratings.c.job_id)
    )


def _compared(job_ids: Sequence[str]) -> Select[Any]:
    better = comparisons.c.better_job_id
    # Each pair is seen from both sides; an asset is asked for on one side only, so that an index serves each.
    sides = union_all(
        *(
            select(mine.label("job_id"), better.label("better")).where(IS_CURRENT, mine.in_(job_ids))
            for mine in (comparisons.c.job_id, comparisons.c.other_job_id)
        )
    ).subquery()
    won = sides.c.better == sides.c.job_id
    return select(
        sides.c.job_id,
        func.sum(case((won, 1), else_=0)).label("wins"),
        func.sum(case((sides.c.better != sides.c.job_id, 1), else_=0)).label("losses"),
        func.sum(case((sides.c.better.is_(None), 1), else_=0)).label("ties"),
    ).group_by(sides.c.job_id)


def _published(job_ids: Sequence[str]) -> Select[Any]:
    counts = (results.c.impressions, results.c.clicks)
    sums = (cast(func.sum(column), BigInteger).label(column.name) for column in counts)
    return (
        select(results.c.job_id, *sums, func.sum(results.c.conversions).label("conversions"))
        .where(IS_CURRENT, results.c.job_id.in_(job_ids))
        .group_by(results.c.job_id)
    )


def _decisions(job_ids: Sequence[str]) -> Select[Any]:
    """Return the last yes or no of each asset."""
    newest = (ratings.c.rated_at.desc(), ratings.c.message_id.desc())
    ranked = (
        select(
            ratings.c.job_id,
            ratings.c.approves,
            func.row_number().over(partition_by=ratings.c.job_id, order_by=newest).label("place"),
        )
        .where(IS_CURRENT, ratings.c.job_id.in_(job_ids), ratings.c.approves.is_not(None))
        .subquery()
    )
    return select(ranked.c.job_id, ranked.c.approves).where(ranked.c.place == 1)
