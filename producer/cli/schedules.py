"""Commands about schedules: campaigns submitted by the clock, what became of each moment, and who does it."""

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli.doors import actor, celery_app, load_settings, opened_ledger, traced
from producer.cli.options import AsJson, CampaignFile
from producer.cli.render import emit, moment, note, say, show_table
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Priority
from schemas.schedules import CatchUp

if TYPE_CHECKING:
    from core.ledger.schedules import Schedule
    from producer.schedules.keep import Owner

PANEL = "Schedules"
commands = typer.Typer(
    no_args_is_help=True, help="Campaigns that are submitted by the clock: add, list, show, update, pause and others."
)
process = typer.Typer()
NEXT_SHOWN = 3

Tenant = Annotated[str, typer.Option(help="Whose schedules.")]
ScheduleName = Annotated[str, typer.Argument(metavar="NAME", help="The name or id of a schedule.")]
Cron = Annotated[str, typer.Option(help="Minute, hour, day, month, weekday: '0 6 * * 1' is each Monday at six.")]
Zone = Annotated[
    str | None, typer.Option("--timezone", help="Whose clock: 'Europe/Berlin'; the campaign's, if not given, or UTC.")
]
Missed = Annotated[
    CatchUp | None,
    typer.Option("--catch-up", help="What is run of what was missed: nothing, the newest, or the newest ten."),
]
InWindow = Annotated[
    str | None, typer.Option("--window", help="Made only at these times of day, as '22:00-06:00', by the same clock.")
]
Urgency = Annotated[Priority | None, typer.Option("--priority", help="Instead of the campaign's own.")]


def _owner(tenant: str) -> "Owner":
    from producer.schedules.keep import Owner

    return Owner(tenant, actor())


@commands.command("add")
def add_command(  # noqa: PLR0913, PLR0917 - each thing that can be said is an option
    file: CampaignFile,
    cron: Cron,
    timezone: Zone = None,
    name: Annotated[str | None, typer.Option(help="What it is called; as the campaign, if not given.")] = None,
    catch_up: Missed = None,
    window: InWindow = None,
    priority: Urgency = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Have a campaign submitted by the clock. The file is kept as it is now: `schedule update` takes it again."""
    from producer.schedules.keep import Wish, add
    from producer.schedules.templates import of_file

    settings = load_settings()
    taken = of_file(file, tenant)
    wish = Wish(cron, timezone, catch_up, window, priority)
    with opened_ledger(settings, may_create=True) as ledger:
        made = add(ledger, settings, taken, wish, _owner(tenant), name, time.time())
    _answer(made, as_json=as_json)


@commands.command("update")
def update_command(  # noqa: PLR0913, PLR0917 - as above
    schedule: ScheduleName,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The campaign from now on.")] = None,
    cron: Annotated[str | None, typer.Option(help="When it is due from now on.")] = None,
    timezone: Zone = None,
    catch_up: Missed = None,
    window: InWindow = None,
    priority: Urgency = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Change a schedule from now on; with FILE it makes that campaign. `--window ''` leaves it to the campaign."""
    from producer.schedules.keep import Wish, change
    from producer.schedules.templates import of_file

    settings, wish = load_settings(), Wish(cron, timezone, catch_up, window, priority)
    taken = of_file(file, tenant) if file else None
    with opened_ledger(settings) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        changed = change(ledger, settings, found, wish, _owner(tenant), taken, time.time())
    _answer(changed, as_json=as_json)


@commands.command("list")
def list_command(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """List the schedules of a tenant."""
    from core.ledger.schedules import MOST_SCHEDULES

    with opened_ledger(load_settings()) as ledger:
        found = ledger.schedules.page(tenant, MOST_SCHEDULES)
    if as_json:
        for one in found:
            emit(**record_of(one))
    elif found:
        rows = [(one.name, one.state, one.cron, one.timezone, one.catch_up, _next(one)) for one in found]
        show_table(("schedule", "state", "cron", "time zone", "catch-up", "due next"), rows)
    else:
        note("no schedules yet: `factory schedule add FILE --cron '0 6 * * 1'` makes one")


@commands.command("show")
def show_command(schedule: ScheduleName, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show a schedule, the next moments that it is due at, and its campaign."""
    from producer.schedules.cron import moments_after

    with opened_ledger(load_settings()) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        kept = ledger.schedules.template(found.template_id)
    following = list(islice(moments_after(found.cron, found.timezone, time.time()), NEXT_SHOWN))
    if as_json:
        emit(**record_of(found), following=following, definition=kept.definition, files=sorted(kept.files))
        return
    _say(found)
    say(f"due       {', '.join(map(moment, following))}")
    for title, value in (("window", found.window), ("priority", found.priority), ("files", ", ".join(kept.files))):
        if value:
            say(f"{title:<9} {value}")
    say(f"made by   {found.created_by}, {moment(found.created_at)}")
    say("")
    say(kept.definition.rstrip())


@commands.command("pause")
def pause_command(schedule: ScheduleName, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Submit nothing until it is resumed. What falls into that time is not made up for."""
    with opened_ledger(load_settings()) as ledger:
        ledger.schedules.pause(ledger.schedules.find(tenant, schedule), actor())
        _answer(ledger.schedules.find(tenant, schedule), as_json=as_json)


@commands.command("resume")
def resume_command(schedule: ScheduleName, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Go on with a paused schedule, from the next moment that it is due at."""
    from producer.schedules.cron import next_after

    with opened_ledger(load_settings()) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        ledger.schedules.resume(found, next_after(found.cron, found.timezone, time.time()), actor())
        _answer(ledger.schedules.find(tenant, schedule), as_json=as_json)


@commands.command("remove")
def remove_command(schedule: ScheduleName, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Submit nothing any more. Campaigns that it has submitted stay as they are."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        ledger.schedules.remove(found, actor())
    if as_json:
        emit(schedule=found.id, name=found.name, removed=True)
    else:
        say(f"{found.name}: removed")


@commands.command("run")
def run_command(schedule: ScheduleName, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Submit its campaign once now, besides what the clock says; also while it is paused."""
    from producer.schedules.scheduler import run_now

    settings = load_settings()
    with traced(settings, "command"), opened_ledger(settings) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        done = run_now(ledger, settings, celery_app(settings), found, actor())
    if as_json:
        emit(schedule=found.id, **vars(done))
    elif done.campaign_id:
        say(f"{found.name}: campaign {done.campaign_id}")
    else:
        note(f"{found.name}: {done.state}: {done.reason}")
    if done.state == "failed":
        raise typer.Exit(1)


@commands.command("history")
def history_command(
    schedule: ScheduleName,
    tenant: Tenant = DEFAULT_TENANT,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the moments that it was due at, and what became of them."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.schedules.find(tenant, schedule)
        runs = ledger.runs.history(found.id, limit)
    if as_json:
        for one in runs:
            emit(**vars(one))
    elif runs:
        rows = [(moment(one.due_at), one.state, one.cause, one.campaign_id or one.reason) for one in runs]
        show_table(("due", "state", "cause", "campaign, or why not"), rows)
    else:
        note(f"{found.name} was not due yet: next {_next(found)}")


@process.command("scheduler", rich_help_panel=PANEL)
def scheduler_command() -> None:
    """Submit what schedules are due, here in the foreground. `factory up` starts this; several of them do no harm."""
    import signal
    import threading

    from core.logs import logged
    from producer.schedules.scheduler import run

    settings, stopping = load_settings(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        logged(settings, "scheduler"),
        traced(settings, "scheduler"),
        opened_ledger(settings, may_create=True) as ledger,
    ):
        run(ledger, settings, celery_app(settings), stopping)


def record_of(one: "Schedule") -> dict[str, object]:
    """Return a schedule as JSON has it."""
    plain = {name: value for name, value in vars(one).items() if name not in {"id", "template_id", "is_limited"}}
    return {"schedule": one.id} | plain


def _answer(one: "Schedule", *, as_json: bool) -> None:
    if as_json:
        emit(**record_of(one))
    else:
        _say(one)


def _say(one: "Schedule") -> None:
    say(f"{one.name}: {one.state}, '{one.cron}' in {one.timezone}, catch-up {one.catch_up}, due next {_next(one)}")


def _next(one: "Schedule") -> str:
    from producer.schedules.cron import NEVER

    if one.state != "active":
        return one.state
    return moment(one.next_at) if one.next_at < NEVER else "never"
