"""A receiver of webhooks on this machine: keeps what it was sent, and answers what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Sent:
    """One attempt as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A receiver, and what arrived so far."""

    port: int = 0
    sent: list[Sent] = field(default_factory=list)
    # What it answers to the attempt of this number.
    answer: Callable[[int], int] = lambda _: 204
    # Holds every answer back until it is set.
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks?from=factory"

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.sent]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver."""
    receiver = Receiver()
    receiver.may_answer.set()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                receiver.sent.append(Sent({name.lower(): value for name, value in self.headers.items()}, body))
                number = len(receiver.sent)
            receiver.may_answer.wait(30)
            self.send_response(receiver.answer(number))
            self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of a sender that was killed."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
