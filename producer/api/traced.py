"""Traces of calls that may change something: whoever only looks asks often, and makes no work.

A call is the beginning of a trace, with a link to what the caller says of itself: strangers decide neither what is
recorded here nor under which id.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import traces
from producer.api.access import CHANGELESS

ROOT = traces.Origin(is_root=True)
METHODS = {"POST", "PUT", "PATCH", "DELETE"}
# A method that nobody knows, in the words of OpenTelemetry's conventions.
OTHER = "_OTHER"


class Traced:
    """Records each changing call until its answer begins, by its route and status: no address and no header of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http" or scope["method"] in CHANGELESS or not traces.are_on():
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        told = {"http.request.method": method, "factory.call.id": str(scope["state"]["request_id"])}
        with traces.span(f"{method} call", told, traces.Role.SERVER, ROOT) as span:
            if caller := traces.link_of(Headers(scope=scope).get(traces.TRACEPARENT)):
                span.link(caller)
            await self._answer(span, method, scope, receive, send)

    async def _answer(self, span: traces.Span, method: str, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _tell_answer(span, method, scope, int(message["status"]))
                if message["status"] >= 500:
                    span.fail(str(message["status"]))
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if not has_begun:
                # What answers it stands outside of this; what kind of error it is the span finds by itself.
                _tell_answer(span, method, scope, 500)
            raise


def _tell_answer(span: traces.Span, method: str, scope: Scope, status: int) -> None:
    span.note({"http.response.status_code": status})
    # What stands in the address was typed; its route was not.
    if route := getattr(scope.get("route"), "path_format", None):
        span.name(f"{method} {route}")
        span.note({"http.route": route})
