"""The embedded stack of one machine: up, down, status.

All three may be called at any time and in whatever state a crash left the home folder.
"""

from dataclasses import dataclass

from core.settings import Settings
from core.traces import require_installed
from deploy import embedded as records
from deploy import processes
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.names import unknown
from deploy.ports import LOOPBACK, choosing, is_free
from deploy.programs import SERVERS, place_of, workers
from deploy.sequence import PATIENCE_SECONDS, STOP_SECONDS, Report, Start, stop_leftovers, stop_supervised
from deploy.servers import remove_sockets
from deploy.supervision import ProcessStatus, State, Supervisor
from deploy.waiting import exclusive, wait_until

MOVED = "moved from {} while its stack ran, and what ends does not start again"
AGAIN = "`factory down`, then `factory up`"
ANOTHER = "another `factory up` or `factory down`"


@dataclass(frozen=True)
class Stack:
    """A running stack: the settings that lead to it, and its processes."""

    settings: Settings
    processes: tuple[ProcessStatus, ...]

    @property
    def flower_url(self) -> str:
        """Return where Flower shows the workers."""
        return f"http://{LOOPBACK}:{self.settings.flower_port}"

    @property
    def api_url(self) -> str:
        """Return where programs call the HTTP API, and people find the pages."""
        return f"http://{LOOPBACK}:{self.settings.api_port}"


def up(settings: Settings, report: Report, *, new_secrets: bool = False) -> Stack:
    """Start what does not run; return when the servers answer and the workers run. A stack that is up stays as it is.

    What a killed stack left over is stopped first; with new secrets everything is, since processes keep their old ones.
    """
    require_installed(settings)
    home = Home.of(settings)
    home.create()
    for words, meant in unknown(home.env_file):
        report(f"{words}: {meant}")
    with exclusive(home.lock, STOP_SECONDS, ANOTHER):
        embedded = records.read(home.env_file)
        if new_secrets:
            stop_supervised(home, report)
        if embedded is None or Supervisor(home).pid is None:
            stop_leftovers(home, report)
            start, started = _start_anew(home, settings, embedded, report, new_secrets=new_secrets)
        else:
            was = moved_from(home)
            if was:
                report(f"{home.root} was {MOVED.format(was)}: {AGAIN}")
            start = Start(home, _settled(home, settings, embedded), embedded, report)
            started = start.start()
            start.wait_for_workers(started)
            _report_changes(start)
        if not started:
            report(f"the stack in {home.root} is already up")
        # Pages answer where they were started, whatever the settings say by now.
        ports = {"flower_port": start.embedded.flower_port, "api_port": start.embedded.api_port}
        return Stack(start.settings.model_copy(update=ports), tuple(Supervisor(home).processes()))


def down(settings: Settings, report: Report) -> None:
    """Stop everything of this home: workers after the batch in hand, servers last. Twice is no error."""
    home = Home.of(settings)
    if not home.run.is_dir():
        report(f"nothing runs in {home.root}")
        return
    with exclusive(home.lock, STOP_SECONDS, ANOTHER):
        stopped = stop_supervised(home, report) + stop_leftovers(home, report)
        for name in ("supervisor.sock", "supervisor.pid"):
            (home.run / name).unlink(missing_ok=True)
        embedded = records.read(home.env_file)
        if embedded and embedded.store:
            remove_sockets(embedded.store)
        report(f"the stack in {home.root} is down" if stopped else f"nothing runs in {home.root}")


def status(settings: Settings) -> list[ProcessStatus]:
    """Return every process of the stack in the order of their start, also those that do not run."""
    home = Home.of(settings)
    supervised = Supervisor(home).processes()
    if supervised:
        return supervised
    left = {one.name: one for one in processes.of_home(home)}
    embedded = records.read(home.env_file)
    servers = [name for name in SERVERS if embedded and name in embedded.ports]
    # What runs may have been started with other settings than these.
    names = {*servers, *workers(settings), *left} - {processes.SUPERVISOR}
    return [
        ProcessStatus(name, State.LEFT_OVER, left[name].pid, left[name].uptime_seconds)
        if name in left
        else ProcessStatus(name, State.STOPPED)
        for name in sorted(names, key=place_of)
    ]


def moved_from(home: Home) -> str | None:
    """Return where a home lay when the stack that runs in it was started, if that was elsewhere."""
    pid = Supervisor(home).pid
    was = processes.home_of(pid) if pid else None
    return was if was != str(home.root) else None


def _start_anew(
    home: Home, settings: Settings, former: Embedded | None, report: Report, *, new_secrets: bool
) -> tuple[Start, list[str]]:
    """Choose ports and start everything; a server that does not come up takes the supervisor with it."""
    own = records.own_ports(home.env_file, settings)
    if former:
        settings = former.forget(settings, own)
    with choosing():
        if former:
            # A process that was just killed holds its ports for a moment longer than anybody can see it.
            wait_until(lambda: all(map(is_free, former.all_ports)), PATIENCE_SECONDS)
        wanted = former.with_new_secrets() if former and new_secrets else former
        embedded = Embedded.choose(settings, wanted, processes.ports_of_others(home))
        before = former.ports if former else records.default_ports(settings)
        for name, port in embedded.ports.items():
            if before.get(name, port) != port and f"{name}_port" not in own:
                report(f"port {before[name]} is held by {processes.holder_words(before[name])}: {name} takes {port}")
        records.write(home.env_file, embedded)
        made_for = [name for name in SERVERS if name in embedded.ports] if wanted is not former else []
        if made_for:
            report(f"new secrets for {' and '.join(made_for)}; ports and your own lines in {home.env_file} stay")
        start = Start(home, _settled(home, settings, embedded), embedded, report)
        start.launch()
    try:
        started = start.start()
    except BaseException:
        stop_supervised(home, report)
        raise
    start.wait_for_workers(started)
    return start, started


def _settled(home: Home, settings: Settings, embedded: Embedded) -> Settings:
    # Processes of the stack have another working directory, so the home must not be relative.
    return embedded.fill(settings).model_copy(update={"home": home.root})


def _report_changes(start: Start) -> None:
    """Say which settings the running processes do not have yet."""
    for one in processes.of_home(start.home):
        if one.name == processes.SUPERVISOR:
            theirs, ours = one.process.environ(), start.settings.environment()
            ignored = {processes.MARK, processes.PORTS, "FACTORY_HOME"}
            changed = sorted(
                key
                for key in theirs.keys() | ours.keys()
                if key.startswith("FACTORY_") and key not in ignored and theirs.get(key) != ours.get(key)
            )
            if changed:
                start.report(f"{', '.join(changed)} changed: {AGAIN} takes that over")
