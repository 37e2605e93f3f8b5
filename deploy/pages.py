"""Waiting for what people look at, pages and Flower: as long as it still loads, however busy the machine is."""

import math
import time
from dataclasses import dataclass, field

import psutil

from core.errors import StateError
from core.settings import Settings
from deploy.home import Home
from deploy.ports import LOOPBACK, is_free
from deploy.sequence import PATIENCE_SECONDS, Report
from deploy.supervision import Supervisor
from deploy.waiting import wait_until

# They import for two seconds of a processor. Whoever computes less than a tenth of one in a minute hangs: no machine
# that is only busy gives it so little.
STILL_SECONDS = 60.0
COMPUTED_SECONDS = 0.1


def wait_for_pages(settings: Settings, report: Report) -> None:
    """Return when API and Flower answer; raises StateError when one of them ends or hangs."""
    ports = {"api": settings.api_port, "flower": settings.flower_port}

    def silent() -> list[str]:
        return [name for name, port in ports.items() if is_free(port)]

    if wait_until(lambda: not silent(), PATIENCE_SECONDS):
        return
    report(f"waiting for {' and '.join(silent())}: loading takes longer on a busy machine")
    for name, port in ports.items():
        wait_until(_Loading(name, port, Supervisor(Home.of(settings))).is_over, math.inf)


@dataclass
class _Loading:
    """A process on its way to its port, and when it was last seen to compute."""

    name: str
    port: int
    supervisor: Supervisor
    pid: int | None = None
    computed_seconds: float = 0.0
    seen_at: float = field(default_factory=time.monotonic)
    told_at: float = field(default_factory=time.monotonic)

    def is_over(self) -> bool:
        """Tell whether it answers; raises StateError when it never will."""
        if not is_free(self.port):
            return True
        found = self.supervisor.processes()
        if not found:
            # The supervisor has no time to answer, or is gone: nothing is known of the process.
            if time.monotonic() - self.told_at > STILL_SECONDS:
                raise self._error(f"may have ended: the supervisor does not answer for {STILL_SECONDS:.0f} s")
            return False
        self.told_at = time.monotonic()
        pid = next((one.pid for one in found if one.name == self.name), None)
        if pid is None or pid != (self.pid or pid):
            raise self._error("ended before it answered")
        self.pid = pid
        self._look(pid)
        return False

    def _look(self, pid: int) -> None:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            # The supervisor says so when it is asked next.
            return
        computed = times.user + times.system
        if computed - self.computed_seconds >= COMPUTED_SECONDS:
            self.computed_seconds, self.seen_at = computed, time.monotonic()
        elif time.monotonic() - self.seen_at > STILL_SECONDS:
            raise self._error(f"hangs: for {STILL_SECONDS:.0f} s it did next to nothing")

    def _error(self, what: str) -> StateError:
        words = self.supervisor.last_words(self.name)
        return StateError(f"nothing answers at {LOOPBACK}:{self.port}: {self.name} {what}; its log:\n  {words}")
