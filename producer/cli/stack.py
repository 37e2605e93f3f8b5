"""Commands about the running factory: up, down, doctor, status, demo, worker, bench."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import BrokerError, StateError
from producer.cli.doors import celery_app, has_ledger, load_settings, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import duration, emit, note, say, show_table
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from core.settings import Settings
    from deploy.stack import Stack

commands = typer.Typer()
PANEL = "Factory"
NEWEST_CAMPAIGNS = 10
# A worker imports its libraries before it answers; the model comes with its first job.
WORKER_SECONDS = 120.0
BENCH = Path(__file__).parents[2] / "benchmarks" / "factory_vs_plain.py"
# What these do with further arguments is theirs to say.
PASSES_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def _reporter(*, as_json: bool) -> Callable[[str], None]:
    return note if as_json else say


@commands.command("up", rich_help_panel=PANEL)
def up_command(
    wait: Annotated[bool, typer.Option("--wait", help="Return only when a worker answers.")] = False,
    new_secrets: Annotated[
        bool,
        typer.Option("--new-secrets", help="Make the password of broker and the keys of store anew; restarts all."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the embedded servers and workers of this folder, or what is missing of them."""
    from deploy import stack
    from deploy.pages import wait_for_pages

    report = _reporter(as_json=as_json)
    started = stack.up(load_settings(), report, new_secrets=new_secrets)
    # Whoever opens an address that is shown shall find something there.
    wait_for_pages(started.settings, report)
    if wait:
        _wait_for_worker(started.settings)
    if as_json:
        for process in started.processes:
            emit(process=process.name, state=process.state, pid=process.pid)
        return
    _show_places(started)


def _show_places(started: "Stack") -> None:
    say(f"Flower    {started.flower_url}")
    say(f"API       {started.api_url}/v1")
    say(f"pages     {started.api_url}")
    say(f"S3        {started.settings.s3_endpoint or 'AWS'}, bucket {started.settings.s3_bucket}")
    say(f"home      {started.settings.home}")


def _wait_for_worker(settings: "Settings") -> None:
    import kombu.exceptions

    from deploy.generating import is_generating

    app, ends_at = celery_app(settings), time.monotonic() + WORKER_SECONDS
    pause = threading.Event()
    while time.monotonic() < ends_at:
        try:
            answers = app.control.ping(timeout=1.0)
        except (kombu.exceptions.OperationalError, OSError) as error:
            raise BrokerError(f"the broker does not answer: {error}") from error
        if any(is_generating(name) for answer in answers or () for name in answer):
            return
        pause.wait(0.2)
    raise StateError(f"no worker answered within {WORKER_SECONDS:.0f} s; their logs are in {settings.home / 'logs'}")


@commands.command("down", rich_help_panel=PANEL)
def down_command(as_json: AsJson = False) -> None:
    """Stop them again: workers after the batch in hand, servers last. Data stays."""
    from deploy import stack

    stack.down(load_settings(), _reporter(as_json=as_json))
    if as_json:
        emit(down=True)


@commands.command("doctor", rich_help_panel=PANEL)
def doctor_command(as_json: AsJson = False) -> None:
    """Check the set-up and say what is wrong and how to mend it."""
    from deploy import doctor
    from deploy.findings import Level

    findings = doctor.check(load_settings())
    if as_json:
        for finding in findings:
            emit(**vars(finding))
    else:
        show_table(("", "what", "found", "mend"), [(f.level, f.name, f.found, f.mend) for f in findings])
    if any(finding.level == Level.FAIL for finding in findings):
        raise typer.Exit(1)


@commands.command("status", rich_help_panel=PANEL)
def status_command(
    campaign: Annotated[str | None, typer.Argument(metavar="[ID]", help="A campaign; without it, the factory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the processes, queues and newest campaigns, or one campaign."""
    settings = load_settings()
    if campaign is not None:
        _show_campaign(settings, campaign, as_json=as_json)
    elif as_json:
        _emit_factory(settings)
    else:
        _show_factory(settings)


def _show_campaign(settings: "Settings", campaign: str, *, as_json: bool) -> None:
    from producer.cli.watch import record_of, show_snapshot
    from producer.progress import snapshot

    with opened_ledger(settings) as ledger:
        current = snapshot(ledger, ledger.campaigns.find(campaign))
    if as_json:
        emit(**record_of(current))
    else:
        show_snapshot(current)


def _show_factory(settings: "Settings") -> None:
    from deploy import stack
    from producer.cli.campaigns import show_campaigns

    rows = [(p.name, p.state, p.pid, _uptime(p.uptime_seconds)) for p in stack.status(settings)]
    show_table(("process", "state", "pid", "up for"), rows, numbers=("pid",))
    say("")
    waiting = _waiting_tickets(settings)
    show_table(("queue", "tickets"), [(f"generate.{kind}", tickets) for kind, tickets in waiting.items()], ("tickets",))
    say("")
    if not has_ledger(settings):
        note(f"no campaigns: there is no ledger in {settings.home} yet")
        return
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.newest_first(NEWEST_CAMPAIGNS)
    if found:
        show_campaigns(found)
    else:
        note("no campaigns yet: `factory submit FILE` makes one")


def _emit_factory(settings: "Settings") -> None:
    from deploy import stack
    from producer.cli.watch import record_of_status

    for process in stack.status(settings):
        emit(process=process.name, state=process.state, pid=process.pid, uptime_seconds=process.uptime_seconds)
    for kind, tickets in _waiting_tickets(settings).items():
        emit(queue=f"generate.{kind}", tickets=tickets)
    if has_ledger(settings):
        with opened_ledger(settings) as ledger:
            for status in ledger.campaigns.newest_first(NEWEST_CAMPAIGNS):
                emit(**record_of_status(status))


def _uptime(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def _waiting_tickets(settings: "Settings") -> dict[Kind, int | None]:
    """Return the tickets that wait on each queue; nothing where the broker does not answer."""
    from core.broker import waiting_tickets

    app = celery_app(settings)
    try:
        return {kind: waiting_tickets(app, kind) for kind in Kind}
    except BrokerError as error:
        note(f"factory: {error}")
        return dict.fromkeys(Kind)


@commands.command("demo", rich_help_panel=PANEL)
def demo_command(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the factory running at the end.")] = False,
) -> None:
    """Run a real campaign from start to end and show what it made and where everything is."""
    from deploy import stack
    from deploy.supervision import State
    from producer.cli.showing import run_demo

    began = time.monotonic()
    settings = load_settings()
    was_up = any(process.state == State.RUNNING for process in stack.status(settings))
    started = stack.up(settings, say)
    try:
        campaign = run_demo(started.settings, began)
        _show_places(started)
        say(f"review    {started.api_url}/campaigns/{campaign}/gallery")
    finally:
        if keep or was_up:
            note("the factory keeps running: `factory down` stops it")
        else:
            stack.down(settings, say)
            note("`factory up` serves the pages again, with all that was made")


@commands.command("worker", rich_help_panel=PANEL)
def worker_command(
    kinds: Annotated[str, typer.Option(help="What it makes, with commas between.")] = ",".join(Kind),
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda, cuda:1, ...; the settings say, if not given.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Its name in Flower; no two workers of a machine share one.")] = None,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Record ratings instead of making things; loads no model.")
    ] = False,
    train: Annotated[bool, typer.Option("--train", help="Train models on ratings instead of making things.")] = False,
) -> None:
    """Become one more worker, here in the foreground. Ctrl-C ends it after the batch in hand."""
    wanted = [kind.strip() for kind in kinds.split(",")]
    unknown = [kind for kind in wanted if kind not in set(Kind)]
    if unknown:
        raise typer.BadParameter(f"unknown kind '{unknown[0]}'; known: {', '.join(Kind)}", param_hint="--kinds")
    settings = load_settings()
    if device:
        settings = settings.model_copy(update={"device": device})
    from core.broker import FEEDBACK_QUEUE, TRAIN_QUEUE, queue_of

    others = [queue for queue, is_wanted in ((FEEDBACK_QUEUE, feedback), (TRAIN_QUEUE, train)) if is_wanted]
    named = "-".join(others or wanted)
    queues = others or [queue_of(Kind(kind)) for kind in wanted]
    command = worker_command_line(queues, name or f"{named}-{os.getpid()}", settings.log_level)
    os.execvpe(command[0], command, settings.environment())  # noqa: S606 - a fixed list, and no shell is wanted


def worker_command_line(queues: list[str], name: str, log_level: str) -> list[str]:
    """Return the command of a worker: one process a device, three threads, no talk among workers."""
    return [
        *(sys.executable, "-m", "celery", "-q", "-A", "workers.app", "worker"),
        *("-Q", ",".join(queues), "-n", f"{name}@%h"),
        *("--pool=threads", "-c", "3", "--without-gossip", "--without-mingle", "-E", "-l", log_level),
    ]


@commands.command("bench", rich_help_panel=PANEL, context_settings=PASSES_ON)
def bench_command(context: typer.Context) -> None:
    """Measure the factory against the bare model; every argument goes to the benchmark, --help too."""
    if not BENCH.is_file():
        raise StateError(f"{BENCH} is not there: the benchmark is part of the checkout, not of the installed package")
    run_child([sys.executable, str(BENCH), *context.args])


def run_child(command: list[str]) -> None:
    """Run a command in the foreground with these settings; its exit code is ours."""
    ended = subprocess.run(command, env=load_settings().environment(), check=False)
    if ended.returncode:
        raise typer.Exit(ended.returncode if ended.returncode > 0 else 128 - ended.returncode)
