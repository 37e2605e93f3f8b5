"""What ratings add up to, by asset, campaign, channel, audience and style, each with how sure that is.

Reads strata, of which a campaign has a few, however many assets were rated. Kinds are never mixed: what people think of
pictures says nothing about lines.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from core.database import Database
from core.estimates import ALIKE_CLICKS, Estimate, Moments, ShareModel, SharePeers, StarModel, StarPeers
from core.ledger.tallies import Standing
from core.tables import IS_CURRENT_REASON, MEASURES, MOMENTS, TALLIED, assets, ratings, strata, tallies
from schemas.campaigns import Kind

# What strata are grouped by, and how that is called.
DIMENSIONS = {"channel": "channel", "audience": "audience_id", "style": "style"}
# Counts that a score tells.
COUNTED = ("assets", "approved", "rejected", *TALLIED)
_ANSWERS = tallies.c.approvals + tallies.c.rejections


@dataclass(frozen=True)
class Score:
    """How one asset or a set of them was received; no estimate where nothing was observed."""

    counts: Mapping[str, float]
    stars: Estimate | None
    approval: Estimate | None
    click_rate: Estimate | None


@dataclass(frozen=True)
class GroupScore:
    """The score of the assets of one kind that have something in common: a channel, an audience, a style."""

    by: str
    kind: Kind
    name: str
    score: Score


@dataclass(frozen=True)
class AssetScore:
    """The score of one asset, with what a person knows it by."""

    job_id: str
    kind: Kind
    channel: str
    standing: Standing
    preview: str
    score: Score


class _Stratum:
    """Sums of some assets: counts, and moments by measure."""

    def __init__(self, rows: Sequence[Mapping[Any, Any]]) -> None:
        self.counts: Counter[str] = Counter()
        self.moments = dict.fromkeys(MEASURES, Moments())
        for row in rows:
            self.counts.update({name: row[name] for name in COUNTED})
            for measure in MEASURES:
                found = Moments(**{name: float(row[f"{measure}_{name}"]) for name in MOMENTS})
                self.moments[measure] += found


class _Peers:
    """All rated assets of one kind, and what single ones and groups of them are by that."""

    def __init__(self, whole: _Stratum) -> None:
        self.whole = whole
        stars, approval, clicks = (whole.moments[measure] for measure in MEASURES)
        self.stars = StarPeers(StarModel.fit(stars), stars)
        self.approval = SharePeers(ShareModel.fit(approval), approval)
        self.click_rate = SharePeers(ShareModel.fit(clicks, ALIKE_CLICKS), clicks)

    def overall(self) -> Score:
        """Return the score of all."""
        return _score(self.whole.counts, self.stars.overall(), self.approval.overall(), self.click_rate.overall())

    def of_groups(self, groups: Sequence[_Stratum]) -> list[Score]:
        """Return the score of each group."""
        stars, approval, clicks = ([one.moments[measure] for one in groups] for measure in MEASURES)
        estimates = zip(
            self.stars.of_groups(stars),
            self.approval.of_groups(approval),
            self.click_rate.of_groups(clicks),
            strict=True,
        )
        return [_score(one.counts, *three) for one, three in zip(groups, estimates, strict=True)]

    def of_asset(self, row: Row[Any]) -> AssetScore:
        """Return the score of one asset."""
        counts = {name: getattr(row, name) for name in TALLIED}
        score = _score(
            counts,
            self.stars.of_unit(row.stars_count, row.stars_sum),
            self.approval.of_unit(row.approvals + row.rejections, row.approvals),
            self.click_rate.of_unit(row.impressions, row.clicks),
        )
        return AssetScore(row.job_id, Kind(row.kind), row.channel, Standing(row.standing), row.preview, score)


class Scores:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def groups(self, campaign_id: str | None = None) -> list[GroupScore]:
        """Return the scores of each kind as a whole, then by channel, audience and style; of all campaigns if none."""
        with self._database.read() as connection:
            by_kind = _strata(connection, campaign_id)
        scores = []
        for kind, rows in by_kind.items():
            peers = _Peers(_Stratum(rows))
            scores.append(GroupScore("kind", kind, kind, peers.overall()))
            for by, column in DIMENSIONS.items():
                named: dict[str, list[Mapping[Any, Any]]] = defaultdict(list)
                for row in rows:
                    named[row[column]].append(row)
                # What is no line has no style.
                named.pop("", None)
                of_groups = peers.of_groups([_Stratum(named[name]) for name in sorted(named)])
                scores += [GroupScore(by, kind, name, one) for name, one in zip(sorted(named), of_groups, strict=True)]
        return scores

    def reasons(self, campaign_id: str) -> dict[str, int]:
        """Return how often each reason is given for a rejection that counts, the most frequent first."""
        query = (
            select(ratings.c.reason, func.count())
            .where(IS_CURRENT_REASON, ratings.c.campaign_id == campaign_id)
            .group_by(ratings.c.reason)
            .order_by(func.count().desc(), ratings.c.reason)
        )
        with self._database.read() as connection:
            return {row.reason: row[1] for row in connection.execute(query)}

    def of_asset(self, job_id: str) -> AssetScore | None:
        """Return the score of one asset among its peers; nothing for an asset without feedback."""
        with self._database.read() as connection:
            row = connection.execute(_ASSETS.where(tallies.c.job_id == job_id)).first()
            if row is None:
                return None
            peers = _Peers(_Stratum(_strata(connection, row.campaign_id)[Kind(row.kind)]))
        return peers.of_asset(row)

    def of_assets(self, campaign_id: str, limit: int, *, worst: bool = False) -> list[AssetScore]:
        """Return the best rated assets of a campaign, so many of each kind, or the worst ones."""
        scores: list[AssetScore] = []
        with self._database.read() as connection:
            for kind, rows in _strata(connection, campaign_id).items():
                peers = _Peers(_Stratum(rows))
                mean, model = peers.stars.mean[0], peers.stars.model
                # The shrunk mean, without fractions of fractions; then the share of yes, with one of each added.
                stars = (model.spread * tallies.c.stars_sum + model.noise * mean) / (
                    model.spread * tallies.c.stars_count + model.noise
                )
                liked = (tallies.c.approvals + 1.0) / (_ANSWERS + 2.0)
                order = (stars.asc(), liked.asc()) if worst else (stars.desc(), liked.desc())
                query = _ASSETS.where(tallies.c.campaign_id == campaign_id, tallies.c.kind == kind, _HAS_OPINION)
                found = connection.execute(query.order_by(*order, tallies.c.job_id).limit(limit))
                scores += [peers.of_asset(row) for row in found]
        return scores


_ASSETS = select(tallies, assets.c.preview).join(assets, assets.c.job_id == tallies.c.job_id)
_HAS_OPINION = or_(tallies.c.ratings > 0, tallies.c.wins + tallies.c.losses + tallies.c.ties > 0)


def _strata(connection: Connection, campaign_id: str | None) -> dict[Kind, list[Mapping[Any, Any]]]:
    """Return the strata with feedback by kind."""
    query = select(strata).where(strata.c.assets > 0)
    if campaign_id is not None:
        query = query.where(strata.c.campaign_id == campaign_id)
    by_kind: dict[Kind, list[Mapping[Any, Any]]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        by_kind[Kind(row["kind"])].append(row)
    return {kind: by_kind[kind] for kind in Kind if kind in by_kind}


def _score(counts: Mapping[str, float], stars: Estimate, approval: Estimate, click_rate: Estimate) -> Score:
    """Return the estimates that rest on something."""
    return Score(
        # Platforms share conversions out; everything else is whole.
        counts={name: round(value, 3 if name == "conversions" else None) for name, value in counts.items()},
        stars=stars if counts["stars_count"] > 0 else None,
        approval=approval if counts["approvals"] + counts["rejections"] > 0 else None,
        click_rate=click_rate if counts["impressions"] > 0 else None,
    )
