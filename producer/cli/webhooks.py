"""Commands about webhooks: where tenants are told what happens, what was told, and the process that tells it."""

import threading
from typing import Annotated

import typer

from producer.cli.doors import load_settings, opened_ledger, traced
from producer.cli.options import AsJson
from producer.cli.render import count, emit, moment, note, say, show_table
from schemas.access import DEFAULT_TENANT
from schemas.events import EventType

commands = typer.Typer(
    no_args_is_help=True, help="Webhooks: who is told what happens, what was told, telling it again."
)

Tenant = Annotated[str, typer.Option(help="Whose webhooks.")]
EventId = Annotated[str, typer.Argument(metavar="EVENT", help="The id of an event, as `events` lists it.")]


@commands.command("add")
def add_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="An https address that this factory reaches.")],
    types: Annotated[
        list[EventType] | None, typer.Option("--type", help="What to tell; everything, if not given.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Tell an address what happens from now on; shows the secret that signs it, this once."""
    from producer.webhooks.addresses import check_url

    settings = load_settings()
    check_url(url, allow_private=settings.webhook_private_addresses)
    with opened_ledger(settings, may_create=True) as ledger:
        made, secret = ledger.webhooks.create(tenant, url, types or list(EventType))
    if as_json:
        emit(**vars(made), secret=secret)
    else:
        say(secret)
        note(f"webhook {made.id} is told of {', '.join(made.types)}; nobody can show its secret again")


@commands.command("list")
def list_command(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """List the webhooks of a tenant."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.webhooks.of(tenant)
    if as_json:
        for one in found:
            emit(**vars(one))
    else:
        rows = [(one.id, one.url, " ".join(one.types), one.disabled_reason) for one in found]
        show_table(("webhook", "url", "told of", "disabled because"), rows)


@commands.command("remove")
def remove_command(
    webhook: Annotated[str, typer.Argument(metavar="WEBHOOK", help="The id of a webhook.")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Tell a webhook nothing any more, not even what is on its way."""
    with opened_ledger(load_settings()) as ledger:
        ledger.webhooks.delete(tenant, webhook)
    if as_json:
        emit(webhook=webhook, removed=True)
    else:
        say(f"webhook {webhook} is told nothing any more")


@commands.command("events")
def events_command(
    tenant: Tenant = DEFAULT_TENANT,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what webhooks were told."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.webhooks.page(tenant, limit)
    if as_json:
        for one in found:
            emit(**vars(one))
    else:
        show_table(("event", "type", "of", "at"), [(one.id, one.type, one.subject, moment(one.at)) for one in found])


@commands.command("history")
def history_command(event: EventId, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Show every attempt to deliver an event."""
    with opened_ledger(load_settings()) as ledger:
        _, deliveries = ledger.webhooks.history(tenant, event)
    if as_json:
        for one in deliveries:
            emit(**vars(one) | {"attempts": [vars(attempt) for attempt in one.attempts]})
        return
    for one in deliveries:
        following = f", again at {moment(one.next_at)}" if one.next_at else ""
        say(f"{one.webhook_id}  {one.state}{following}")
        for attempt in one.attempts:
            say(f"    {moment(attempt.at)}  {attempt.status or 'no answer'}  {attempt.seconds:.1f} s  {attempt.error}")


@commands.command("replay")
def replay_command(event: EventId, tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """Send an event again, under its old id, to the webhooks that it was meant for."""
    with opened_ledger(load_settings()) as ledger:
        again = ledger.webhooks.replay(tenant, event)
    if as_json:
        emit(event=event, deliveries=again)
    else:
        say(f"{event} goes to {count(again, 'webhook')} again")


@commands.command("deliver")
def deliver_command() -> None:
    """Deliver what webhooks are to be told, here in the foreground. `factory up` starts this."""
    import signal

    from core.logs import logged
    from producer.webhooks.deliver import run

    settings, stopping = load_settings(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with (
        logged(settings, "deliver"),
        traced(settings, "webhooks"),
        opened_ledger(settings, may_create=True) as ledger,
    ):
        run(ledger, settings, stopping)
