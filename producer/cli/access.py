"""Commands about the HTTP API: serve it, its keys, its tenants, and the record of what was changed over it."""

from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import SettingsError
from producer.cli.doors import actor, load_settings, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import emit, moment, note, say, show_table
from schemas.access import DEFAULT_TENANT, NAME_PATTERN, Limits, Role

if TYPE_CHECKING:
    from core.ledger.keys import Key

commands = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="Keys of the HTTP API: made, listed, revoked.")
tenants = typer.Typer(no_args_is_help=True, help="Tenants of the HTTP API: what each may ask for.")
PANEL = "HTTP API"

Tenant = Annotated[str, typer.Option(help="The tenant: it owns what its keys make, and sees nothing else.")]


def _checked(name: str, hint: str) -> str:
    import re

    if not re.fullmatch(NAME_PATTERN, name):
        raise typer.BadParameter("use lowercase letters, digits and hyphens (at most 63)", param_hint=hint)
    return name


@commands.command("api", rich_help_panel=PANEL)
def api_command(
    host: Annotated[str | None, typer.Option(help="Where to listen; the settings say, if not given.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="On which port.")] = None,
) -> None:
    """Serve the HTTP API, here in the foreground. Anywhere but on 127.0.0.1 it starts only when there is a key."""
    try:
        from producer.api.serve import serve
    except ModuleNotFoundError as error:
        raise SettingsError(f"{error.name} is missing: install content-factory with its `api` extra") from error
    settings = load_settings()
    changes = {name: value for name, value in (("api_host", host), ("api_port", port)) if value is not None}
    serve(settings.model_copy(update=changes))


@keys.command("create")
def create_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is, for lists and records.")],
    role: Annotated[Role, typer.Option(help="What it may do; each role may all that those before it may.")],
    tenant: Tenant = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once: the ledger keeps only its hash."""
    _checked(name, "NAME")
    _checked(tenant, "--tenant")
    with opened_ledger(load_settings(), may_create=True) as ledger:
        made, text = ledger.keys.create(name, tenant, role, actor())
    if as_json:
        emit(key=text, id=made.id, name=made.name, tenant=made.tenant, role=made.role)
    else:
        say(text)
        note(f"the {role} key {made.id} of tenant {tenant}; nobody can show it again")


@keys.command("list")
def list_keys_command(as_json: AsJson = False) -> None:
    """List the keys, also those that are revoked. The keys themselves are nowhere."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.keys.all()
    if as_json:
        for key in found:
            emit(**vars(key))
    elif found:
        show_table(("key", "name", "tenant", "role", "made", "by", "revoked"), map(_row, found))
    else:
        note("no keys yet: `factory keys create NAME --role admin` makes one")


def _row(key: "Key") -> tuple[object, ...]:
    made, revoked = moment(key.created_at), moment(key.revoked_at)
    return key.id, key.name, key.tenant, key.role, made, key.created_by, revoked


@keys.command("revoke")
def revoke_command(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of a key, as `factory keys list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Make a key useless, from the next call on."""
    with opened_ledger(load_settings()) as ledger:
        revoked = ledger.keys.revoke(key, actor())
    if as_json:
        emit(**vars(revoked))
    else:
        say(f"key {revoked.id} ({revoked.name}) is revoked")


@tenants.command("list")
def list_tenants_command(as_json: AsJson = False) -> None:
    """List the tenants, what each may ask for and what it has asked for."""
    settings = load_settings()
    otherwise = Limits(settings.tenant_jobs_a_day, settings.tenant_open_jobs)
    with opened_ledger(settings) as ledger:
        found = [
            (name, ledger.tenants.limits(name, otherwise), ledger.tenants.usage(name))
            for name in ledger.tenants.names()
        ]
    columns = ("tenant", "jobs today", "at most", "open jobs", "at most")
    rows = [
        (name, usage.jobs_today, limits.jobs_a_day, usage.open_jobs, limits.open_jobs) for name, limits, usage in found
    ]
    if as_json:
        for name, limits, usage in found:
            most = {"most_jobs_a_day": limits.jobs_a_day, "most_open_jobs": limits.open_jobs}
            emit(tenant=name, **vars(usage), **most)
    else:
        show_table(columns, rows, numbers=columns[1:])


@tenants.command("limit")
def limit_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant.")],
    jobs_a_day: Annotated[
        int | None, typer.Option(min=0, help="Jobs that it may submit in a day (UTC); not given: as everybody.")
    ] = None,
    open_jobs: Annotated[
        int | None, typer.Option(min=0, help="Jobs that it may have open at once; not given: as everybody.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Give a tenant limits of its own, in place of those it has."""
    _checked(tenant, "TENANT")
    with opened_ledger(load_settings(), may_create=True) as ledger:
        ledger.tenants.set_limits(tenant, Limits(jobs_a_day, open_jobs))
    if as_json:
        emit(tenant=tenant, most_jobs_a_day=jobs_a_day, most_open_jobs=open_jobs)
    else:
        told = ["as everybody" if one is None else str(one) for one in (jobs_a_day, open_jobs)]
        say(f"{tenant}: at most {told[0]} jobs a day, {told[1]} open jobs")


@commands.command("audit", rich_help_panel=PANEL)
def audit_command(
    tenant: Annotated[str | None, typer.Option(help="Only calls of this tenant.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the calls of the HTTP API that may have changed something: who, what, when, from where, and the outcome."""
    with opened_ledger(load_settings()) as ledger:
        found = ledger.calls.newest_first(limit, tenant)
    if as_json:
        for call in found:
            emit(**vars(call))
        return
    rows = [
        (moment(call.at), call.tenant, call.actor, call.operation, call.path, call.address, call.status or "unknown")
        for call in found
    ]
    show_table(("at", "tenant", "who", "what", "of", "from", "answered"), rows)
