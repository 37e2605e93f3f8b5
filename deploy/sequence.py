"""The order of start and stop: servers, the ledger's tables, workers; and back, with every batch in hand finished."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.database import Database
from core.errors import StateError
from core.settings import Settings
from deploy import processes, servers
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.ports import LOOPBACK
from deploy.programs import (
    SERVER_STOP_SECONDS,
    SERVERS,
    STORE_STOP_SECONDS,
    WORKER_STOP_SECONDS,
    programs,
    supervisor_config,
)
from deploy.supervision import State, Supervisor
from deploy.waiting import wait_until

Report = Callable[[str], None]
READY_SECONDS = 60.0
# A process that stops within this time needs no word about the wait.
PATIENCE_SECONDS = 3.0
# Longer than the longest batch in hand: whoever takes longer is killed by then.
STOP_SECONDS = WORKER_STOP_SECONDS + 30.0
# OpenMP threads that spin while they wait make torch ten times slower on a busy machine.
QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


@dataclass(frozen=True)
class Start:
    """One start: where, with which settings, and what is embedded."""

    home: Home
    settings: Settings
    embedded: Embedded
    report: Report

    def launch(self) -> None:
        """Write the configuration and start the supervisor, which starts nothing by itself."""
        servers.write_configuration(self.home, self.embedded)
        config = supervisor_config(self.home, programs(self.home, self.embedded, self.settings))
        (self.home.run / "supervisord.conf").write_text(config, encoding="utf-8")
        environment = self.settings.environment() | QUIET_THREADS
        environment |= processes.marks(self.home, self.embedded.all_ports)
        environment.pop(processes.NAME, None)
        Supervisor(self.home).launch(environment)

    def start(self) -> list[str]:
        """Start what does not run and wait until the servers answer; return the names of what was started.

        Workers begin when the broker answers and the ledger has its tables. The store takes longer to answer, and they
        take as long to import their libraries: they ask for it with their first batch.
        """
        servers_started = self._start(SERVERS)
        servers.wait_for_broker(self.settings, READY_SECONDS, lambda: self._raise_if_failing(servers_started))
        database = Database(self.settings.resolved_ledger_url)
        try:
            database.migrate()
        finally:
            database.close()
        supervisor = Supervisor(self.home)
        workers_started = self._start([one.name for one in supervisor.processes() if one.name not in SERVERS])
        servers.wait_for_storage(
            self.settings, self.embedded, READY_SECONDS, lambda: self._raise_if_failing(servers_started)
        )
        for name in servers_started:
            self.report(f"{name} answers on {LOOPBACK}:{self.embedded.ports[name]}")
        return servers_started + workers_started

    def wait_for_workers(self, names: Sequence[str]) -> None:
        """Wait until these workers run; raises StateError with the end of its log when one does not start."""
        supervisor = Supervisor(self.home)
        started = [name for name in names if name not in SERVERS]

        def are_running() -> bool:
            self._raise_if_failing(started)
            return all(one.state == State.RUNNING for one in supervisor.processes() if one.name in started)

        if not wait_until(are_running, READY_SECONDS):
            raise StateError(f"{', '.join(started)} did not start within {READY_SECONDS:.0f} s: see {self.home.logs}")
        if started:
            self.report(f"{', '.join(started)} started; logs are in {self.home.logs}")

    def _start(self, names: Sequence[str]) -> list[str]:
        supervisor = Supervisor(self.home)
        idle = [one.name for one in supervisor.processes() if one.state not in (State.RUNNING, State.STARTING)]
        wanted = [name for name in names if name in idle]
        for name in wanted:
            supervisor.start(name)
        return wanted

    def _raise_if_failing(self, names: Iterable[str]) -> None:
        supervisor = Supervisor(self.home)
        for one in supervisor.processes():
            if one.name in names and one.state == State.FAILING:
                raise StateError(f"{one.name} does not start; the end of its log:\n  {supervisor.last_words(one.name)}")


def stop_supervised(home: Home, report: Report) -> int:
    """Stop workers, servers and the supervisor, in this order; return how many processes there were."""
    supervisor = Supervisor(home)
    pid = supervisor.pid
    if pid is None:
        return 0
    alive = [one.name for one in supervisor.processes() if one.state != State.STOPPED]
    _stop_stage(supervisor, [name for name in reversed(alive) if name not in SERVERS], report)
    _stop_stage(supervisor, [name for name in reversed(alive) if name in SERVERS], report)
    supervisor.shut_down()
    wait_until(lambda: not processes.is_running(pid), STOP_SECONDS)
    return len(alive) + 1


def _stop_stage(supervisor: Supervisor, names: Sequence[str], report: Report) -> None:
    def running() -> list[str]:
        alive = [one for one in supervisor.processes() if one.name in names and one.state != State.STOPPED]
        for one in alive:
            # Again, should the supervisor have been starting it anew when it was first asked.
            if one.state != State.STOPPING:
                supervisor.stop(one.name)
        return [one.name for one in alive]

    if not wait_until(lambda: not running(), PATIENCE_SECONDS):
        report(f"waiting for {', '.join(running())} to finish what is in hand (at most {WORKER_STOP_SECONDS} s)")
        wait_until(lambda: not running(), STOP_SECONDS)
    if names:
        report(f"{', '.join(names)} stopped")


def stop_leftovers(home: Home, report: Report) -> int:
    """Stop what a stack of this home left over when its supervisor was killed; return how many processes there were."""
    found = processes.of_home(home)
    if not found:
        return 0
    report(f"stopping what an earlier run left over: {', '.join(f'{one.name} (pid {one.pid})' for one in found)}")
    # A supervisor that still lives stops the others by itself, and would start them again if they went first.
    killed = processes.stop([one for one in found if one.name == processes.SUPERVISOR], STOP_SECONDS)
    killed += processes.stop([one for one in processes.of_home(home) if one.name not in SERVERS], STOP_SECONDS)
    for one in killed:
        report(f"{one.name} (pid {one.pid}) did not stop within {STOP_SECONDS:.0f} s and was killed")
    processes.stop([one for one in processes.of_home(home) if one.name == "seaweedfs"], STORE_STOP_SECONDS)
    processes.stop(processes.of_home(home), SERVER_STOP_SECONDS)
    return len(found)
