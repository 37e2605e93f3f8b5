"""Errors as pages that a person understands: the problem that was answered, in words, with the way out."""

import json
import re
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producer.api import problems
from producer.api.held import HeldAnswer
from producer.pages.render import HEADERS, html

# Where programs ask, problems stay data.
_DATA = ("/v1/", "/openapi.json", "/health", "/metrics")
_TITLES = {
    303: "Please sign in",
    400: "The form is broken",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This page takes no such form",
    408: "That took too long",
    409: "This cannot be done now",
    413: "That is too much",
    415: "This page takes no such form",
    421: "This is not the factory you named",
    422: "Something is not right yet",
    429: "One moment, please",
    503: "The factory cannot answer right now",
}
_BROKE = "The factory broke"
# An address with nothing behind it; of a thing that is not there, the problem says more.
_NOT_FOUND = "urn:content-factory:not-found"
_LOST = "Nothing stands at this address. It may have been mistyped, or the page has moved."
_FAULTS_SHOWN = 20
# `stars: ...` begins with the name of a field, which is written as it is.
_NAMES_FIELD = re.compile(r"[a-z_.]+: ")


class ProblemPages:
    """Shows every problem as a page to whoever asked for one, wherever in the app it was found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http" or not _wants_page(scope):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Shown(scope, send).send)


class _Shown(HeldAnswer):
    """A problem, which is shown as a page."""

    def __init__(self, scope: Scope, send: Send) -> None:
        super().__init__(send)
        self._scope = scope

    def holds(self, start: Message) -> bool:
        return _is_problem(start)

    def changed(self, start: Message, body: bytes) -> bytes:
        page = _page(json.loads(body), self._scope).encode()
        headers = MutableHeaders(scope=start)
        headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Content-Length"] = str(len(page))
        headers.update(HEADERS)
        if "hx-request" in Headers(scope=self._scope):
            # The part that was asked for stays; what went wrong stands above it.
            headers.update({"HX-Retarget": "#notice", "HX-Reswap": "innerHTML", "HX-Reselect": "#problem"})
        return b"" if self._scope["method"] == "HEAD" else page


def _page(problem: dict[str, Any], scope: Scope) -> str:
    status = int(problem["status"])
    detail = _LOST if problem["type"] == _NOT_FOUND else str(problem["detail"])
    return html(
        "error.html",
        None,
        scope["path"],
        status=status,
        title=_TITLES.get(status, _BROKE),
        detail=detail if _NAMES_FIELD.match(detail) else f"{detail[:1].upper()}{detail[1:]}",
        faults=problem.get("problems", [])[:_FAULTS_SHOWN],
        call=str(problem["instance"]).removeprefix("urn:uuid:") if status >= 500 else "",
        may_try_again=scope["method"] == "GET" and status in {408, 429, 500, 503},
    )


def _wants_page(scope: Scope) -> bool:
    path = f"{scope['path']}/"
    is_data = any(path.startswith(f"{prefix.rstrip('/')}/") for prefix in _DATA)
    return not is_data and "text/html" in Headers(scope=scope).get("accept", "")


def _is_problem(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type") == problems.MEDIA_TYPE
