"""Commands about the ledger's tables: bring them to this version, or back to an older one."""

from typing import Annotated

import typer

from core.errors import StateError
from producer.cli.doors import has_ledger, load_settings
from producer.cli.options import AsJson
from producer.cli.render import emit, say

commands = typer.Typer()
PANEL = "Factory"


@commands.command("migrate", rich_help_panel=PANEL)
def migrate_command(
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="Go back to this revision; what only later ones have is deleted.", metavar="REVISION"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the ledger's tables to this version, while workers run; `factory up` does so too."""
    from core.database import Database

    settings = load_settings()
    if not has_ledger(settings):
        raise StateError(f"there is no ledger in {settings.home}: `factory up` and `factory submit` make one")
    database = Database(settings.resolved_ledger_url, pool_size=1)
    try:
        before = database.revision()
        if to is None:
            database.migrate()
        else:
            database.migrate_back(to)
        after = database.revision()
    finally:
        database.close()
    if as_json:
        emit(before=before, after=after)
    elif before == after:
        say(f"the ledger is at revision {after}, as it was")
    else:
        say(f"the ledger is at revision {after}, it was at {before or 'none'}")
