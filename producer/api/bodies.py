"""How large and how slow a call may be: the body is read whole before a route sees it, within a size and a time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.api.problems import problem

logger = logging.getLogger(__name__)

# Campaigns with their products, and many ratings; products beyond that come as a feed on the command line.
MOST_CAMPAIGN_BYTES = 2_000_000
MOST_BYTES = 65_536
LARGE = {"/v1/campaigns", "/v1/plans", "/v1/ratings", "/v1/schedules", "/campaigns/new", "/schedules/new"}
# Also one that is changed.
SCHEDULE = "/v1/schedules/"
READ_SECONDS = 30.0
ANSWER_SECONDS = 60.0
# An export reads every byte of a campaign before its first byte goes out.
EXPORT_SECONDS = 900.0


class Bodies:
    """Reads the body of each call, and ends calls that take too long to answer."""

    def __init__(
        self, app: ASGIApp, read_seconds: float = READ_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._app = app
        self._read_seconds = read_seconds
        self._answer_seconds = answer_seconds
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, request_id = Headers(scope=scope), scope["state"]["request_id"]
        most = MOST_CAMPAIGN_BYTES if scope["path"] in LARGE or scope["path"].startswith(SCHEDULE) else MOST_BYTES
        try:
            async with asyncio.timeout(self._read_seconds):
                body = await _read(headers, receive, most)
        except TimeoutError:
            refusal: tuple[int, str] | None = (408, f"the body took longer than {self._read_seconds:g} s")
        else:
            refusal = None if isinstance(body, bytes) else body
        if refusal:
            # The rest of the body is not read, so nothing else can come over this connection.
            answer = problem(request_id, *refusal, headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        assert isinstance(body, bytes)
        await self._answer(scope, _replayed(body, receive), send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = EXPORT_SECONDS if scope["path"].endswith("/export") else self._answer_seconds
        gate = _Gate(send)
        task = asyncio.ensure_future(self._run(scope, receive, gate.send))
        try:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done() and not gate.has_begun:
                gate.close()
                # The thread that works on it cannot be stopped; it goes on, and nobody hears of its end.
                self._late.add(task)
                task.add_done_callback(self._forget)
                told = f"this took longer than {seconds:g} s; what it was to change may yet change"
                answer = problem(scope["state"]["request_id"], 503, told, headers={"Retry-After": "30"})
                await answer(scope, receive, send)
                return
            await task
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._late.discard(task)
        error = None if task.cancelled() else task.exception()
        if error:
            logger.error("a call that was answered as late broke", exc_info=error)


async def _read(headers: Headers, receive: Receive, most: int) -> bytes | tuple[int, str]:
    """Return the body, or status and reason of a refusal."""
    if headers.get("content-encoding", "identity").lower() != "identity":
        return 415, "send the body as it is, without a Content-Encoding"
    too_large = (413, f"the body has more than {most} bytes, which is the most here")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:12]) > most:
        return too_large
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return 400, "the body ended too early"
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            return too_large
        if not message.get("more_body", False):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Callable[[], Any]:
    """Return a `receive` that gives the body at once, and then what really comes: the end of the connection."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


class _Gate:
    """Passes an answer on until it is closed."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_closed = False
        self.has_begun = False

    def close(self) -> None:
        self._is_closed = True

    async def send(self, message: Message) -> None:
        if not self._is_closed:
            self.has_begun = True
            await self._send(message)
