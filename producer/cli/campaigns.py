"""Commands about whole campaigns: plan, submit, list, watch, pause, resume, cancel, priority."""

from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import StateError
from producer.cli.doors import actor, celery_app, has_ledger, load_settings, opened_ledger, traced
from producer.cli.options import AsJson, CampaignFile, CampaignId
from producer.cli.render import count, duration, emit, moment, money, note, say, show_table, window_line
from schemas.campaigns import Priority

if TYPE_CHECKING:
    from core.ledger.campaigns import CampaignStatus
    from core.settings import Settings
    from producer.campaigns import CampaignSource
    from producer.plan import Plan
    from producer.submit import Submitted

commands = typer.Typer()
PANEL = "Campaigns"

Workers = Annotated[int, typer.Option(min=1, max=10_000, help="How many workers share the work.")]
Device = Annotated[
    str | None, typer.Option(help="What the workers run on: cpu or cuda; the settings say, if not given.")
]
Price = Annotated[float | None, typer.Option(min=0, help="What an hour of a device costs, in any currency.")]


@commands.command("plan", rich_help_panel=PANEL)
def plan_command(
    file: CampaignFile,
    workers: Workers = 1,
    device: Device = None,
    price: Price = None,
    as_json: AsJson = False,
) -> None:
    """Check a campaign file, count its jobs and estimate time and money; start nothing."""
    from producer import campaigns

    settings = load_settings()
    source = campaigns.read(file)
    planned = _planned(source, settings, workers, device, price)
    window, opens_at = _opening(source)
    if as_json:
        emit(**planned.model_dump(), window=window, opens_at=opens_at)
    else:
        _show_plan(planned, settings)
        if window:
            say(f"window         {window_line(window, opens_at)}")
    if planned.over_budget:
        raise typer.Exit(1)


@commands.command("submit", rich_help_panel=PANEL)
def submit_command(
    file: CampaignFile,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show how it goes.")] = False,
    workers: Workers = 1,
    device: Device = None,
    price: Price = None,
    as_json: AsJson = False,
) -> None:
    """Have a campaign made. The same file twice is one campaign, not two."""
    from producer import campaigns
    from producer.cli.watch import watch_campaign
    from producer.submit import submit

    settings = load_settings()
    source = campaigns.read(file)
    planned = _planned(source, settings, workers, device, price)
    with traced(settings, "command"), opened_ledger(settings, may_create=True) as ledger:
        submitted = submit(source, settings, ledger, celery_app(settings))
        status = ledger.campaigns.status(submitted.id)
        if as_json:
            emit(
                campaign=submitted.id,
                is_new=submitted.is_new,
                state=status.state,
                jobs=submitted.jobs,
                tickets_rung=submitted.tickets_rung,
                device_seconds=planned.device_seconds,
                wall_seconds=planned.wall_seconds,
                cost=planned.cost,
            )
        else:
            _show_submitted(submitted, status, planned)
        if watch:
            watch_campaign(ledger, submitted.id, as_json=as_json)


def _planned(
    source: "CampaignSource", settings: "Settings", workers: int, device: str | None, price: float | None
) -> "Plan":
    """Return the plan with what this factory has measured; without a ledger with the table alone."""
    from core.errors import LedgerError
    from producer.estimate import estimate

    measured: dict[str, float] = {}
    if has_ledger(settings):
        try:
            with opened_ledger(settings) as ledger:
                measured = ledger.assets.measured_rates()
        except LedgerError as error:
            note(f"estimated without what was measured here: {error}")
    return estimate(source, settings, measured, workers, device, price)


def _opening(source: "CampaignSource") -> tuple[str, float | None]:
    """Return the window of a campaign, and when it opens unless it is open."""
    import time

    from core.windows import opening_after, written

    window = written(source.campaign.window, source.campaign.timezone)
    return window, opening_after(window, time.time())


def _show_plan(planned: "Plan", settings: "Settings") -> None:
    show_table(("channel", "jobs"), planned.jobs_by_channel.items(), numbers=("jobs",))
    batches = sum(planned.batches_by_bucket.values())
    say("")
    say(f"campaign       {planned.campaign_id}")
    say(f"jobs           {planned.jobs} for {count(planned.products, 'product')}, in {count(batches, 'batch')[:-1]}es")
    for kind, model in planned.models.items():
        say(f"{kind + ' by':<14} {model}, batches of at most {settings.batch_size}")
    say(f"time           {_estimate(planned)}")
    if planned.cost is not None:
        say(f"cost           {money(planned.cost)}")
    if planned.over_budget:
        note(planned.over_budget)
    elif planned.jobs_in_budget < planned.jobs:
        note(f"the budget stops it after about {planned.jobs_in_budget} of {planned.jobs} jobs")


def _estimate(planned: "Plan") -> str:
    if planned.device_seconds is None:
        return f"unknown: nobody measured this model on {planned.device}"
    how = "as measured here" if planned.is_measured else "an estimate, not measured here yet"
    workers = count(planned.workers, "worker")
    return (
        f"{duration(planned.wall_seconds)} with {workers} on {planned.device}, "
        f"{duration(planned.device_seconds)} of device time ({how})"
    )


def _show_submitted(submitted: "Submitted", status: "CampaignStatus", planned: "Plan") -> None:
    if not submitted.is_new:
        say(f"{submitted.id}: this campaign is there already, {status.state}, {status.done} of {submitted.jobs} done")
        if status.state == "cancelled":
            note("it was cancelled; another seed in the file makes it a new campaign")
    else:
        say(f"{submitted.id}: {count(submitted.jobs, 'job')} submitted, {_estimate(planned)}")
        if planned.cost is not None:
            say(f"about {money(planned.cost)} in all")
    if not submitted.tickets_rung:
        note("the broker does not answer: the jobs are safe in the ledger and start when it is back")


@commands.command("list", rich_help_panel=PANEL)
def list_command(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest campaigns."""
    from producer.cli.watch import record_of_status

    settings = load_settings()
    if not has_ledger(settings):
        note(f"no campaigns: there is no ledger in {settings.home} yet")
        return
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.newest_first(limit)
    if as_json:
        for status in found:
            emit(**record_of_status(status))
    elif found:
        show_campaigns(found)
    else:
        note("no campaigns yet: `factory submit FILE` makes one")


def show_campaigns(found: "list[CampaignStatus]") -> None:
    """Write campaigns as a table."""
    rows = [
        (s.id, s.state, s.priority, s.submitted_jobs, s.done, s.open_jobs, s.failed, moment(s.created_at))
        for s in found
    ]
    columns = ("campaign", "state", "priority", "jobs", "done", "open", "failed", "submitted")
    show_table(columns, rows, numbers=("jobs", "done", "open", "failed"))


@commands.command("watch", rich_help_panel=PANEL)
def watch_command(campaign: CampaignId, as_json: AsJson = False) -> None:
    """Show how a campaign goes until nothing of it is open. Ctrl-C ends the watching, not the campaign."""
    from producer.cli.watch import watch_campaign

    with opened_ledger(load_settings()) as ledger:
        watch_campaign(ledger, ledger.campaigns.find(campaign), as_json=as_json)


@commands.command("pause", rich_help_panel=PANEL)
def pause_command(campaign: CampaignId, as_json: AsJson = False) -> None:
    """Stop making a campaign; batches in hand end normally."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.campaigns.find(campaign)
        ledger.campaigns.pause(found, actor())
        _answer(ledger.campaigns.status(found), as_json=as_json)


@commands.command("resume", rich_help_panel=PANEL)
def resume_command(campaign: CampaignId, as_json: AsJson = False) -> None:
    """Go on with a paused campaign; one that its budget stopped gets the budget lifted."""
    from producer.submit import ring_for

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.find(campaign)
        ledger.campaigns.resume(found, actor())
        status = ledger.campaigns.status(found)
        if not ring_for(celery_app(settings), status.waiting, settings.batch_size):
            note("the broker does not answer: the jobs start when it is back")
        _answer(status, as_json=as_json)


@commands.command("cancel", rich_help_panel=PANEL)
def cancel_command(campaign: CampaignId, as_json: AsJson = False) -> None:
    """End every open job of a campaign. What is done stays."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.campaigns.find(campaign)
        ended = ledger.campaigns.cancel(found, actor())
        _answer(ledger.campaigns.status(found), as_json=as_json, what=f", {count(ended, 'open job')} ended")


@commands.command("priority", rich_help_panel=PANEL)
def priority_command(
    campaign: CampaignId,
    priority: Annotated[Priority, typer.Argument(help="A better class always goes first.")],
    as_json: AsJson = False,
) -> None:
    """Make a campaign more or less urgent, from the next batch on."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.campaigns.find(campaign)
        status = ledger.campaigns.status(found)
        if status.is_settled:
            raise StateError(f"campaign {found} is {status.state}: nothing of it waits any more")
        ledger.campaigns.set_priority(found, priority, actor())
        _answer(ledger.campaigns.status(found), as_json=as_json, what=f", priority {priority}")


def _answer(status: "CampaignStatus", *, as_json: bool, what: str = "") -> None:
    if as_json:
        from producer.cli.watch import record_of_status

        emit(**record_of_status(status))
    else:
        say(
            f"{status.id}: {status.state}{what}; {status.done} of {status.submitted_jobs} done, {status.open_jobs} open"
        )
