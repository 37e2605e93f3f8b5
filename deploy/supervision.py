"""The supervisor of a home: supervisord in the background, spoken to over its socket."""

import http.client
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.errors import StateError
from deploy.home import Home
from deploy.programs import place_of

RPC_SECONDS = 10.0
LAUNCH_SECONDS = 30.0
LOG_LINES = 5
LOG_BYTES = 4000
# Faults of its protocol that say: it is already as you want it.
ALREADY = {60, 70}
# It ends, and answers nothing else any more.
SHUTTING_DOWN = 6


class State(StrEnum):
    """What a process of the stack is doing."""

    RUNNING = "running"
    STARTING = "starting"
    # It ended right after its start; the supervisor tries again, each time a second later.
    FAILING = "failing"
    STOPPING = "stopping"
    STOPPED = "stopped"
    # It runs, but the supervisor that started it does not.
    LEFT_OVER = "left over"


STATES = {
    "RUNNING": State.RUNNING,
    "STARTING": State.STARTING,
    "BACKOFF": State.FAILING,
    "UNKNOWN": State.FAILING,
    # It ended, and is started again within a second.
    "EXITED": State.STARTING,
    "STOPPING": State.STOPPING,
    "STOPPED": State.STOPPED,
    # The supervisor gave up; `up` tries again.
    "FATAL": State.STOPPED,
}


@dataclass(frozen=True)
class ProcessStatus:
    """One process of the stack, as it is now."""

    name: str
    state: State
    pid: int | None = None
    uptime_seconds: float | None = None


class Supervisor:
    """The supervisor of one home; every call is a new connection, so it may come and go."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def launch(self, environment: Mapping[str, str]) -> None:
        """Start supervisord in the background; returns when it listens. Its processes inherit the environment."""
        command = (sys.executable, "-m", "supervisor.supervisord", "-c", str(self._home.run / "supervisord.conf"))
        try:
            ended = subprocess.run(
                command,
                env=dict(environment),
                cwd=self._home.run,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LAUNCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StateError(f"the supervisor did not start within {LAUNCH_SECONDS:.0f} s") from error
        if ended.returncode:
            lines = (ended.stderr or ended.stdout).strip().splitlines() or ["no reason given"]
            raise StateError(f"the supervisor does not start: {lines[-1]}")

    @property
    def pid(self) -> int | None:
        """Return its process id, None when it does not answer."""
        try:
            return int(self._call("getPID"))
        except OSError:
            return None

    def processes(self) -> list[ProcessStatus]:
        """Return its processes in the order of their start; empty when it does not answer."""
        try:
            found: list[dict[str, Any]] = self._call("getAllProcessInfo")
        except OSError:
            return []
        return sorted(map(_status, found), key=lambda one: place_of(one.name))

    def start(self, name: str) -> None:
        """Start a process and do not wait for it; one that runs stays as it is."""
        self._call("startProcess", name, False)

    def stop(self, name: str) -> None:
        """Ask a process to end and do not wait for it; one that does not run stays as it is."""
        self._call("stopProcess", name, False)

    def shut_down(self) -> None:
        """Ask it to end, after everything that still runs."""
        self._call("shutdown")

    def last_words(self, name: str) -> str:
        """Return the end of a process's log; of the one before where it was emptied just now."""
        found = "it has no log"
        for path in (self._home.logs / f"{name}.log", self._home.logs / f"{name}.log.1"):
            try:
                lines = _end_of(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                return f"its log cannot be read: {error}; see {self._home.logs / 'supervisor.log'}"
            if lines:
                return "\n  ".join(lines)
            found = "its log is empty"
        return f"{found}; see {self._home.logs / 'supervisor.log'}"

    def _call(self, method: str, *arguments: str | bool) -> Any:
        with xmlrpc.client.ServerProxy("http://supervisor", transport=_Transport(str(self._home.socket))) as proxy:
            try:
                return getattr(proxy.supervisor, method)(*arguments)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode in ALREADY:
                    return None
                if fault.faultCode == SHUTTING_DOWN:
                    raise ConnectionError("the supervisor is shutting down") from fault
                raise StateError(f"the supervisor refuses {method} {arguments}: {fault.faultString}") from fault
            except (http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
                raise ConnectionError(f"the supervisor broke off: {error}") from error


def _end_of(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace").strip().splitlines()[-LOG_LINES:]


def _status(info: Mapping[str, Any]) -> ProcessStatus:
    state = STATES[info["statename"]]
    pid = int(info["pid"]) or None
    uptime = float(info["now"] - info["start"]) if pid else None
    return ProcessStatus(str(info["name"]), state, pid, uptime)


class _Transport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        # Kept where the base class closes it.
        connection = _Connection(str(host), self._path)
        self._connection = (host, connection)
        return connection


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, path: str) -> None:
        super().__init__(host, timeout=RPC_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(RPC_SECONDS)
        self.sock.connect(self._path)
