"""ETags: an answer has the hash of its bytes, and whoever has these bytes already is not sent them again."""

from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
        held = _Held(send, ",".join(Headers(scope=scope).getlist("if-none-match")))
        await self._app(scope, receive, held.send)


class _Held:
    """Holds a JSON answer back until all of it is there."""

    def __init__(self, send: Send, known: str) -> None:
        self._send = send
        self._known = known
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_json(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        tag = f'"{sha256(self._body).hexdigest()[:32]}"'
        headers = MutableHeaders(scope=start)
        headers["ETag"] = tag
        # Kept, but asked for each time: a key may be revoked, and a tenant's data is for nobody else.
        headers["Cache-Control"] = "private, no-cache"
        if matches(self._known, tag):
            start["status"], self._body = 304, b""
            del headers["content-length"], headers["content-type"]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": self._body})


def matches(known: str, tag: str) -> bool:
    """Tell whether a header If-None-Match names the tag; weak or strong is the same here (RFC 9110)."""
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in known.split(","))


def _is_json(message: Message) -> bool:
    return message["status"] == 200 and Headers(raw=message["headers"]).get("content-type") == JSON
