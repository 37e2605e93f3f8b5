"""The outer wall: what is refused before anybody asks who calls, and what every answer carries."""

import logging
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import FactoryError
from core.ledger import Ledger
from producer.api.access import CHANGELESS
from producer.api.opened import LOOPBACKS
from producer.api.problems import problem

logger = logging.getLogger(__name__)

# Answers are data: nothing in them may run, be framed, be guessed at or be kept by a proxy.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# What a browser says of a call that a page of somebody else makes.
FOREIGN_SITES = {"cross-site", "same-site"}


class Guard:
    """Refuses foreign hosts and sites, gives each call an id, and ends the record of a call."""

    def __init__(self, app: ASGIApp, ledger: Ledger, hosts: frozenset[str]) -> None:
        self._app = app
        self._ledger = ledger
        # Empty: every name is right.
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        answer = _Answer(send, request_id, self._end_of(state))
        headers = Headers(scope=scope)
        refusal = self._refusal(headers, scope["method"])
        if refusal:
            status, detail = refusal
            await problem(request_id, status, detail)(scope, receive, answer.send)
            return
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            logger.exception("call %s broke", request_id)
            if not answer.has_begun:
                told = "the factory broke over this call; whoever runs it finds the id of this call in its log"
                await problem(request_id, 500, told)(scope, receive, answer.send)

    def _refusal(self, headers: Headers, method: str) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        name = _name_of(hosts[0]) if len(hosts) == 1 else ""
        if not name or (self._hosts and name not in self._hosts):
            return 421, "this is not the host that you named; FACTORY_API_HOSTS lists the names of this API"
        if method in CHANGELESS:
            return None
        origin = headers.get("origin")
        is_foreign = origin is not None and urlsplit_host(origin) != hosts[0].lower()
        if is_foreign or headers.get("sec-fetch-site") in FOREIGN_SITES:
            return 403, "a page of another site may not call this API"
        return None

    def _end_of(self, state: Mapping[str, object]) -> Callable[[int], None]:
        def end(status: int) -> None:
            call_id = state.get("call_id")
            if not isinstance(call_id, int):
                return
            try:
                self._ledger.calls.end(call_id, status)
            except FactoryError as error:
                logger.error("call %d ended with %d, which is not recorded: %s", call_id, status, error)  # noqa: TRY400 - a line is enough

        return end


class _Answer:
    """Sends an answer: first its end is recorded, so that whoever has it finds it there."""

    def __init__(self, send: Send, request_id: str, end: Callable[[int], None]) -> None:
        self._send = send
        self._request_id = request_id
        self._end = end
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in {**HEADERS, "X-Request-Id": self._request_id}.items():
                headers.setdefault(name, value)
            await run_in_threadpool(self._end, int(message["status"]))
        await self._send(message)


def hosts_of(api_host: str, names: str | None) -> frozenset[str]:
    """Return the names that a call may come for: those that are set, and on this machine alone its own."""
    wanted = {name.strip().lower() for name in (names or "").split(",") if name.strip()}
    return frozenset(wanted | LOOPBACKS) if wanted or api_host in LOOPBACKS else frozenset()


def urlsplit_host(origin: str) -> str:
    """Return host and port of an origin, empty for one that has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    """Return the name in a header Host, without the port; empty when it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
