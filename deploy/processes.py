"""Processes of this machine: those that belong to a home, and who holds a port."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.errors import SettingsError
from deploy.home import Home

try:
    import psutil
except ModuleNotFoundError as missing:
    raise SettingsError("psutil is missing: install content-factory with its `embedded` extra") from missing

# Set for the supervisor of a home, and so for everything below it; other processes with its settings do not have it.
MARK = "FACTORY_STACK"
# Beside the mark: the ports of its stack, which are its own even while a server of it is just starting again.
PORTS = "FACTORY_STACK_PORTS"
# Set by supervisord for each of its children.
NAME = "SUPERVISOR_PROCESS_NAME"
SUPERVISOR = "supervisor"
KILL_SECONDS = 10.0


@dataclass(frozen=True)
class Leftover:
    """A process of a home, found by its mark."""

    name: str
    pid: int
    process: psutil.Process

    @property
    def uptime_seconds(self) -> float:
        """Return how long it has been running."""
        return max(0.0, time.time() - self.process.create_time())


def marks(home: Home, ports: Iterable[int]) -> dict[str, str]:
    """Return the environment by which the processes of a home are known."""
    return {MARK: str(home.root), PORTS: " ".join(map(str, ports))}


def of_home(home: Home) -> list[Leftover]:
    """Return every living process that a stack in this home started, whether or not its supervisor lives."""
    return [
        Leftover(environment.get(NAME, SUPERVISOR), process.pid, process)
        for process, environment in _marked()
        if environment[MARK] == str(home.root)
    ]


def home_of(pid: int) -> str | None:
    """Return the home for which a process was started, as it was then; None when it has none or is not to be seen."""
    try:
        return psutil.Process(pid).environ().get(MARK)
    except psutil.Error:
        return None


def ports_of_others(home: Home) -> set[int]:
    """Return the ports of the stacks that run in other homes."""
    texts = {environment.get(PORTS, "") for _, environment in _marked() if environment[MARK] != str(home.root)}
    return {int(port) for text in texts for port in text.split()}


def _marked() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    mine = os.getuid()
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.uids().real != mine or not is_alive(process):
                continue
            environment = process.environ()
        except psutil.Error:
            # It ended while we looked, or it is none of ours to look at.
            continue
        if MARK in environment:
            yield process, environment


def is_running(pid: int) -> bool:
    """Tell whether a process of this number runs."""
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def is_alive(process: psutil.Process) -> bool:
    """Tell whether the process still runs; one that only waits to be buried does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(leftovers: Iterable[Leftover], seconds: float) -> list[Leftover]:
    """Ask the processes to end and wait for them; kill those that take longer, and return these."""
    processes = {leftover.process: leftover for leftover in leftovers}
    for process in processes:
        _signal(process, kill=False)
    _, late = psutil.wait_procs(processes, seconds)
    late = [process for process in late if is_alive(process)]
    for process in late:
        _signal(process, kill=True)
    psutil.wait_procs(late, KILL_SECONDS)
    return [processes[process] for process in late]


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return


def port_holder(port: int) -> tuple[int, str] | None:
    """Return process id and name of who listens on a port of this machine; None when that is not to be seen."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        is_it = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if is_it and connection.pid:
            try:
                return connection.pid, psutil.Process(connection.pid).name()
            except psutil.NoSuchProcess:
                return None
    return None


def holder_words(port: int) -> str:
    """Return who listens on a port, in words."""
    holder = port_holder(port)
    return f"{holder[1]} (pid {holder[0]})" if holder else "a process of somebody else"
