"""Ports on 127.0.0.1: which are free, who holds the others, and choosing them so that two stacks never collide."""

import os
import socket
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import SettingsError
from deploy.waiting import exclusive

LOOPBACK = "127.0.0.1"
SEARCHED_PORTS = 1000
LOCK_SECONDS = 120.0


def is_free(port: int) -> bool:
    """Tell whether a server of ours could listen there now."""
    with socket.socket() as probe:
        # As servers do it: a connection that was closed a moment ago does not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(host: str, port: int, seconds: float = 1.0) -> bool:
    """Tell whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError:
        return False
    return True


def free_port(wanted: int, taken: Collection[int] = ()) -> int:
    """Return the wanted port, or the next one above it that is free and not taken.

    Counting upwards stays below the ports that the system hands out to clients, so a restart finds it free again.
    """
    for port in range(wanted, min(wanted + SEARCHED_PORTS, 65536)):
        if port not in taken and is_free(port):
            return port
    raise SettingsError(f"no port from {wanted} on is free on {LOOPBACK}: stop something, or set other ports")


@contextmanager
def choosing() -> Iterator[None]:
    """Keep other stacks of this user from choosing until the ports of ours are known to be its own."""
    lock_file = Path(tempfile.gettempdir()) / f"content-factory-ports-{os.getuid()}.lock"
    with exclusive(lock_file, LOCK_SECONDS, "another stack that chooses its ports"):
        yield
