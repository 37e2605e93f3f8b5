"""A campaign as a stream of events: the current moment first, then every change, then its end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from fastapi import Depends
from fastapi.sse import ServerSentEvent
from starlette.concurrency import run_in_threadpool

from core.errors import LedgerError
from producer.api.answers import ProgressAnswer
from producer.api.opened import Factory, Opened
from producer.progress import snapshot

POLL_SECONDS = 1.0
# A big ledger is asked no more than a part of the time, whatever one answer takes.
REST_FOR_EACH_SECOND = 10
# Then the caller connects again, and is asked for its key again.
LONGEST_SECONDS = 900.0
RECONNECT_MILLISECONDS = 2000


def _place(opened: Factory) -> Iterator[None]:
    """Hold a place as long as the stream goes on; refuse before it begins."""
    with opened.streams.taken("streams"):
        yield


STREAM = Depends(_place)


async def progress_events(opened: Opened, campaign: str) -> AsyncIterator[ServerSentEvent]:
    """Yield how a campaign goes until it is over. A ledger that is away is waited for."""
    ends_at, shown, number = time.monotonic() + LONGEST_SECONDS, None, 0
    while time.monotonic() < ends_at:
        began = time.monotonic()
        try:
            current = await run_in_threadpool(snapshot, opened.ledger, campaign)
        except LedgerError:
            yield ServerSentEvent(comment="the ledger is away")
            await asyncio.sleep(POLL_SECONDS)
            continue
        if current.status != shown:
            shown, number = current.status, number + 1
            data = ProgressAnswer.of(current).model_dump_json()
            yield ServerSentEvent(raw_data=data, event="progress", id=str(number), retry=RECONNECT_MILLISECONDS)
        if current.status.is_over:
            yield ServerSentEvent(raw_data=f'{{"state":"{current.status.state}"}}', event="end")
            return
        await asyncio.sleep(POLL_SECONDS + (time.monotonic() - began) * REST_FOR_EACH_SECOND)
