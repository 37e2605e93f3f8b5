"""Answers those who watch a process: /healthz (does it move), /readyz (can it work) and /metrics, on a port of its own.

It asks for no key, so it listens on this machine alone unless the settings say otherwise, and says nothing that
somebody typed.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from core.errors import SettingsError
from core.settings import Settings

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Whoever opens a connection and says nothing holds a thread for this long.
SILENCE_SECONDS = 5


class Pulse:
    """Whether a thread moves: it does unless it has been busy with one thing for longer than that may take."""

    def __init__(self, limit_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._busy_since: float | None = None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Say that one thing is in hand until the end of the block."""
        self._busy_since = self._clock()
        try:
            yield
        finally:
            self._busy_since = None

    def moves(self) -> bool:
        """Return whether it moves."""
        since = self._busy_since
        return since is None or self._clock() - since <= self._limit_seconds


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Probes:
    """What a process says of itself. Both are asked from other threads, often, and must not wait for anything."""

    is_alive: Callable[[], bool] = _always
    is_ready: Callable[[], bool] = _always
    registry: CollectorRegistry | None = None


def serve_probes(settings: Settings, probes: Probes) -> ThreadingHTTPServer | None:
    """Answer probes in a side thread, if the settings name a port; raises SettingsError when it is taken."""
    if settings.metrics_port is None:
        return None
    registry = probes.registry or CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    try:
        server = _Server((settings.metrics_host, settings.metrics_port), _handler(probes, registry))
    except OSError as error:
        raise SettingsError(
            f"FACTORY_METRICS_PORT: {settings.metrics_host}:{settings.metrics_port} cannot be listened on "
            f"({error.strerror or error}): each process of a machine needs a port of its own, or none"
        ) from error
    threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
    logger.info("probes and metrics on %s:%d", settings.metrics_host, settings.metrics_port)
    return server


@contextmanager
def probed(settings: Settings, probes: Probes) -> Iterator[None]:
    """Answer probes until the end of the block."""
    server = serve_probes(settings, probes)
    try:
        yield
    finally:
        if server:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Else a second process would share the port, and each would be asked now and then.
    allow_reuse_port = False

    def server_bind(self) -> None:
        # The library would look up the name of its address here, for as long as a name server does not answer.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        # Whoever asks may hang up at any time, which is nothing to tell.
        logger.debug("an answer to %s broke off (%s)", client_address, request)


def _handler(probes: Probes, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    def answer_of(path: str) -> tuple[int, bytes]:
        if path == "/metrics":
            return 200, generate_latest(registry)
        asked = {"/healthz": probes.is_alive, "/readyz": probes.is_ready}.get(path)
        if asked is None:
            return 404, b"/healthz, /readyz or /metrics\n"
        return (200, b"ok\n") if asked() else (503, b"no\n")

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS
        server_version, sys_version = "factory", ""

        def do_GET(self) -> None:
            status, body = answer_of(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the library
            logger.debug(format, *arguments)

    return Handler
