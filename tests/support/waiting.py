"""What tests and other processes must agree on: when something is so, and who listens where."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice

# A hundred ports for each of a hundred processes that run tests at the same time.
FIRST_PORT, PORTS, PROCESSES = 22_000, 100, 100
_FIRST_OWN = FIRST_PORT + os.getpid() % PROCESSES * PORTS
_OWN_PORTS = cycle(range(_FIRST_OWN, _FIRST_OWN + PORTS))


def wait_until(
    condition: Callable[[], object], seconds: float = 120, what: str = "condition", every_seconds: float = 0.05
) -> None:
    """Return as soon as the condition holds; fail when it does not within the deadline."""
    pause, ends_at = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, f"{what} did not come true within {seconds} s"
        pause.wait(every_seconds)


def free_port() -> int:
    """Return a port that nobody uses, of some that are this process's own.

    They lie below those that the system hands out to clients: one of them could be taken before a server listens, or
    while it is killed and started again.
    """
    for port in islice(_OWN_PORTS, PORTS):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"none of {PORTS} ports from {_FIRST_OWN} on is free")


@contextlib.contextmanager
def holding(port: int) -> Iterator[None]:
    """Listen there, unless somebody else does so already."""
    with socket.socket() as holder:
        # As servers do it: connections that another one has left behind do not count.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", port))
            holder.listen()
        yield
