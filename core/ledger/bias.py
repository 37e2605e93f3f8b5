"""Who fares better or worse: acceptance and dead letters by audience, locale, channel and product, of each kind.

Adds up tallies and jobs in SQL, a row for each group, and reads no rating.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Self

from sqlalchemy import JSON, Float, Select, case, cast, func, select, type_coerce

from core.bias import Difference, compared, product_groups
from core.database import Database
from core.estimates import Estimate, Moments, ShareModel, SharePeers
from core.tables import jobs, tallies
from schemas.campaigns import Kind
from schemas.jobs import JobState

DIMENSIONS = ("audience", "locale", "channel", "product")
# How products are called where their skus have groups.
PRODUCT_GROUP = "product group"


@dataclass(frozen=True)
class GroupReport:
    """How the jobs of one group fared; no estimate where nobody said yes or no."""

    by: str
    kind: Kind
    name: str
    # Jobs that have ended, with those that are dead letters.
    jobs: int
    dead_letters: int
    dead: Estimate
    dead_difference: Difference
    ratings: int
    # Each yes or no of a person.
    answers: int
    acceptance: Estimate | None
    acceptance_difference: Difference

    @property
    def is_marked(self) -> bool:
        """Return whether it differs from the rest beyond doubt."""
        return bool({self.acceptance_difference, self.dead_difference} & {Difference.HIGHER, Difference.LOWER})


@dataclass(frozen=True)
class _Sums:
    """What the jobs of a group add up to."""

    jobs: float = 0.0
    dead: float = 0.0
    ratings: float = 0.0
    units: float = 0.0
    sizes: float = 0.0
    squared_sizes: float = 0.0
    totals: float = 0.0
    squared_totals: float = 0.0

    def __add__(self, other: Self) -> "_Sums":
        return _Sums(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    @property
    def answered(self) -> Moments:
        return Moments(self.units, self.sizes, self.squared_sizes, self.totals, self.squared_totals)

    @property
    def ended(self) -> Moments:
        """Return the jobs as answers to whether they are dead letters, one each."""
        return Moments(self.jobs, self.jobs, self.jobs, self.dead, self.dead)


class Bias:
    """Reads the ledger and changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, campaign_ids: Sequence[str] = ()) -> list[GroupReport]:
        """Return the groups of these campaigns, of all if there are none, by kind and dimension."""
        found: dict[tuple[Kind, str], dict[str, _Sums]] = defaultdict(dict)
        with self._database.read() as connection:
            for by in DIMENSIONS:
                for kind, name, *sums in connection.execute(self._sums(by, campaign_ids)):
                    found[Kind(kind), by][name] = _Sums(*map(float, sums))
        order = sorted(found, key=lambda one: (list(Kind).index(one[0]), DIMENSIONS.index(one[1])))
        return [group for kind, by in order for group in _groups(by, kind, found[kind, by])]

    def _sums(self, by: str, campaign_ids: Sequence[str]) -> Select[Any]:
        answers = tallies.c.approvals + tallies.c.rejections
        sums = (
            func.count(),
            func.sum(case((jobs.c.state == JobState.FAILED, 1), else_=0)),
            func.coalesce(func.sum(tallies.c.ratings), 0),
            func.coalesce(func.sum(case((answers > 0, 1), else_=0)), 0),
            func.coalesce(func.sum(answers), 0),
            func.coalesce(func.sum(answers * answers), 0),
            func.coalesce(func.sum(tallies.c.approvals), 0),
            # Without an answer there is nothing to divide by, and nothing is added.
            func.coalesce(
                func.sum(cast(tallies.c.approvals * tallies.c.approvals, Float) / func.nullif(answers, 0)), 0
            ),
        )
        name = self._column(by).label("group_name")
        query = (
            select(jobs.c.kind, name, *sums)
            .outerjoin(tallies, tallies.c.job_id == jobs.c.id)
            .where(jobs.c.state.in_((JobState.DONE, JobState.FAILED)))
            .group_by(jobs.c.kind, name)
        )
        return query.where(jobs.c.campaign_id.in_(campaign_ids)) if campaign_ids else query

    def _column(self, by: str) -> Any:
        if by == "locale":
            # SQLite reads JSON out of text; PostgreSQL wants to be told that it is JSON.
            brief = type_coerce(jobs.c.brief, JSON) if self._database.is_sqlite else cast(jobs.c.brief, JSON)
            return brief["locale"].as_string()
        return {"audience": jobs.c.audience_id, "channel": jobs.c.channel, "product": jobs.c.sku}[by]


def _groups(by: str, kind: Kind, named: Mapping[str, _Sums]) -> list[GroupReport]:
    """Return the report of each group among its peers, by name."""
    if by == "product" and (groups := product_groups(named)):
        by = PRODUCT_GROUP
        grouped: dict[str, _Sums] = defaultdict(_Sums)
        for sku, sums in named.items():
            grouped[groups[sku]] += sums
        named = grouped
    whole = sum(named.values(), _Sums())
    accepting = SharePeers(ShareModel.fit(whole.answered), whole.answered)
    # A job ends once, so no two answers about it are alike.
    failing = SharePeers(ShareModel.fit(whole.ended, guessed_alike=0.0), whole.ended)
    names = sorted(named)
    accepted, dead = (
        peers.of_groups([getattr(named[name], moments) for name in names])
        for peers, moments in ((accepting, "answered"), (failing, "ended"))
    )
    return [
        GroupReport(
            by=by,
            kind=kind,
            name=name,
            jobs=int(named[name].jobs),
            dead_letters=int(named[name].dead),
            dead=share_dead,
            dead_difference=_difference(failing.model, named[name].ended, (whole - named[name]).ended, len(names)),
            ratings=int(named[name].ratings),
            answers=int(named[name].sizes),
            acceptance=share if named[name].sizes else None,
            acceptance_difference=_difference(
                accepting.model, named[name].answered, (whole - named[name]).answered, len(names)
            ),
        )
        for name, share, share_dead in zip(names, accepted, dead, strict=True)
    ]


def _difference(model: ShareModel, group: Moments, rest: Moments, groups: int) -> Difference:
    return compared(model.independent(group), model.independent(rest), groups)
