"""What traces say of tickets and batches: which campaigns a batch makes, and what became of its jobs.

A campaign has thousands of batches over hours, so none of them is a part of its trace: each has one of its own, with
links to where its campaigns and its ticket began.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from core import traces
from core.broker import messaging
from core.errors import OutdatedError, SettingsError, TransientError
from core.ledger.campaigns import Campaigns
from core.ledger.leases import Failure, Settled
from schemas.buckets import Bucket, plain_name
from schemas.jobs import Job

ROOT = traces.Origin(is_root=True)
# Of those that were served last; any other one is asked for again.
MOST_CAMPAIGNS = 1000
# A batch of more campaigns names some of them.
MOST_LINKS = 32


@contextmanager
def answered(queue: str, header: object) -> Iterator[traces.Span]:
    """Record how a message is answered, with a link to what sent it."""
    with traces.span(f"process {queue}", messaging("process", queue), traces.Role.RECEIVER, ROOT) as span:
        if sender := traces.link_of(header):
            span.link(sender)
        yield span


class Batches:
    """The traces of the batches of this process."""

    def __init__(self, campaigns: Campaigns) -> None:
        self._campaigns = campaigns
        self._created_at: dict[str, float] = {}

    @contextmanager
    def recorded(self, bucket: str, since: int) -> Iterator[traces.Span]:
        """Record a batch whose claim began at that time, with a link to the ticket that it is made for."""
        if not traces.are_on():
            yield traces.OFF
            return
        ticket, parsed = traces.current(), Bucket.parse(bucket)
        told = {
            "factory.kind": parsed.kind.value,
            "factory.model": plain_name(parsed.model),
            "factory.shape": parsed.shape,
        }
        origin = traces.Origin(is_root=True, since=since)
        with traces.span(f"batch {parsed.kind}", told, traces.Role.RECEIVER, origin) as span:
            traces.passed("claim", since)
            if ticket:
                span.link(ticket)
            yield span

    def link(self, span: traces.Span, jobs: Sequence[Job]) -> None:
        """Say which campaigns the jobs of a batch belong to, each with a link to its trace."""
        if not traces.are_on():
            return
        ids = sorted({job.campaign_id for job in jobs})
        span.note({"factory.jobs": len(jobs), "factory.campaigns": len(ids), "factory.campaign.ids": ids[:MOST_LINKS]})
        for campaign_id, created_at in self._recorded_at(ids[:MOST_LINKS]).items():
            span.link(traces.campaign_link(campaign_id, created_at))

    def finished(self, campaign_ids: Iterable[str]) -> None:
        """Say in the trace of each campaign that no job of it is open any more, with a link to what ended it."""
        if not traces.are_on():
            return
        cause = traces.current()
        for campaign_id, created_at in self._recorded_at(campaign_ids).items():
            seconds = round(time.time() - created_at, 3)
            told: traces.Attributes = {"factory.campaign.id": campaign_id, "factory.campaign.seconds": seconds}
            origin = traces.Origin(parent=traces.campaign_link(campaign_id, created_at))
            with traces.span("campaign finished", told, origin=origin) as span:
                if cause:
                    span.link(cause)

    def _recorded_at(self, campaign_ids: Iterable[str]) -> dict[str, float]:
        """Return when each campaign was recorded, as far as the ledger says it now."""
        # Other threads may put another one in its place meanwhile.
        known, wanted = self._created_at, list(campaign_ids)
        unknown = [one for one in wanted if one not in known]
        if unknown:
            # What is traced must not be held up by its trace; whatever else needs the ledger says so.
            with suppress(TransientError, SettingsError, OutdatedError):
                found = self._campaigns.created_at(unknown)
                known = known | found
                self._created_at = known if len(known) <= MOST_CAMPAIGNS else found
        return {one: known[one] for one in wanted if one in known}


def tell_outcome(span: traces.Span, settled: Settled, failed: Sequence[Failure]) -> None:
    """Say what became of the jobs of a batch, and of what kinds their failures are."""
    span.note(
        {
            "factory.jobs.done": len(settled.done),
            "factory.jobs.failed": len(settled.failed),
            "factory.jobs.again": len(settled.retried),
        }
    )
    for code, jobs in sorted(Counter(one.code for one in failed).items()):
        span.tell("failures", {"factory.failure.code": code, "factory.jobs": jobs})
