"""Leases: who works on which jobs until when. A claim takes a full batch; a result counts only under its own lease."""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Row, and_, insert, select, update

from core.database import Database
from core.errors import OutdatedError
from core.ledger import statements
from core.ledger.assets import asset_row
from core.ledger.campaigns import CampaignState, close_settled
from core.ledger.inputs import follow, inputs_of, settle_next
from core.ledger.outbox import tell_failed
from core.ledger.styles import Styles
from core.ledger.turns import class_of, in_order_of_service, move_windows
from core.tables import assets, batch_limits, campaigns, failures, jobs
from schemas.assets import Asset
from schemas.campaigns import Kind
from schemas.jobs import Brief, Input, Job, JobState
from schemas.styles import Style

# Buckets that end in this are claimed one job at a time: their jobs were lost with a worker twice.
ALONE = "!alone"
# A job in quarantine stands behind all others of its campaign.
BEHIND = 1_000_000_000
LOSSES_UNTIL_ALONE = 2
LOSSES_ALONE_UNTIL_DEAD = 3
BACKOFF_SECONDS = 0.5
BACKOFF_LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class Pick:
    """The bucket to serve next, and its class: 0 is the most urgent."""

    bucket: str
    urgency: int


@dataclass(frozen=True)
class Lease:
    """Jobs of one bucket, held by one worker until the lease ends. `attempts` counts the claims of each job."""

    token: str
    bucket: str
    jobs: tuple[Job, ...]
    attempts: dict[str, int]


@dataclass(frozen=True)
class Failure:
    """How a job failed. A transient failure is tried again with backoff, a permanent one is a dead letter at once."""

    job_id: str
    code: str
    message: str
    is_permanent: bool
    device_seconds: float = 0.0


@dataclass(frozen=True)
class Settled:
    """What a finish changed. A lost lease settles nothing: those jobs belong to somebody else by now.

    `released_kinds` have work by that: jobs whose inputs are now all done. `finished_campaigns` have no open
    job any more.
    """

    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    retried: tuple[str, ...] = ()
    released_kinds: tuple[Kind, ...] = ()
    finished_campaigns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Swept:
    """What a sweep found: jobs taken back, jobs that killed their workers too often, kinds that have work waiting.

    `finished_campaigns` have no open job any more.
    """

    returned: int = 0
    dead: int = 0
    waiting_kinds: tuple[Kind, ...] = ()
    finished_campaigns: tuple[str, ...] = ()


class Leases:
    """Claim, renew, finish, give back."""

    def __init__(self, database: Database, lease_seconds: float, max_attempts: int, styles: Styles) -> None:
        self._database = database
        self._styles = styles
        self.lease_seconds = lease_seconds
        self._max_attempts = max_attempts
        # How far the sweeps have looked through the jobs that wait for inputs.
        self._settled_up_to = ""
        self._insert_assets = database.insert_new(assets).returning(assets.c.job_id)

    def pick(self, kinds: Sequence[Kind]) -> Pick | None:
        """Return the bucket to serve next: best class, then the campaign served longest ago, then its oldest job."""
        now = time.time()
        with self._database.read() as connection:
            for campaign in in_order_of_service(connection, now):
                values = {"campaign": campaign.id, "kinds": list(kinds), "now": now}
                bucket = connection.execute(statements.FIRST_BUCKET, values).scalar()
                if bucket is not None:
                    return Pick(bucket, class_of(campaign, now))
        return None

    def claim(self, bucket: str, limit: int, worker: str) -> Lease | None:
        """Take up to `limit` waiting jobs of the bucket; equal campaigns get equal parts of the batch.

        Jobs that are claimed first get their style here, where their campaign leaves it open.
        """
        now, token = time.time(), uuid.uuid4().hex
        limit = 1 if bucket.endswith(ALONE) else limit
        with self._database.write() as connection:
            ids = self._choose(connection, bucket, limit, now)
            lease = {"ids": ids, "token": token, "until": now + self.lease_seconds, "holder": worker, "now": now}
            rows = connection.execute(statements.LEASE, lease).all()
            served = sorted({row.campaign_id for row in rows})
            connection.execute(statements.MARK_SERVED, {"ids": served, "now": now})
            made_of = inputs_of(connection, rows)
            ordered = sorted(rows, key=lambda row: (row.campaign_id, row.position))
            # Within the transaction: a job that this version cannot read must not be lost with it, again and again.
            read = [job_of(row, made_of[row.id]) for row in ordered]
        if not rows:
            return None
        return self._settled(Lease(token, bucket, tuple(read), {row.id: row.attempts for row in rows}))

    def _settled(self, lease: Lease) -> Lease | None:
        """Return a new lease with the styles of its jobs; None when it holds none of them any more."""
        try:
            claimed = self._styles.settle(lease.token, lease.jobs)
        except OutdatedError:
            # This version shall write nothing more.
            raise
        except Exception:
            # Nobody would hold it, and its end would count against the jobs as the loss of a worker.
            self.give_back(lease)
            raise
        return replace(lease, jobs=claimed) if claimed else None

    def _choose(self, connection: Connection, bucket: str, limit: int, now: float) -> list[str]:
        queues: dict[int, list[list[str]]] = {}
        for number, campaign in enumerate(in_order_of_service(connection, now)):
            # More than `limit` cannot share the batch; but those whose turn it is may have nothing that can be claimed.
            if number >= limit and queues:
                break
            values = {"campaign": campaign.id, "its_bucket": bucket, "now": now, "most": limit}
            found = list(connection.execute(statements.WAITING_JOBS, values).scalars())
            if found:
                queues.setdefault(class_of(campaign, now), []).append(found)
        chosen: list[str] = []
        for _, equals in sorted(queues.items()):
            in_turn = chain.from_iterable(zip_longest(*equals))
            chosen += [job_id for job_id in in_turn if job_id is not None]
        return chosen[:limit]

    def renew(self, tokens: Iterable[str]) -> None:
        """Hold the jobs of these leases for another lease."""
        until = time.time() + self.lease_seconds
        with self._database.write() as connection:
            connection.execute(
                update(jobs)
                .where(jobs.c.lease_token.in_(list(tokens)), jobs.c.state == JobState.LEASED)
                .values(lease_until=until)
            )

    def finish(self, lease: Lease, done: Sequence[Asset] = (), failed: Sequence[Failure] = ()) -> Settled:
        """Record what became of the jobs. Only jobs still under this lease count, so a late worker changes nothing.

        An asset that reads like another one of its campaign is not taken; its job waits again. Jobs made of these
        follow: released when all their inputs are done, failed when one is lost.
        """
        now = time.time()
        with self._database.write() as connection:
            accepted, repeated = self._accept(connection, lease, done, now)
            dead, retried = self._fail(connection, lease, failed, now)
            tell_failed(connection, dead)
            released = follow(connection, [*accepted, *dead])
            touched = {job.campaign_id for job in lease.jobs}
            spent = [(asset.job_id, asset.device_seconds) for asset in done]
            spent += [(failure.job_id, failure.device_seconds) for failure in failed]
            self._charge(connection, lease, spent)
            closed = close_settled(connection, touched)
        again = (*repeated, *retried)
        return Settled(tuple(accepted), tuple(dead), again, tuple(sorted(released)), tuple(closed))

    def _accept(
        self, connection: Connection, lease: Lease, done: Sequence[Asset], now: float
    ) -> tuple[list[str], list[str]]:
        if not done:
            return [], []
        values = {"ids": [asset.job_id for asset in done], "token": lease.token, "now": now}
        owned = set(connection.execute(statements.ACCEPT, values).scalars())
        mine = [asset for asset in done if asset.job_id in owned]
        if not mine:
            return [], []
        rows = [asset_row(asset, now) for asset in mine]
        accepted = set(connection.execute(self._insert_assets, rows).scalars())
        repeated = [asset.job_id for asset in mine if asset.job_id not in accepted]
        if repeated:
            waiting = update(jobs).where(jobs.c.id.in_(repeated)).values(state=JobState.WAITING, finished_at=None)
            connection.execute(waiting)
        return [asset.job_id for asset in mine if asset.job_id in accepted], repeated

    def _fail(
        self, connection: Connection, lease: Lease, failed: Sequence[Failure], now: float
    ) -> tuple[list[str], list[str]]:
        dead: list[str] = []
        retried: list[str] = []
        for failure in failed:
            row = connection.execute(
                select(jobs.c.errors, jobs.c.attempts, jobs.c.worker).where(
                    jobs.c.id == failure.job_id, _is_under(lease)
                )
            ).first()
            if row is None:
                continue
            is_dead = failure.is_permanent or row.errors + 1 >= self._max_attempts
            pause = min(BACKOFF_LIMIT_SECONDS, BACKOFF_SECONDS * 2 ** (row.errors + 1))
            changed = connection.execute(
                update(jobs)
                .where(jobs.c.id == failure.job_id, _is_under(lease))
                .values(
                    state=JobState.FAILED if is_dead else JobState.WAITING,
                    errors=row.errors + 1,
                    error_code=failure.code,
                    error=failure.message,
                    not_before=now + pause,
                    lease_token=None,
                    lease_until=None,
                    finished_at=now if is_dead else None,
                )
            )
            if not changed.rowcount:
                continue
            connection.execute(
                insert(failures).values(
                    job_id=failure.job_id,
                    attempt=row.attempts,
                    worker=row.worker or "",
                    code=failure.code,
                    message=failure.message,
                    at=now,
                )
            )
            (dead if is_dead else retried).append(failure.job_id)
        return dead, retried

    def _charge(self, connection: Connection, lease: Lease, spent: Sequence[tuple[str, float]]) -> None:
        """Book device seconds on jobs and campaigns, also those of a lost lease: they were spent all the same."""
        campaign_of = {job.id: job.campaign_id for job in lease.jobs}
        seconds: dict[str, float] = {}
        for job_id, value in spent:
            seconds[campaign_of[job_id]] = seconds.get(campaign_of[job_id], 0.0) + value
        if spent:
            charged = [{"spender": job_id, "seconds": value} for job_id, value in spent]
            connection.execute(statements.CHARGE_JOBS, charged)
            totals = [{"spender": campaign_id, "seconds": seconds[campaign_id]} for campaign_id in sorted(seconds)]
            connection.execute(statements.CHARGE_CAMPAIGNS, totals)

    def give_back(self, lease: Lease) -> None:
        """Return the jobs of a lease that was not worked on, as if it had never been claimed."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs)
                .where(_is_under(lease))
                .values(state=JobState.WAITING, attempts=jobs.c.attempts - 1, lease_token=None, lease_until=None)
            )

    def release(self, workers: Sequence[str]) -> tuple[int, int]:
        """Take back the jobs of workers that are known to be dead; return how many wait again and how many are dead."""
        if not workers:
            return 0, 0
        with self._database.write() as connection:
            return self._take_back(connection, jobs.c.worker.in_(workers))

    def holders(self) -> list[str]:
        """Return the workers that hold leases."""
        with self._database.read() as connection:
            return list(
                connection.execute(
                    select(jobs.c.worker).where(jobs.c.state == JobState.LEASED, jobs.c.worker.is_not(None)).distinct()
                ).scalars()
            )

    def sweep(self) -> Swept:
        """Take back expired leases and say which kinds have work. Safe to run at any time, by several at once.

        Looks through the jobs that wait for inputs as well, a part each time, and moves windows that have closed on.
        """
        now = time.time()
        with self._database.write() as connection:
            returned, dead = self._take_back(connection, jobs.c.lease_until < now)
            self._settled_up_to = settle_next(connection, self._settled_up_to)
            move_windows(connection, now)
            active = select(campaigns.c.id).where(campaigns.c.state == CampaignState.ACTIVE)
            closed = close_settled(connection, connection.execute(active).scalars())
        kinds = [kind for kind in Kind if self.pick([kind]) is not None]
        return Swept(returned, dead, tuple(kinds), tuple(closed))

    def _take_back(self, connection: Connection, condition: ColumnElement[bool]) -> tuple[int, int]:
        lost = and_(jobs.c.state == JobState.LEASED, condition)
        counted = {"losses": jobs.c.losses + 1, "lease_token": None, "lease_until": None}
        is_alone = jobs.c.bucket.endswith(ALONE)
        dead = list(
            connection.execute(
                update(jobs)
                .where(lost, is_alone, jobs.c.losses_alone + 1 >= LOSSES_ALONE_UNTIL_DEAD)
                .values(
                    **counted,
                    state=JobState.FAILED,
                    losses_alone=jobs.c.losses_alone + 1,
                    error_code="worker_lost",
                    error=f"its worker died {LOSSES_ALONE_UNTIL_DEAD} times while it ran this job alone; "
                    "look at the worker's log, mend the brief, then retry",
                    finished_at=time.time(),
                )
                .returning(jobs.c.id)
            ).scalars()
        )
        tell_failed(connection, dead)
        follow(connection, dead)
        back = connection.execute(
            update(jobs)
            .where(lost, is_alone)
            .values(**counted, state=JobState.WAITING, losses_alone=jobs.c.losses_alone + 1)
        ).rowcount
        back += connection.execute(
            update(jobs)
            .where(lost, jobs.c.losses + 1 >= LOSSES_UNTIL_ALONE)
            .values(
                **counted,
                state=JobState.WAITING,
                bucket=jobs.c.bucket + ALONE,
                position=jobs.c.position + BEHIND,
            )
        ).rowcount
        back += connection.execute(update(jobs).where(lost).values(**counted, state=JobState.WAITING)).rowcount
        return int(back), len(dead)

    def batch_limit(self, device: str, bucket: str, seconds: float) -> int | None:
        """Return how many jobs of the bucket were found to fit the device; None when its memory sufficed so long."""
        found = select(batch_limits.c.jobs).where(
            batch_limits.c.device == device, batch_limits.c.bucket == bucket, batch_limits.c.at > time.time() - seconds
        )
        with self._database.read() as connection:
            limit = connection.execute(found).scalar()
        return None if limit is None else int(limit)

    def set_batch_limit(self, device: str, bucket: str, limit: int) -> None:
        """Remember how many jobs of the bucket fit the device."""
        values: dict[str, object] = {"device": device, "bucket": bucket, "jobs": limit, "at": time.time()}
        with self._database.write() as connection:
            connection.execute(self._database.upsert(batch_limits, ("device", "bucket"), values))


def job_of(row: Row[tuple[object, ...]], made_of: tuple[Input, ...]) -> Job:
    """Return the job of a row and its inputs; raises OutdatedError for a brief or style of a newer version."""
    try:
        brief = Brief.model_validate_json(row.brief)
        open_styles = tuple(map(Style, row.open_styles.split(","))) if row.open_styles else ()
    except ValidationError as error:
        # It was validated by whoever wrote it.
        (first, *_) = error.errors(include_url=False, include_input=False, include_context=False)
        field = ".".join(map(str, first["loc"]))
        raise OutdatedError(
            f"the brief of job {row.id} is of a newer version than this process ({field}: {first['msg']}): update it"
        ) from error
    except ValueError as error:
        raise OutdatedError(
            f"job {row.id} is of a newer version than this process (open_styles: {error}): update it"
        ) from error
    return Job.model_construct(
        id=row.id,
        campaign_id=row.campaign_id,
        kind=Kind(row.kind),
        bucket=row.bucket,
        brief=brief,
        variant=row.variant,
        seed=row.seed,
        inputs=made_of,
        open_styles=open_styles,
    )


def _is_under(lease: Lease) -> ColumnElement[bool]:
    return and_(jobs.c.lease_token == lease.token, jobs.c.state == JobState.LEASED)
