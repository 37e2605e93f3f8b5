"""Keeps the leases of this process: renews them while it lives, ends it when the device hangs."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from core.errors import OutdatedError, TransientError
from core.ledger.leases import Leases

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """A side thread that renews every held lease three times before it would end."""

    def __init__(self, leases: Leases, batch_limit_seconds: float, busy_since: Callable[[], float | None]) -> None:
        self._leases = leases
        self._batch_limit_seconds = batch_limit_seconds
        self._busy_since = busy_since
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def start(self) -> None:
        """Begin renewing."""
        self._thread.start()

    def hold(self, token: str) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._held.add(token)

    def drop(self, token: str) -> None:
        """Let this lease be."""
        with self._lock:
            self._held.discard(token)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(min(self._leases.lease_seconds / 3, 5.0)):
            self._end_if_hung()
            with self._lock:
                tokens = sorted(self._held)
            if not tokens:
                continue
            try:
                self._leases.renew(tokens)
            except (TransientError, OutdatedError) as error:
                # Should the lease end meanwhile, the work is done again elsewhere and this result is refused.
                logger.warning("leases not renewed: %s", error)

    def _end_if_hung(self) -> None:
        since = self._busy_since()
        if since is not None and time.monotonic() - since > self._batch_limit_seconds:
            # A thread that hangs in a kernel cannot be stopped, its process can; supervision starts a new one.
            logger.critical("one batch took over %.0f s: this worker ends itself", self._batch_limit_seconds)
            os.kill(os.getpid(), signal.SIGKILL)


def worker_id(nodename: str) -> str:
    """Return a name that tells this life of a worker from its former ones."""
    return f"{nodename}#{os.getpid()}"


def release_dead(leases: Leases, nodename: str) -> None:
    """Give back what former lives of this worker held, so that nobody waits for those leases to end."""
    dead = [holder for holder in leases.holders() if _is_dead_life(holder, nodename)]
    back, given_up = leases.release(dead)
    if back or given_up:
        logger.warning("taken back from a former life of %s: %d jobs, %d given up", nodename, back, given_up)


def _is_dead_life(holder: str, nodename: str) -> bool:
    name, _, pid = holder.rpartition("#")
    # Only processes of this machine can be looked up.
    if name != nodename or name.rpartition("@")[2] != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return int(pid) == os.getpid()
