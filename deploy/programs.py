"""Every process of the stack: its command, its place in the order, and the supervisor's configuration made of them."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.broker import FEEDBACK_QUEUE, HOUSEKEEPING_QUEUE, TRAIN_QUEUE, queue_of
from core.settings import Settings
from deploy import generating, servers
from deploy.embedded import Embedded
from deploy.home import Home
from deploy.ports import LOOPBACK
from schemas.campaigns import Kind

# For the batch in hand when a worker is asked to stop; after that it is killed, and its lease brings the jobs back.
WORKER_STOP_SECONDS = 120
# The store closes its doors at once, but waits 15 s for a connection to itself; what it acknowledged is written.
STORE_STOP_SECONDS = 2
SERVER_STOP_SECONDS = 20
# Long enough to tell a broken start from a good one: Python needs a second to import the worker.
WORKER_START_SECONDS = 2
# The supervisor waits one second longer after each failed start, so a full disk or a taken port is no busy loop.
START_ATTEMPTS = 1000
SERVERS = ("valkey", "seaweedfs")
# Of the first there may be several: generate-2 and further ones come right after it.
WORKERS = ("generate", "feedback", "housekeeping", "beat", "flower", "api", "deliver", "scheduler", "train")
# In the order of their ports for probes and metrics; further processes that generate take those behind.
PROBED = ("generate", "feedback", "housekeeping", "deliver", "scheduler", "train")
# For calls in hand; whoever watches a campaign begins again elsewhere.
API_STOP_SECONDS = 10
# For the attempts in hand, which have their own deadline.
DELIVER_STOP_SECONDS = 20
# For the campaign in hand; one that is killed half-way is completed later.
SCHEDULER_STOP_SECONDS = 20
# The arguments of a job are its product, channel, audience and campaign: what a person looks for.
FLOWER_COLUMNS = "name,args,state,received,runtime,worker,uuid"
LOG_MEGABYTES = 10
LOG_FILES = 3
# Run as a file, before anything of its environment is loaded: that takes a hundredth of a second.
LAUNCH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))


@dataclass(frozen=True)
class Program:
    """One process under supervision."""

    name: str
    command: tuple[str, ...]
    start_seconds: int = WORKER_START_SECONDS
    stop_seconds: int = WORKER_STOP_SECONDS
    environment: tuple[tuple[str, str], ...] = ()


def programs(home: Home, embedded: Embedded, settings: Settings) -> list[Program]:
    """Return the processes in the order of their start: servers, then workers."""
    found = []
    if embedded.broker:
        command = servers.valkey_command(home)
        found.append(Program("valkey", command, start_seconds=1, stop_seconds=SERVER_STOP_SECONDS))
    if embedded.store:
        command = servers.store_command(home, embedded.store)
        found.append(Program("seaweedfs", command, start_seconds=1, stop_seconds=STORE_STOP_SECONDS))
    celery = (sys.executable, "-m", "celery", "-q", "-A", "workers.app")
    factory = (sys.executable, "-m", "producer")
    worker = (*celery, "worker", "--without-gossip", "--without-mingle", "-E", "-l", settings.log_level)
    found += [
        *_generating(worker, settings),
        # One thread would wait for each commit: many people who rate at once are faster than that.
        Program("feedback", (*worker, "-n", "feedback@%h", "-Q", FEEDBACK_QUEUE, "--pool=threads", "-c", "3")),
        Program("housekeeping", (*worker, "-n", "housekeeping@%h", "-Q", HOUSEKEEPING_QUEUE, "--pool=solo")),
        Program("beat", (*celery, "beat", "-l", settings.log_level)),
        Program(
            "flower",
            (
                *(*celery, "flower", f"--address={LOOPBACK}", f"--port={embedded.flower_port}"),
                f"--tasks_columns={FLOWER_COLUMNS}",
            ),
            # Only this machine reaches it, and its pages need the API that they show.
            environment=(("FLOWER_UNAUTHENTICATED_API", "true"),),
        ),
        # Here it listens on this machine alone, whatever the settings say: whoever wants more starts `factory api`.
        Program(
            "api",
            (*factory, "api", f"--host={LOOPBACK}", f"--port={embedded.api_port}"),
            stop_seconds=API_STOP_SECONDS,
        ),
        Program("deliver", (*factory, "webhooks", "deliver"), stop_seconds=DELIVER_STOP_SECONDS),
        Program("scheduler", (*factory, "scheduler"), stop_seconds=SCHEDULER_STOP_SECONDS),
        # Learning takes minutes of a device that people wait for: it goes last.
        Program(
            "train", ("nice", "-n", "10", *worker, "-n", "train@%h", "-Q", TRAIN_QUEUE, "--pool=threads", "-c", "1")
        ),
    ]
    probed = (*PROBED, *(one.name for one in found if one.name not in {*SERVERS, *WORKERS}))
    return [_with_port(program, probed, settings.metrics_port) for program in found]


def workers(settings: Settings) -> list[str]:
    """Return the names of the workers that these settings ask for, in the order of their start."""
    return [*(share.name for share in _shares(settings)), *WORKERS[1:]]


def place_of(name: str) -> tuple[int, int]:
    """Return where a process stands in the order of the start; of several that generate, by their numbers."""
    order = (*SERVERS, *WORKERS)
    first, _, number = name.partition("-")
    # One of another version, which an old stack left over, goes last.
    return (order.index(first), int(number or 1)) if first in order else (len(order), 0)


def _shares(settings: Settings) -> list[generating.Share]:
    return generating.shares(settings, generating.Machine.of(settings))


def _generating(worker: Sequence[str], settings: Settings) -> Iterator[Program]:
    queues = ",".join(map(queue_of, Kind))
    for share in _shares(settings):
        command = (*worker, "-n", f"{share.name}@%h", "-Q", queues, "--pool=threads", "-c", "3")
        yield Program(share.name, command, environment=share.environment)


def _with_port(program: Program, probed: Sequence[str], first: int | None) -> Program:
    """Give each process that answers probes a port of its own: the one that is set, or one after it."""
    if first is None or program.name not in probed:
        return program
    port = first + probed.index(program.name)
    return replace(program, environment=(*program.environment, ("FACTORY_METRICS_PORT", str(port))))


def supervisor_config(home: Home, ordered: Sequence[Program]) -> str:
    """Return the configuration of supervisord. It holds no secrets: settings reach the processes as environment.

    Nothing starts by itself: a worker starts when the servers answer, which supervisord cannot know.
    """
    head = f"""\
[supervisord]
logfile={home.logs / "supervisor.log"}
logfile_maxbytes={LOG_MEGABYTES}MB
logfile_backups={LOG_FILES}
pidfile={home.run / "supervisor.pid"}
childlogdir={home.logs}
directory={home.run}
umask=077
nocleanup=true

[unix_http_server]
file={home.socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[rpcinterface:logs]
supervisor.rpcinterface_factory=deploy.rotate:Rotation
folder={home.logs}
megabytes={LOG_MEGABYTES}
files={LOG_FILES}
"""
    return "\n".join([head, *(_section(home, place, program) for place, program in enumerate(ordered, 1))])


def _section(home: Home, place: int, program: Program) -> str:
    environment = ",".join(f'{key}="{value}"' for key, value in program.environment)
    # A percent sign begins a substitution in this file.
    command = shlex.join((*LAUNCH, f"{home.logs / program.name}.log", *program.command)).replace("%", "%%")
    return f"""\
[program:{program.name}]
command={command}
directory={home.run}
environment={environment}
priority={place}
autostart=false
autorestart=true
startsecs={program.start_seconds}
startretries={START_ATTEMPTS}
stopsignal=TERM
stopwaitsecs={program.stop_seconds}
stopasgroup=false
killasgroup=true
redirect_stderr=true
stdout_logfile=NONE
stdout_events_enabled=true
"""
