"""Commands that look at what was made as a whole: export takes it out, verify checks all of it."""

from pathlib import Path
from typing import Annotated

import typer

from producer.cli.doors import load_settings, open_storage, opened_ledger
from producer.cli.options import AsJson, CampaignId
from producer.cli.render import count, emit, note, say, show_table
from producer.exports.formats import Format

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
    """Write the lines of a campaign to a file or folder, every byte checked; it is there whole or not at all."""
    from producer.export import export, format_of

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        found = ledger.campaigns.find(campaign)
        exported = export(ledger, open_storage(settings), found, to, form or format_of(to), force=force)
        status = ledger.campaigns.status(found)
    if as_json:
        emit(campaign=found, open_jobs=status.open_jobs, failed=status.failed, **vars(exported))
        return
    say(f"{exported.path}: {count(exported.assets, 'line')} of {found} as {exported.format}")
    for told in exported.notes:
        note(told)
    if status.open_jobs or status.failed:
        note(f"not in it: {count(status.open_jobs, 'open job')}, {count(status.failed, 'failed job')}")


@commands.command("verify", rich_help_panel=PANEL)
def verify_command(campaign: CampaignId, as_json: AsJson = False) -> None:
    """Check every row, byte and manifest of a campaign; exit code 1 when a promise is broken."""
    from producer.verify import verify

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        verdict = verify(ledger, open_storage(settings), ledger.campaigns.find(campaign))
    if as_json:
        violations = [violation._asdict() for violation in verdict.violations]
        emit(**(vars(verdict) | {"violations": violations}), is_sound=verdict.is_sound)
    else:
        counts = ", ".join(f"{number} {state}" for state, number in verdict.states.items() if number)
        say(f"{verdict.campaign_id}: {verdict.submitted_jobs} jobs submitted: {counts or 'none'}")
        say(
            f"{verdict.assets} assets and manifests in {verdict.objects} objects, {verdict.bytes_checked} bytes checked"
        )
        if verdict.unreferenced:
            say(f"{count(verdict.unreferenced, 'object')} without a row, left by killed workers: harmless")
        if verdict.violations:
            show_table(("broken", "what", "found"), verdict.violations[:SHOWN_VIOLATIONS])
        say("sound" if verdict.is_sound else f"{count(len(verdict.violations), 'violation')}")
    if not verdict.is_sound:
        raise typer.Exit(1)
