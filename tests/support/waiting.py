"""Waiting for what other processes do: a condition with a deadline."""

import socket
import threading
import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], object], seconds: float = 120, what: str = "condition", every_seconds: float = 0.05
) -> None:
    """Return as soon as the condition holds; fail when it does not within the deadline."""
    pause, ends_at = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, f"{what} did not come true within {seconds} s"
        pause.wait(every_seconds)


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
