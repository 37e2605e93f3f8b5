"""What jobs are made of: a finished advertisement of its headline and its picture. It follows what becomes of them.

For each role a job may name several others, best first: the first one that is not lost (failed or cancelled) is its
input. A job waits until its inputs are all done, with WAITS_FOR_INPUTS as its `not_before`, so that no claim takes it.
When all jobs of a role are lost, it fails and says which. Both are read from the states of the inputs and never counted
down, so the same step twice changes nothing. A released job forgets the others: what it is made of is certain.

Two batches may end at once, each with an input of the same job. So whoever ends an input locks the jobs made of it
before looking at their other inputs: the second one then sees what the first one did.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)

from core.errors import ImpossibleWorkError
from core.ledger.outbox import tell_failed
from core.tables import IS_UNREADY, WAITS_FOR_INPUTS, inputs, jobs
from schemas.campaigns import Kind
from schemas.jobs import Input, Job, JobState

# The error code of a job that failed with an input.
INPUT_FAILED = "input_failed"
# Where an input stays until a person does something about it.
LOST = (JobState.FAILED, JobState.CANCELLED)
# How much of the error of an input the jobs made of it tell.
TOLD_CHARACTERS = 200
PAGE_ROWS = 1000

_part = jobs.alias("part")
_better, _better_part = inputs.alias("better"), jobs.alias("better_part")
_other, _other_part = inputs.alias("other"), jobs.alias("other_part")
_ids: BindParameter[Any] = bindparam("ids", expanding=True)


def _is_lost(part: FromClause) -> ColumnElement[bool]:
    # In the middle of a submit an input may not be there yet.
    return func.coalesce(part.c.state, "").in_(LOST)


def _goes_before(one: FromClause) -> ColumnElement[bool]:
    """Return whether a better job of the same role is not lost."""
    betters = select(_better.c.role).outerjoin(_better_part, _better_part.c.id == _better.c.input_job_id)
    return (
        betters.where(
            *(_better.c.job_id == one.c.job_id, _better.c.role == one.c.role, _better.c.rank < one.c.rank),
            ~_is_lost(_better_part),
        )
        .correlate(one)
        .exists()
    )


# All jobs of the role are lost, seen from the first one.
_IS_LOST_ROLE = (
    inputs.c.rank == 0,
    ~select(_other.c.role)
    .outerjoin(_other_part, _other_part.c.id == _other.c.input_job_id)
    .where(_other.c.job_id == inputs.c.job_id, _other.c.role == inputs.c.role, ~_is_lost(_other_part))
    .correlate(inputs)
    .exists(),
)


def _has_input(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    parts = select(inputs.c.role).outerjoin(_part, _part.c.id == inputs.c.input_job_id)
    return parts.where(inputs.c.job_id == jobs.c.id, *conditions).correlate(jobs).exists()


HAS_LOST_INPUT = _has_input(*_IS_LOST_ROLE)
# Some first one that is not lost is not done either, or all of a role are lost.
HAS_UNDONE_INPUT = or_(
    _has_input(~_is_lost(_part), func.coalesce(_part.c.state, "") != JobState.DONE, ~_goes_before(inputs)),
    HAS_LOST_INPUT,
)
# Failed ones too: somebody may be letting them wait again at this moment.
_MADE_OF = (
    select(jobs.c.id)
    .where(
        jobs.c.id.in_(select(inputs.c.job_id).where(inputs.c.input_job_id.in_(_ids))),
        jobs.c.state.in_((JobState.WAITING, JobState.FAILED)),
    )
    .order_by(jobs.c.id)
    .with_for_update()
)
_RELEASE = (
    update(jobs)
    .where(
        jobs.c.id.in_(_ids),
        jobs.c.state == JobState.WAITING,
        jobs.c.not_before == WAITS_FOR_INPUTS,
        ~HAS_UNDONE_INPUT,
    )
    .values(not_before=0.0)
    .returning(jobs.c.id, jobs.c.kind)
)
# What released jobs are not made of: those that were lost, and those behind the first that was not.
_FORGET_OTHERS = delete(inputs).where(
    inputs.c.job_id.in_(_ids),
    or_(
        select(_part.c.id).where(_part.c.id == inputs.c.input_job_id, _is_lost(_part)).correlate(inputs).exists(),
        _goes_before(inputs),
    ),
)
_LOST_INPUTS = (
    select(jobs.c.id, inputs.c.role, inputs.c.input_job_id, _part.c.state, _part.c.error)
    .select_from(jobs)
    .join(inputs, inputs.c.job_id == jobs.c.id)
    .join(_part, _part.c.id == inputs.c.input_job_id)
    .where(jobs.c.id.in_(_ids), jobs.c.state == bindparam("its_state"), *_IS_LOST_ROLE)
    .order_by(jobs.c.id, inputs.c.role)
)
_FAIL = (
    update(jobs)
    .where(jobs.c.id == bindparam("follower"))
    .values(
        state=JobState.FAILED,
        error_code=INPUT_FAILED,
        error=bindparam("told"),
        finished_at=func.coalesce(jobs.c.finished_at, bindparam("now")),
    )
)
_REOPEN = (
    update(jobs)
    .where(jobs.c.id.in_(_ids), jobs.c.state == JobState.FAILED, jobs.c.error_code == INPUT_FAILED, ~HAS_LOST_INPUT)
    .values(state=JobState.WAITING, not_before=WAITS_FOR_INPUTS, error_code=None, error=None, finished_at=None)
    .returning(jobs.c.id)
)
# Rows that somebody works on at this moment are passed over.
_NEXT_UNREADY = (
    select(jobs.c.id)
    .where(IS_UNREADY, jobs.c.id > bindparam("after"))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_UNKNOWN = (
    select(inputs.c.job_id, inputs.c.role, inputs.c.input_job_id)
    .join(jobs, jobs.c.id == inputs.c.job_id)
    .outerjoin(_part, and_(_part.c.id == inputs.c.input_job_id, _part.c.campaign_id == jobs.c.campaign_id))
    .where(jobs.c.campaign_id == bindparam("campaign"), jobs.c.inputs > 0, _part.c.id.is_(None))
    .limit(1)
)
_INPUTS = (
    select(inputs.c.job_id, inputs.c.role, inputs.c.input_job_id)
    .where(inputs.c.job_id.in_(_ids))
    .order_by(inputs.c.job_id, inputs.c.role, inputs.c.rank)
)


def input_rows(planned: Iterable[Job]) -> list[dict[str, object]]:
    """Return a row for each input of each job; those of one role are ranked as they come."""
    rows: list[dict[str, object]] = []
    for job in planned:
        ranks: Counter[str] = Counter()
        for one in job.inputs:
            rows.append({"job_id": job.id, "role": one.role, "rank": ranks[one.role], "input_job_id": one.job_id})
            ranks[one.role] += 1
    return rows


def require_inputs(connection: Connection, campaign_id: str) -> None:
    """Raise ImpossibleWorkError when a job is made of one that its campaign does not have: it would wait for ever."""
    row = connection.execute(_UNKNOWN, {"campaign": campaign_id}).first()
    if row is not None:
        raise ImpossibleWorkError(
            f"job {row.job_id} is made of {row.input_job_id} ({row.role}), which campaign {campaign_id} does not have"
        )


def inputs_of(connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, tuple[Input, ...]]:
    """Return the inputs of each job, in the order of their roles, best first: until it is released, all it may have.

    Asks the database only about jobs that have some.
    """
    found: dict[str, tuple[Input, ...]] = {row.id: () for row in rows}
    for page in _pages([row.id for row in rows if row.inputs]):
        for one in connection.execute(_INPUTS, {"ids": page}):
            found[one.job_id] += (Input.model_construct(role=one.role, job_id=one.input_job_id),)
    return found


def follow(connection: Connection, ended: Sequence[str]) -> set[Kind]:
    """Settle the jobs made of these, which have just come to their end; return the kinds that have work by that."""
    return settle(connection, _made_of(connection, ended))


def settle(connection: Connection, job_ids: Sequence[str]) -> set[Kind]:
    """Release the jobs whose inputs are all done, fail those that lost a role, and so on with the jobs made of these.

    Leaves alone what does not wait for inputs. Returns the kinds of the released jobs.
    """
    released: set[Kind] = set()
    for page in _pages(job_ids):
        ready = connection.execute(_RELEASE, {"ids": page}).all()
        if ready:
            connection.execute(_FORGET_OTHERS, {"ids": [row.id for row in ready]})
        released |= {Kind(row.kind) for row in ready}
        lost = _fail(connection, page, JobState.WAITING)
        tell_failed(connection, lost)
        released |= follow(connection, lost)
    return released


def settle_next(connection: Connection, after: str) -> str:
    """Settle some of the jobs that wait for inputs, in the order of their ids; return after which one to go on.

    Who ends an input settles what is made of it, so this finds nothing, unless a worker knew nothing of inputs yet.
    """
    page = list(connection.execute(_NEXT_UNREADY, {"after": after, "most": PAGE_ROWS}).scalars())
    settle(connection, page)
    return page[-1] if len(page) == PAGE_ROWS else ""


def reopen(connection: Connection, retried: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Let the jobs that failed with an input wait again, once none of their inputs is lost; return which did.

    Looks at those made of the `retried` ones and at the `asked` ones. What has lost another input says so from now on.
    """
    reopened: list[str] = []
    candidates = [*asked, *_made_of(connection, retried)]
    while candidates:
        again: list[str] = []
        for page in _pages(candidates):
            again += connection.execute(_REOPEN, {"ids": page}).scalars()
            _fail(connection, page, JobState.FAILED)
        settle(connection, again)
        reopened += again
        candidates = _made_of(connection, again)
    return reopened


def _made_of(connection: Connection, input_ids: Sequence[str]) -> list[str]:
    """Lock the jobs made of these that may have to follow, in the order that everybody locks in; return their ids."""
    return [job_id for page in _pages(input_ids) for job_id in connection.execute(_MADE_OF, {"ids": page}).scalars()]


def _fail(connection: Connection, job_ids: Sequence[str], state: JobState) -> list[str]:
    """Fail the jobs in this state that lost an input, saying which; return their ids."""
    told: dict[str, str] = {}
    for row in connection.execute(_LOST_INPUTS, {"ids": job_ids, "its_state": state}):
        told.setdefault(row.id, _loss(row))
    if told:
        now = time.time()
        values = [{"follower": job_id, "told": loss, "now": now} for job_id, loss in told.items()]
        connection.execute(_FAIL, values)
    return list(told)


def _loss(row: Row[Any, Any, Any, Any, Any]) -> str:
    if row.state == JobState.CANCELLED:
        return f"its {row.role} {row.input_job_id} was cancelled: submit a new campaign to have both made"
    reason = (row.error or "")[:TOLD_CHARACTERS]
    return f"its {row.role} {row.input_job_id} failed: {reason}; mend and retry that job, this one follows"


def _pages(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), PAGE_ROWS):
        yield ids[start : start + PAGE_ROWS]
