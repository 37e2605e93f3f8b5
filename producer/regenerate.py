"""Make a rejected asset anew: a job with the brief of the old one, changed as far as a model can use the reason.

The old asset stays, so the campaign holds it: neither it nor a near-duplicate of it is ever taken again.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

from core.errors import FeedbackError, StateError
from core.ledger import Ledger
from core.ledger.tallies import Standing
from producer.plan import styles_of
from producer.rate import message_of, rating_of
from schemas.buckets import Bucket
from schemas.campaigns import CopyDeliverable, Kind, StylesAsked
from schemas.jobs import CreativeOrder, Input, Job, JobState, Revision
from schemas.layouts import layouts
from schemas.styles import Style

# Where nobody said why.
NO_REASON = "other"
# Reasons that another style may mend: it addresses its reader in another way. The others are mended by another line.
SPEAK_OF_STYLE = {"off-brand", "off-audience", "too-similar"}
T = TypeVar("T")
_ROUND = re.compile(r"-r\d+$")


@dataclass(frozen=True)
class Regenerated:
    """What was asked for, or is there already; and the jobs that are made of the old asset and stay as they are."""

    job_id: str
    replaces: str
    reason: str
    is_new: bool
    state: JobState
    style: Style | None
    made_of_old: tuple[str, ...]


def regenerate(ledger: Ledger, job_id: str, reason: str | None, rater: str) -> Regenerated:
    """Record a job that makes a rejected asset anew. With a reason it is rejected first.

    The same asset twice gives one replacement. Raises StateError for what is not rejected or not done.
    """
    status = ledger.jobs.status(job_id)
    if status.state != JobState.DONE:
        raise StateError(f"job {job_id} is {status.state}: only what is done can be made anew")
    if reason is not None:
        _reject(ledger, job_id, reason, rater)
    elif ledger.ratings.standing(job_id) != Standing.REJECTED:
        raise StateError(f"job {job_id} is not rejected: give --reason, or `factory rate {job_id} --reject REASON`")
    why = reason or ledger.ratings.last_reason(job_id) or NO_REASON
    job = replacement(ledger, status.job, why)
    is_new = ledger.replacements.add(job, rater)
    made = ledger.jobs.status(ledger.replacements.of(job_id) or job.id)
    return Regenerated(
        job_id=made.job.id,
        replaces=job_id,
        reason=why,
        is_new=is_new,
        state=made.state,
        style=made.job.brief.style if made.job.kind == Kind.COPY else None,
        made_of_old=tuple(ledger.replacements.made_of(job_id)),
    )


def replacement(ledger: Ledger, old: Job, reason: str) -> Job:
    """Return the job that makes the asset of another one anew; the same each time until the old asset changes."""
    former = old.brief.revision
    number = former.round + 1 if former else 1
    lines = (ledger.assets.of_job(old.id).preview,) if old.kind == Kind.COPY else ()
    revision = Revision(
        replaces=old.id,
        round=number,
        reasons=(*(former.reasons if former else ()), reason),
        rejected=(*(former.rejected if former else ()), *lines),
    )
    newest = ledger.replacements.newest([one.job_id for one in old.inputs])
    made_of = tuple(Input(role=one.role, job_id=newest[one.job_id]) for one in old.inputs)
    changes = _restyled(ledger, old, reason) if old.kind == Kind.COPY else _laid_out(old, is_same=made_of == old.inputs)
    brief = old.brief.model_copy(update={"revision": revision} | changes)
    return old.model_copy(
        update={
            "id": f"{_ROUND.sub('', old.id)}-r{number}",
            # A job that was run alone leaves that behind.
            "bucket": str(Bucket.parse(old.bucket)),
            "brief": brief,
            "seed": _seed(old.seed, number),
            "inputs": made_of,
            # Its style is decided here.
            "open_styles": (),
        }
    )


def _reject(ledger: Ledger, job_id: str, reason: str, rater: str) -> None:
    message = message_of(rating_of(job_id, approves=False, reason=reason), rater, ledger.jobs.tenant(job_id))
    # Not by the queue: the job that follows rests on it.
    (receipt,) = ledger.intake.record([message])
    if receipt.refusal:
        raise FeedbackError(receipt.refusal)


def _restyled(ledger: Ledger, old: Job, reason: str) -> dict[str, object]:
    """Return the next style; but one that ratings chose stays where the reason speaks of something else."""
    choice = ledger.styles.of_job(_ROUND.sub("", old.id))
    if choice is None:
        styles = styles_of(Bucket.parse(old.bucket).model, old.brief.channel, _asked(ledger, old))
    elif reason in SPEAK_OF_STYLE:
        styles = tuple(arm.style for arm in choice.known.arms)
    else:
        return {}
    return {"style": _next(styles, old.brief.style)}


def _asked(ledger: Ledger, old: Job) -> StylesAsked:
    """Return which styles the campaign asks for in the channel of a line."""
    asked = ledger.campaigns.definition(old.campaign_id).deliverables
    mine = (one for one in asked if isinstance(one, CopyDeliverable) and one.channel == old.brief.channel)
    return next((one.styles for one in mine), None)


def _laid_out(old: Job, *, is_same: bool) -> dict[str, object]:
    """Return what the brief of an advertisement says otherwise this time, besides the revision."""
    if old.brief.creative and is_same:
        # Of the same headline and picture, only another layout makes something else.
        names = tuple(layouts())
        named = old.brief.creative.layout or names[old.variant % len(names)]
        return {"creative": CreativeOrder(**dict(old.brief.creative) | {"layout": _next(names, named)})}
    return {}


def _next(choices: tuple[T, ...], current: T) -> T:
    place = choices.index(current) + 1 if current in choices else 0
    return choices[place % len(choices)]


def _seed(old: int, number: int) -> int:
    digest = blake2b(f"{old}\0{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
