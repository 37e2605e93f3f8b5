"""Commands that look at what was made as a whole: export takes it out, verify checks all of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli.doors import load_settings, open_storage, opened_ledger
from producer.cli.options import AsJson, CampaignId
from producer.cli.render import count, emit, note, say, show_table, things
from producer.exports.formats import Format

if TYPE_CHECKING:
    from core.settings import Settings

commands = typer.Typer()
PANEL = "Results"
SHOWN_VIOLATIONS = 50


@commands.command("export", rich_help_panel=PANEL)
def export_command(
    campaign: CampaignId,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER|FILE", help="Where to; a file's ending is its format.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="What it looks like; taken from the ending of --to, if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a former export.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what a campaign made to a file or folder, every byte checked; it is there whole or not at all.

    A folder and a ZIP have a page that shows everything: contact-sheet.html.
    """
    from producer.export import export, format_of

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.find(campaign)
        exported = export(ledger, open_storage(settings), found, to, form or format_of(to), force=force)
        status = ledger.campaigns.status(found)
    if as_json:
        counts = {"open_jobs": status.open_jobs, "failed": status.failed, "assets": exported.assets}
        emit(campaign=found, **counts, **vars(exported), contact_sheet=exported.contact_sheet)
        return
    say(f"{exported.path}: {things(exported.kinds)} of {found} as {exported.format}")
    if exported.contact_sheet:
        say(f"{exported.contact_sheet} shows them in a browser")
    for told in exported.notes:
        note(told)
    if status.open_jobs or status.failed:
        note(f"not in it: {count(status.open_jobs, 'open job')}, {count(status.failed, 'failed job')}")


@commands.command("verify", rich_help_panel=PANEL)
def verify_command(
    target: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="A campaign, or a file of one that is on this machine.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check every row, byte and manifest of a campaign, or where a file comes from; exit code 1 for what is broken.

    A picture or a recording passes when it is signed and was not changed since; that needs no ledger and no network.
    """
    settings = load_settings()
    path = Path(target)
    if path.is_file():
        _verify_file(path, settings, as_json=as_json)
        return
    from producer.verify import verify

    with opened_ledger(settings) as ledger:
        verdict = verify(ledger, open_storage(settings), ledger.campaigns.find(target))
    if as_json:
        violations = [violation._asdict() for violation in verdict.violations]
        emit(**(vars(verdict) | {"violations": violations}), is_sound=verdict.is_sound)
    else:
        counts = ", ".join(f"{number} {state}" for state, number in verdict.states.items() if number)
        say(f"{verdict.campaign_id}: {verdict.submitted_jobs} jobs submitted: {counts or 'none'}")
        say(
            f"{verdict.assets} assets and manifests in {verdict.objects} objects, {verdict.bytes_checked} bytes checked"
        )
        if verdict.deleted:
            say(f"{count(verdict.deleted, 'asset')} deleted, as FACTORY_KEEP_ASSETS_DAYS says: only the rows are left")
        if verdict.unreferenced:
            say(f"{count(verdict.unreferenced, 'object')} without a row, left by killed workers: harmless")
        if verdict.violations:
            show_table(("broken", "what", "found"), verdict.violations[:SHOWN_VIOLATIONS])
        say("sound" if verdict.is_sound else f"{count(len(verdict.violations), 'violation')}")
    if not verdict.is_sound:
        raise typer.Exit(1)


def _verify_file(path: Path, settings: "Settings", *, as_json: bool) -> None:
    """Show where a file comes from."""
    from producer.inspect_file import inspect_file

    found = inspect_file(path, settings)
    if as_json:
        emit(file=path, **vars(found))
    else:
        say(f"{path}: {found.validity}: {found.evidence}")
        rows = (
            ("made as", found.source),
            ("made with", found.generator),
            ("model", found.model),
            ("at", found.made_at),
        )
        for name, value in rows:
            if value:
                say(f"{name:<10}{value}")
    if found.validity not in {"trusted", "valid"}:
        raise typer.Exit(1)
