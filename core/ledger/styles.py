"""Which style a job is written in, where its campaign leaves that to ratings: chosen when it is claimed first.

The choice, what was known for it, and the brief that says so are one transaction, under the lease of whoever claimed
the job. So a job is never worked on before its style is recorded, and what is recorded never changes: whoever claims it
again finds it closed. Read is outside of that transaction, since a claim must hold nobody up.
"""

import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, and_, bindparam, select, update

from core.bandit import Cell, Evidence, Rules, answers, choose, place, posterior, weight
from core.database import Database
from core.estimates import Moments, ShareModel
from core.tables import campaigns, choices, jobs, posteriors, strata, tallies
from schemas.buckets import Bucket
from schemas.campaigns import Kind
from schemas.jobs import Job, JobState
from schemas.styles import Posterior, Style

# A rating counts for the jobs that are claimed this long after it, or later; where reading takes long, after so many
# times as long, so that it takes a twentieth of the time of a worker at most.
FRESH_SECONDS, FRESH_TIMES = 2.0, 20.0
# Older answers count less than a hundredth and are not read.
MOST_HALF_LIVES = 7

_CLOSE = (
    update(jobs)
    .where(
        jobs.c.id == bindparam("its_id"),
        jobs.c.lease_token == bindparam("token"),
        jobs.c.state == JobState.LEASED,
        jobs.c.open_styles != "",
    )
    .values(brief=bindparam("its_brief"), open_styles="")
)
_ABOUT = (strata.c.channel, strata.c.audience_id, strata.c.style)
# Of each measure the moments that answers have; a factory may have very many strata, and all of them are read.
_NEEDED = ("units", "sizes", "squared_sizes", "totals", "squared_totals")
_SUMS = tuple(strata.c[f"{measure}_{name}"] for measure in ("approval", "stars") for name in _NEEDED)
# By channel, audience and style, in the order of the columns.
_Sums = dict[tuple[str, str, str], list[float]]


@dataclass(frozen=True)
class Choice:
    """The style that was chosen for a job, what was known then, and when that was."""

    style: Style
    known: Posterior
    chosen_at: float


class Styles:
    """Chooses styles, and tells what is known of them. Threads may share it."""

    def __init__(self, database: Database, rules: Rules) -> None:
        self._database = database
        self.rules = rules
        self._lock = threading.Lock()
        self._read: dict[str, tuple[float, Mapping[str, Sequence[Evidence]]]] = {}

    def settle(self, token: str, claimed: Sequence[Job]) -> tuple[Job, ...]:
        """Return claimed jobs with their styles, those that this lease still holds; what was open is chosen for ever.

        Where nothing is to be chosen, jobs keep the style that they were planned with, for ever as well.
        """
        left_open = [job for job in claimed if job.open_styles]
        if not left_open:
            return tuple(claimed)
        known = self._known(left_open) if self.rules.is_on else {}
        settled = {job.id: _settled(job, known.get(job.id)) for job in left_open}
        with self._database.write() as connection:
            held = {job_id for job_id, job in settled.items() if _close(connection, token, job)}
            self._keep(connection, {job_id: settled[job_id].brief.style for job_id in known if job_id in held}, known)
        return tuple(settled.get(job.id, job) for job in claimed if job.id not in settled or job.id in held)

    def of_job(self, job_id: str) -> Choice | None:
        """Return the choice that was made for a job; nothing for one that had its style from the beginning."""
        query = (
            select(choices.c.style, choices.c.chosen_at, posteriors.c.known)
            .join(posteriors, posteriors.c.id == choices.c.posterior_id)
            .where(choices.c.job_id == job_id)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return Choice(Style(row.style), Posterior.model_validate_json(row.known), row.chosen_at) if row else None

    def evidence(self, tenant: str) -> Mapping[str, Sequence[Evidence]]:
        """Return what people said of the lines of a tenant, by the model that wrote them."""
        with self._database.read() as connection:
            return _evidence(connection, tenant, self.rules.half_life_days, time.time())

    def _known(self, left_open: Sequence[Job]) -> dict[str, Posterior]:
        """Return what is known of the styles of each of these jobs."""
        tenants = self._tenants({job.campaign_id for job in left_open})
        found: dict[tuple[str, Cell, tuple[Style, ...]], Posterior] = {}
        known: dict[str, Posterior] = {}
        for job in left_open:
            cell = Cell(Bucket.parse(job.bucket).model, job.brief.channel, job.brief.audience.id)
            tenant = tenants[job.campaign_id]
            key = tenant, cell, job.open_styles
            if key not in found:
                observed = self._remembered(tenant).get(cell.model, ())
                found[key] = posterior(cell, job.open_styles, observed, self.rules.least_share)
            known[job.id] = found[key]
        return known

    def _remembered(self, tenant: str) -> Mapping[str, Sequence[Evidence]]:
        """Return what people said, as it was read a moment ago: batches follow each other fast."""
        with self._lock:
            fresh_until, found = self._read.get(tenant, (-math.inf, {}))
            if (began_at := time.monotonic()) >= fresh_until:
                found = self.evidence(tenant)
                took = time.monotonic() - began_at
                self._read[tenant] = began_at + max(FRESH_SECONDS, FRESH_TIMES * took), found
            return found

    def _tenants(self, campaign_ids: Iterable[str]) -> dict[str, str]:
        query = select(campaigns.c.id, campaigns.c.tenant).where(campaigns.c.id.in_(list(campaign_ids)))
        with self._database.read() as connection:
            return {row.id: row.tenant for row in connection.execute(query)}

    def _keep(self, connection: Connection, chosen: Mapping[str, Style], known: Mapping[str, Posterior]) -> None:
        if not chosen:
            return
        texts = {job_id: known[job_id].model_dump_json() for job_id in chosen}
        ids = {text: sha256(text.encode()).hexdigest()[:32] for text in texts.values()}
        rows = [{"id": ids[text], "known": text} for text in sorted(ids, key=lambda text: ids[text])]
        connection.execute(self._database.insert_new(posteriors), rows)
        now = time.time()
        made = [
            {"job_id": job_id, "style": style, "posterior_id": ids[texts[job_id]], "chosen_at": now}
            for job_id, style in chosen.items()
        ]
        connection.execute(choices.insert(), made)


def _settled(job: Job, known: Posterior | None) -> Job:
    style = choose(known, place(job.id, job.seed)) if known else job.brief.style
    return job.model_copy(update={"open_styles": (), "brief": job.brief.model_copy(update={"style": style})})


def _close(connection: Connection, token: str, job: Job) -> bool:
    """Write the style of a job down, unless its lease has ended or another one has chosen."""
    values = {"its_id": job.id, "token": token, "its_brief": job.brief.model_dump_json()}
    return bool(connection.execute(_CLOSE, values).rowcount)


def _evidence(connection: Connection, tenant: str, half_life_days: float, now: float) -> dict[str, list[Evidence]]:
    """Return what people said of a tenant's lines, by model; the age of an answer is that of its campaign."""
    since = now - MOST_HALF_LIVES * half_life_days * 86_400
    mine = and_(campaigns.c.tenant == tenant, campaigns.c.created_at >= since)
    # A campaign's lines are of one model, which stands in the bucket of any that was rated.
    rated = tallies.c.campaign_id == campaigns.c.id, tallies.c.kind == Kind.COPY
    bucket = select(jobs.c.bucket).join(tallies, tallies.c.job_id == jobs.c.id).where(*rated).limit(1)
    models = {
        row.id: Bucket.parse(row.bucket).model
        for row in connection.execute(select(campaigns.c.id, bucket.scalar_subquery().label("bucket")).where(mine))
        if row.bucket
    }
    query = (
        select(strata.c.campaign_id, campaigns.c.created_at, *_ABOUT, *_SUMS)
        .join(campaigns, campaigns.c.id == strata.c.campaign_id)
        .where(mine, strata.c.kind == Kind.COPY, strata.c.assets > 0)
    )
    sums: dict[str, _Sums] = defaultdict(lambda: defaultdict(lambda: [0.0] * len(_SUMS)))
    for campaign_id, created_at, channel, audience_id, style, *found in connection.execute(query):
        # What was rated first between the two questions is seen the next time.
        if campaign_id in models:
            counts, so_far = (
                weight(now - created_at, half_life_days),
                sums[models[campaign_id]][channel, audience_id, style],
            )
            so_far[:] = [one + counts * more for one, more in zip(so_far, found, strict=True)]
    return {model: _answered(of_model) for model, of_model in sums.items()}


def _answered(sums: _Sums) -> list[Evidence]:
    """Return the answers about the lines of one model, several about one asset as few."""
    observed = {about: answers(*_moments(found)) for about, found in sorted(sums.items())}
    model = ShareModel.fit(sum(observed.values(), Moments()))
    found = []
    for (channel, audience_id, style), one in observed.items():
        yes, no = (max(0.0, part) for part in model.independent(one))
        found.append(Evidence(channel, audience_id, Style(style), yes, no))
    return found


def _moments(sums: Sequence[float]) -> Iterator[Moments]:
    """Yield the moments of each measure."""
    for first in range(0, len(sums), len(_NEEDED)):
        yield Moments(**dict(zip(_NEEDED, sums[first:], strict=False)))
