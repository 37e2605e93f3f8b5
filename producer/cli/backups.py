"""Commands that keep and bring back what cannot be made again, and let go of the rest: backup, restore, tidy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import SettingsError, StateError
from producer.cli.doors import load_settings, open_storage, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import count, emit, note, say, show_table

if TYPE_CHECKING:
    from core.settings import Settings
    from schemas.archives import ArchiveEnd, ArchiveHeader

commands = typer.Typer()
PANEL = "Factory"
# Whoever has the file can try as many as he likes.
LEAST_PASSPHRASE_CHARACTERS = 12
MOST_PASSPHRASE_BYTES = 4096

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="Its first line is the passphrase; else FACTORY_BACKUP_PASSPHRASE is."
    ),
]


@commands.command("backup", rich_help_panel=PANEL)
def backup_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write.")],
    assets: Annotated[bool, typer.Option("--assets", help="Also what campaigns made, with its manifests.")] = False,
    passphrase_file: PassphraseFile = None,
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Do without a passphrase: whoever has the file reads all of it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a former backup.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write all that cannot be made again to one sealed file; workers may go on meanwhile.

    The ledger, versions of models, snapshots, logos and files of schedules. The file has its name only when whole.
    """
    from producer.backups.take import Wish, take

    settings = load_settings()
    passphrase = _passphrase(settings, passphrase_file, is_unencrypted=unencrypted)
    if passphrase is not None and len(passphrase) < LEAST_PASSPHRASE_CHARACTERS:
        raise StateError(f"the passphrase has {len(passphrase)} characters: take {LEAST_PASSPHRASE_CHARACTERS} or more")
    wish = Wish(file, passphrase, with_assets=assets, may_replace=force)
    with opened_ledger(settings) as ledger:
        taken = take(ledger, open_storage(settings), wish, note if as_json else say)
    if as_json:
        emit(file=file, size_bytes=taken.size_bytes, **_told(taken.header, taken.end), missing_keys=taken.missing)
    else:
        say(f"store     {_objects(taken.end)}")
        say(f"{file}: {taken.size_bytes} bytes, {'sealed' if passphrase else 'NOT sealed'}, whole")
    for key in taken.missing:
        note(f"factory: the store has no {key}")
    if taken.end.missing:
        note(f"factory: the ledger names {count(taken.end.missing, 'object')} that the store does not have")
        raise typer.Exit(1)


@commands.command("restore", rich_help_panel=PANEL)
def restore_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `factory backup` wrote.")],
    check: Annotated[
        bool, typer.Option("--check", help="Read all of it, say whether it is right, write nothing.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    unencrypted: Annotated[
        bool, typer.Option("--unencrypted", help="Read a file that is not sealed, which anybody may have changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into an empty ledger and its bucket, all of it or nothing.

    Jobs that were in hand when the backup was taken wait again. Which database it came from does not matter.
    """
    from producer.backups.restore import check as read_whole

    settings = load_settings()
    passphrase = _passphrase(settings, passphrase_file, is_unencrypted=unencrypted)
    if not check:
        _restore(settings, file, passphrase, as_json=as_json)
        return
    found = read_whole(file, passphrase)
    if as_json:
        emit(file=file, is_whole=True, **_told(found.header, found.end))
        return
    _say_what(found.header, found.end)
    say(f"{file}: whole, every byte as it was")


@commands.command("tidy", rich_help_panel=PANEL)
def tidy_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count; delete nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete what need not be kept any longer, as settings (FACTORY_KEEP_...) say; housekeeping does it every hour."""
    from core.tidying import tidy

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        done = tidy(ledger, open_storage(settings), settings, is_dry=dry_run)
    if as_json:
        for one in done:
            emit(**vars(one), is_deleted=not dry_run)
        return
    column = "would be deleted" if dry_run else "deleted"
    rows = [(one.what, _kept_for(one.days), one.found) for one in done]
    show_table(("what", "kept for", column), rows, numbers=(column,))


def _kept_for(days: float | None) -> str:
    if days is None:
        return "for ever"
    return f"{days:g} days" if days else "until they end"


def _restore(settings: "Settings", file: Path, passphrase: str | None, *, as_json: bool) -> None:
    from core.database import Database
    from producer.backups.restore import restore

    try:
        database = Database(settings.resolved_ledger_url)
    except OSError as error:
        raise SettingsError(f"FACTORY_HOME: cannot make {error.filename}: {error.strerror}") from error
    try:
        restored = restore(file, passphrase, database, open_storage(settings), note if as_json else say)
    finally:
        database.close()
    if as_json:
        emit(file=file, leases_ended=restored.leases_ended, **_told(restored.header, restored.end))
        return
    _say_what(restored.header, restored.end)
    say(f"restored; {count(restored.leases_ended, 'job')} in hand at that moment wait again")
    note("sign in to the pages again; `factory verify CAMPAIGN` checks what campaigns made")


def _passphrase(settings: "Settings", file: Path | None, *, is_unencrypted: bool) -> str | None:
    """Return the passphrase, or nothing where none is wanted."""
    if is_unencrypted:
        if file is not None:
            raise typer.BadParameter("a passphrase seals the file: leave out one of them", param_hint="--unencrypted")
        return None
    if file is not None:
        return _first_line(file)
    if settings.backup_passphrase is not None and settings.backup_passphrase.get_secret_value():
        return settings.backup_passphrase.get_secret_value()
    raise StateError(
        "there is no passphrase: give --passphrase-file, set FACTORY_BACKUP_PASSPHRASE, or say --unencrypted"
    )


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            line = opened.readline(MOST_PASSPHRASE_BYTES).decode().rstrip("\r\n")
    except OSError as error:
        raise StateError(f"--passphrase-file: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StateError(f"--passphrase-file: {file} is no text in UTF-8") from error
    if not line:
        raise StateError(f"--passphrase-file: the first line of {file} is empty")
    return line


def _told(header: "ArchiveHeader", end: "ArchiveEnd") -> dict[str, object]:
    facts = header.model_dump(include={"revision", "created_at", "has_assets", "code"})
    return {**facts, "rows": end.rows, "objects": end.objects, "object_bytes": end.object_bytes, "missing": end.missing}


def _say_what(header: "ArchiveHeader", end: "ArchiveEnd") -> None:
    say(f"taken     {header.created_at}, revision {header.revision}, by {header.code}")
    say(f"ledger    {sum(end.rows.values())} rows of {count(len(end.rows), 'table')}")
    say(f"store     {_objects(end)}, {'with' if header.has_assets else 'without'} the assets of campaigns")
    if end.missing:
        say(f"missing   {count(end.missing, 'object')} that the store did not have")


def _objects(end: "ArchiveEnd") -> str:
    return f"{count(end.objects, 'object')}, {end.object_bytes} bytes"
