"""Watching a campaign: a table that lives, plain lines where there is no terminal, objects for programs."""

import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from core.errors import LedgerError
from producer.cli.render import count, duration, emit, note, rate, say, show_table, table, window_line
from schemas.jobs import JobState

if TYPE_CHECKING:
    from rich.console import RenderableType

    from core.ledger import Ledger
    from core.ledger.campaigns import CampaignStatus
    from producer.progress import Snapshot

POLL_SECONDS = 0.5
# A big ledger is asked no more than a part of the time, whatever one answer takes.
REST_FOR_EACH_SECOND = 10
LINE_SECONDS = 5.0
# Without news a line says only that somebody still looks.
QUIET_LINE_SECONDS = 30.0
AWAY_SECONDS = 60.0
# Nothing made and nothing in hand for this long: probably nobody works.
IDLE_SECONDS = 20.0
PREVIEW_CHARACTERS = 100
COLUMNS = ("channel", "done", "in hand", "waiting", "failed", "jobs", "device time")


def watch_campaign(ledger: "Ledger", campaign_id: str, *, as_json: bool) -> None:
    """Show a campaign until it is over; ends with exit code 1 when not every job of it is done."""
    try:
        status = follow(ledger, campaign_id, as_json=as_json).status
    except KeyboardInterrupt:
        note(f"the campaign goes on; `factory watch {campaign_id}` shows it again")
        raise typer.Exit(130) from None
    if status.done == status.submitted_jobs:
        return
    if status.state == "paused":
        note(f"{status.state_reason}: `factory resume {campaign_id}` goes on")
    if status.failed:
        note(f"{count(status.failed, 'job')} failed: `factory dead-letters {campaign_id}` says why")
    raise typer.Exit(1)


def follow(ledger: "Ledger", campaign_id: str, *, as_json: bool) -> "Snapshot":
    """Show a campaign until it is over, in the way that suits the reader; return its last moment."""
    if as_json:
        return _watch_objects(ledger, campaign_id)
    if sys.stdout.isatty():
        return _watch_table(ledger, campaign_id)
    return _watch_lines(ledger, campaign_id)


def snapshots(ledger: "Ledger", campaign_id: str) -> Iterator["Snapshot"]:
    """Yield how the campaign goes, at most twice a second, until it is over. A ledger that is away is waited for."""
    from producer.progress import snapshot

    pause, away_since = threading.Event(), None
    while True:
        began = time.monotonic()
        try:
            current = snapshot(ledger, campaign_id)
        except LedgerError as error:
            if away_since is None:
                away_since = began
                note(f"waiting: {error}")
            if began - away_since > AWAY_SECONDS:
                raise
        else:
            away_since = None
            took = time.monotonic() - began
            yield current
            if current.status.is_over:
                return
            pause.wait(took * REST_FOR_EACH_SECOND)
        pause.wait(POLL_SECONDS)


def _watch_objects(ledger: "Ledger", campaign_id: str) -> "Snapshot":
    shown, shown_at = None, -QUIET_LINE_SECONDS
    for current in snapshots(ledger, campaign_id):
        if current.status != shown or time.monotonic() - shown_at > LINE_SECONDS:
            emit(**record_of(current))
            sys.stdout.flush()
            shown, shown_at = current.status, time.monotonic()
        last = current
    return last


def _watch_lines(ledger: "Ledger", campaign_id: str) -> "Snapshot":
    shown, shown_at = None, -QUIET_LINE_SECONDS
    idle = Idleness()
    for current in snapshots(ledger, campaign_id):
        last, quiet_seconds = current, time.monotonic() - shown_at
        has_news = current.status != shown and quiet_seconds >= LINE_SECONDS
        if current.status.is_over or has_news or quiet_seconds >= QUIET_LINE_SECONDS:
            say(line_of(current))
            if hint := idle.hint(current):
                note(hint)
            sys.stdout.flush()
            shown, shown_at = current.status, time.monotonic()
    return last


def _watch_table(ledger: "Ledger", campaign_id: str) -> "Snapshot":
    from rich.console import Console
    from rich.live import Live

    idle = Idleness()
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for current in snapshots(ledger, campaign_id):
            live.update(_screen(current, idle.hint(current)), refresh=True)
            last = current
    return last


class Idleness:
    """Notices that a campaign stands still, so that nobody waits in front of a factory without workers."""

    def __init__(self) -> None:
        self._status: CampaignStatus | None = None
        self._since = time.monotonic()

    def hint(self, current: "Snapshot") -> str | None:
        """Return what to do when nothing has moved for a while."""
        if current.status != self._status:
            self._status, self._since = current.status, time.monotonic()
        if current.status.leased or current.status.opens_at or time.monotonic() - self._since < IDLE_SECONDS:
            return None
        return "nothing is being made: `factory status` shows whether a worker runs, `factory up` starts one"


def _screen(current: "Snapshot", hint: str | None) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    newest = [f"  {made.sku}  {made.channel}  {made.preview[:PREVIEW_CHARACTERS]}" for made in current.newest]
    parts: list[RenderableType] = [
        Text(headline(current)),
        Text(""),
        table(COLUMNS, _rows(current), numbers=COLUMNS[1:]),
        Text(""),
        Text("\n".join(newest), style="dim"),
    ]
    if hint:
        parts.append(Text(hint, style="yellow"))
    return Group(*parts)


def show_snapshot(current: "Snapshot") -> None:
    """Write a campaign once: counts by channel and the last lines made."""
    say(headline(current))
    say("")
    show_counts(current)
    for made in current.newest:
        say(f"  {made.sku}  {made.channel}  {made.preview[:PREVIEW_CHARACTERS]}")


def show_counts(current: "Snapshot") -> None:
    """Write the counts by channel."""
    show_table(COLUMNS, _rows(current), numbers=COLUMNS[1:])


def headline(current: "Snapshot") -> str:
    """Return the campaign in one line, with its rate and what is left."""
    status = current.status
    state = f"{status.state} ({status.state_reason})" if status.state_reason else status.state
    left = f", {duration(current.seconds_left)} left" if current.seconds_left is not None else ""
    failed = f", {status.failed} failed" if status.failed else ""
    spent = f"{duration(status.spent_device_seconds)} of device time"
    done = f"{status.done} of {status.submitted_jobs} done{failed}"
    closed = f", {window_line(status.window, status.opens_at)}" if status.opens_at and status.open_jobs else ""
    return f"{status.id}  {state}  {done}, {rate(current.jobs_per_second)}{left}, {spent}{closed}"


def line_of(current: "Snapshot") -> str:
    """Return the campaign as one line of a log."""
    status = current.status
    clock = time.strftime("%H:%M:%S", time.localtime(current.at))
    return f"{clock}  {headline(current)}  ({status.waiting} waiting, {status.leased} in hand)"


def _rows(current: "Snapshot") -> Iterator[tuple[object, ...]]:
    shown = (JobState.DONE, JobState.LEASED, JobState.WAITING, JobState.FAILED)
    for counts in current.channels:
        numbers = (counts.states[state] for state in shown)
        yield (counts.channel, *numbers, counts.total, duration(counts.device_seconds))


def record_of_status(status: "CampaignStatus") -> dict[str, Any]:
    """Return a campaign and its counts as JSON has them."""
    return {
        "campaign": status.id,
        "name": status.name,
        "state": status.state,
        "state_reason": status.state_reason,
        "priority": status.priority,
        "submitted_jobs": status.submitted_jobs,
        **{state.value: getattr(status, state) for state in JobState},
        "device_seconds": round(status.spent_device_seconds, 3),
        "created_at": status.created_at,
        "finished_at": status.finished_at,
        "window": status.window,
        "opens_at": status.opens_at,
    }


def record_of(current: "Snapshot") -> dict[str, Any]:
    """Return a moment of a campaign as JSON has it."""
    return record_of_status(current.status) | {
        "at": current.at,
        "jobs_per_second": current.jobs_per_second,
        "seconds_left": current.seconds_left,
        "channels": [
            {"channel": counts.channel, **counts.states, "device_seconds": round(counts.device_seconds, 3)}
            for counts in current.channels
        ],
        "newest": list(current.newest),
    }
