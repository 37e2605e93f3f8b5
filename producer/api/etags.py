"""ETags: an answer has the hash of its bytes, and whoever has these bytes already is not sent them again."""

from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.api.held import HeldAnswer

# Small answers only: what is streamed goes through.
JSON = "application/json"


class ETags:
    """Adds an ETag to each JSON answer to a GET, and answers 304 where If-None-Match names it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        held = _Tagged(send, ",".join(Headers(scope=scope).getlist("if-none-match")))
        await self._app(scope, receive, held.send)


class _Tagged(HeldAnswer):
    """A JSON answer, which gets the hash of its bytes."""

    def __init__(self, send: Send, known: str) -> None:
        super().__init__(send)
        self._known = known

    def holds(self, start: Message) -> bool:
        return start["status"] == 200 and Headers(raw=start["headers"]).get("content-type") == JSON

    def changed(self, start: Message, body: bytes) -> bytes:
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = tag
        # Kept, but asked for each time: a key may be revoked, and a tenant's data is for nobody else.
        headers["Cache-Control"] = "private, no-cache"
        if not matches(self._known, tag):
            return body
        start["status"] = 304
        del headers["content-length"], headers["content-type"]
        return b""


def matches(known: str, tag: str) -> bool:
    """Tell whether a header If-None-Match names the tag; weak or strong is the same here (RFC 9110)."""
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in known.split(","))
