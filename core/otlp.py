"""The only door to OpenTelemetry: sends spans to a collector by OTLP over HTTP, beside the work and never before it.

Spans wait in a queue of bounded length; what does not fit, or is not taken, is dropped. Where to, under which name and
how many stand in the standard variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_BSP_MAX_QUEUE_SIZE and so on),
which the library reads itself.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version

import requests
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core import traces
from core.errors import SettingsError
from core.settings import TRACES_PATH

logger = logging.getLogger(__name__)

PACKAGE = "content-factory"
# The end of a process waits so long for a collector: enough for one that answers.
END_SECONDS = 3.0
AWAY = (
    "the collector at %s takes no spans (%s): they are dropped, work goes on; is it up, is that its address without "
    f"{TRACES_PATH}, and does OTEL_EXPORTER_OTLP_HEADERS say what it asks for?"
)
UNREAD = (
    "OTEL_EXPORTER_OTLP_HEADERS cannot be read, so what is wrong in it does not go out: write name=value, with commas "
    "between, as in authorization=Bearer%20KEY"
)
KINDS = {
    traces.Role.INSIDE: SpanKind.INTERNAL,
    traces.Role.SERVER: SpanKind.SERVER,
    traces.Role.SENDER: SpanKind.PRODUCER,
    traces.Role.RECEIVER: SpanKind.CONSUMER,
}


class Exporter:
    """Records spans and sends them."""

    def __init__(self, endpoint: str, process: str) -> None:
        self._ids = _Ids()
        self._propagator = TraceContextTextMapPropagator()
        try:
            with _headers_stay_here():
                self._collector = _Collector(endpoint)
            self._provider = TracerProvider(resource=_resource(process), shutdown_on_exit=False, id_generator=self._ids)
            self._provider.add_span_processor(BatchSpanProcessor(self._collector))
        except ValueError as error:
            raise SettingsError(f"traces do not start: {error}; look at the variables that begin with OTEL_") from error
        # What the library says of a collector that is away it would say every few seconds.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._tracer = self._provider.get_tracer(PACKAGE, version(PACKAGE))

    @contextmanager
    def span(
        self, name: str, attributes: traces.Attributes, role: traces.Role, origin: traces.Origin
    ) -> Iterator[traces.Span]:
        """Record a step until the end of the block."""
        with self._ids.given(origin.as_root):
            begun = self._tracer.start_span(
                name, self._context(origin), KINDS[role], dict(attributes), start_time=origin.since
            )
        recorded = _Recorded(begun)
        try:
            with trace.use_span(begun, record_exception=False, set_status_on_exception=False):
                yield recorded
        except traces.CalmError:
            raise
        except Exception as error:
            recorded.fail(type(error).__name__)
            raise
        finally:
            begun.end()

    def current(self) -> traces.Link | None:
        """Return the current span."""
        found = trace.get_current_span().get_span_context()
        # One that the sampler leaves out is nowhere to be found.
        return traces.Link(found.trace_id, found.span_id) if found.is_valid and found.trace_flags.sampled else None

    def tell(self, event: str, attributes: traces.Attributes) -> None:
        """Say that something happened in the current span."""
        trace.get_current_span().add_event(event, dict(attributes))

    def headers(self) -> dict[str, str]:
        """Return what a message says of the current span."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return {name: value for name, value in carrier.items() if name == traces.TRACEPARENT}

    def end(self) -> None:
        """Send what is left, and give up after a few seconds: a collector that is away delays nobody's end."""
        # The library would wait for half a minute.
        last = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        last.start()
        last.join(END_SECONDS)
        self._collector.give_up()

    def _context(self, origin: traces.Origin) -> Context | None:
        if origin.parent:
            return trace.set_span_in_context(NonRecordingSpan(self._remote(origin.parent)), Context())
        return Context() if origin.is_root or origin.as_root else None

    def _remote(self, link: traces.Link) -> SpanContext:
        # Whoever began that trace asked the same sampler, and it goes by the id of a trace; without this empty context
        # it would go by the current span.
        decision = self._provider.sampler.should_sample(Context(), link.trace_id, "").decision
        flags = TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        return _context_of(link, flags)


class _Recorded(traces.Span):
    """A span of the library."""

    def __init__(self, begun: trace.Span) -> None:
        self._begun = begun

    def name(self, name: str) -> None:
        self._begun.update_name(name)

    def note(self, attributes: traces.Attributes) -> None:
        self._begun.set_attributes(dict(attributes))

    def tell(self, event: str, attributes: traces.Attributes = traces.NOTHING) -> None:
        self._begun.add_event(event, dict(attributes))

    def link(self, link: traces.Link) -> None:
        self._begun.add_link(_context_of(link, TraceFlags.SAMPLED), dict(link.attributes))

    def fail(self, kind: str) -> None:
        self._begun.set_attribute("error.type", kind)
        self._begun.add_event("exception", {"exception.type": kind})
        self._begun.set_status(Status(StatusCode.ERROR, kind))


class _Ids(RandomIdGenerator):
    """Ids of spans: random, but for a root that is given its own."""

    def __init__(self) -> None:
        self._given: ContextVar[traces.Link | None] = ContextVar("given", default=None)

    @contextmanager
    def given(self, link: traces.Link | None) -> Iterator[None]:
        token = self._given.set(link)
        try:
            yield
        finally:
            self._given.reset(token)

    def generate_trace_id(self) -> int:
        link = self._given.get()
        return link.trace_id if link else super().generate_trace_id()

    def generate_span_id(self) -> int:
        link = self._given.get()
        return link.span_id if link else super().generate_span_id()


class _Collector(SpanExporter):
    """The collector. That it is away is said once, and once that it is back."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        session = requests.Session()
        session.hooks["response"].append(self._look)
        self._exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + TRACES_PATH, session=session)
        self._answered: int | None = None
        self._lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._answered = None
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            if not self._lost:
                logger.warning(AWAY, self._endpoint, f"it answers {self._answered}" if self._answered else "no answer")
            self._lost += len(spans)
        elif self._lost:
            # What did not fit into the queue meanwhile is counted nowhere.
            logger.warning("the collector at %s takes spans again, after at least %d lost", self._endpoint, self._lost)
            self._lost = 0
        return result

    def _look(self, response: requests.Response, **_: object) -> None:
        self._answered = response.status_code
        # The library would follow nowhere, and take it as a success.
        if 300 <= response.status_code < 400:
            response.close()
            raise requests.HTTPError(str(response.status_code), response=response)

    def shutdown(self) -> None:
        """Do nothing: who ends the whole does that in `give_up`, also while a batch is on its way."""

    def give_up(self) -> None:
        """Try no batch again."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def _headers_stay_here() -> Iterator[None]:
    """Say once that headers for the collector cannot be read: the library would show them, and they open it."""
    reader = logging.getLogger("opentelemetry.util.re")
    unread: list[int] = []

    def keep(record: logging.LogRecord) -> bool:
        unread.append(record.levelno)
        return False

    reader.addFilter(keep)
    reader.setLevel(logging.WARNING)
    try:
        yield
    finally:
        reader.removeFilter(keep)
        reader.setLevel(logging.CRITICAL)
    if unread:
        logger.warning("%s", UNREAD)


def _context_of(link: traces.Link, flags: int) -> SpanContext:
    return SpanContext(link.trace_id, link.span_id, is_remote=True, trace_flags=TraceFlags(flags))


def _resource(process: str) -> Resource:
    """Return who sends the spans; the standard variables may say otherwise."""
    ours: Mapping[str, str] = {
        "service.namespace": PACKAGE,
        "service.name": f"factory-{process}",
        "service.version": version(PACKAGE),
        "service.instance.id": f"{socket.gethostname()}#{os.getpid()}",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": version("opentelemetry-sdk"),
    }
    return Resource(dict(ours)).merge(OTELResourceDetector().detect())
