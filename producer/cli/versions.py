"""Commands about the versions of models: what serves and served, promote, roll back, try on a share of the jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import CorruptAssetError, StateError
from producer.cli.doors import actor, load_settings, open_storage, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import count, emit, moment, note, say, show_table
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from core.ledger.promotions import Change, Order, Serving

MOST_WHY_CHARACTERS = 500

commands = typer.Typer()

VersionId = Annotated[str, typer.Argument(metavar="VERSION", help="The id of a version, as `show` lists it.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the history.")]
OfKind = Annotated[Kind | None, typer.Option("--kind", help="Where a model has versions of several kinds.")]


@commands.command("history")
def history_command(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Of this model only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what served models when, and who changed it why, the newest first."""
    from producer.versions import require_kinds

    with opened_ledger(load_settings()) as ledger:
        if model is not None:
            require_kinds(ledger, model)
        served = [one for one in ledger.promotions.all() if model in {None, one.model}]
        found = [
            (one.kind, one.model, change)
            for one in served
            for change in reversed(ledger.promotions.history(one.kind, one.model))
        ]
    if as_json:
        for kind, name, change in found:
            emit(kind=kind, model=name, **asdict(change))
    elif found:
        show_history(found)
    else:
        note("nothing was ever changed: models are served by the weights they ship with")


def show_history(found: "Sequence[tuple[Kind, str, Change]]") -> None:
    """Show changes of what serves models."""
    from producer.versions import shown

    rows = [
        (moment(c.at), f"{name} ({kind})", c.action, f"{shown(c.before)} -> {shown(c.after)}", c.actor, c.why)
        for kind, name, c in found
    ]
    show_table(("at", "model", "what", "from -> to", "by", "why"), rows)


@commands.command("promote")
def promote_command(version: VersionId, why: Why, as_json: AsJson = False) -> None:
    """Make a version the champion: it serves its model from the next batches on. Only what passed the gate can be."""
    from producer.versions import serving_for

    with opened_ledger(load_settings()) as ledger:
        seen = serving_for(ledger, version)
        serving = ledger.promotions.promote(version, seen, _order(why))
    _tell(serving, "is served by", as_json=as_json, changed=serving != seen)


@commands.command("rollback")
def rollback_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name as `factory models list` has it.")],
    why: Why,
    kind: OfKind = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the champion before this one, from the next batches on."""
    from producer.versions import serving_of

    with opened_ledger(load_settings()) as ledger:
        serving = ledger.promotions.rollback(serving_of(ledger, model, kind), _order(why))
    _tell(serving, "is served again by", as_json=as_json)


@commands.command("canary")
def canary_command(
    version: Annotated[str | None, typer.Argument(metavar="VERSION", help="The version to try.")] = None,
    share: Annotated[float, typer.Option(help="On which part of the jobs.")] = 0.1,
    stop: Annotated[str | None, typer.Option(metavar="MODEL", help="Stop trying on this model.")] = None,
    why: Annotated[str, typer.Option(help="The reason, kept in the history.")] = "",
    kind: OfKind = None,
    as_json: AsJson = False,
) -> None:
    """Try a version on a part of the jobs until ratings decide, or stop that. The better one is then champion."""
    from producer.versions import serving_for, serving_of

    if (version is None) == (stop is None):
        raise typer.BadParameter("name the VERSION to try, or `--stop MODEL`")
    with opened_ledger(load_settings()) as ledger:
        if version is not None:
            serving = ledger.promotions.start_canary(version, share, serving_for(ledger, version), _order(why))
        else:
            serving = ledger.promotions.stop_canary(serving_of(ledger, str(stop), kind), _order(why))
    _tell(serving, "is served by", as_json=as_json)


@commands.command("check")
def check_command(version: VersionId, as_json: AsJson = False) -> None:
    """Read every byte of a version; one that was found broken may serve again when it is whole."""
    from core.versions import check

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        described = ledger.versions.get(version).described
        try:
            check(open_storage(settings), described)
        except CorruptAssetError as error:
            raise StateError(
                f"version {version} is broken: {error}; restore {described.prefix} from a backup"
            ) from error
        ledger.versions.clear_fault(version, actor())
    if as_json:
        emit(version=version, files=len(described.files), is_whole=True)
    else:
        say(f"{version}: {count(len(described.files), 'file')} whole")


@commands.command("remove-orphans")
def remove_orphans_command(as_json: AsJson = False) -> None:
    """Delete files of versions that nobody registered, since their upload broke off more than a day ago."""
    from core.versions import remove_orphans

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        removed = remove_orphans(open_storage(settings), ledger.versions.ids())
    if as_json:
        emit(removed=removed)
    else:
        say(f"{count(len(removed), 'version')} removed{': ' if removed else ''}{', '.join(removed)}")


def _order(why: str) -> "Order":
    from core.ledger.promotions import Order

    if len(why) > MOST_WHY_CHARACTERS or not why.isprintable():
        raise typer.BadParameter(f"one line of at most {MOST_WHY_CHARACTERS} characters", param_hint="--why")
    return Order(actor(), why)


def _tell(serving: "Serving", verb: str, *, as_json: bool, changed: bool = True) -> None:
    from producer.versions import shown

    if as_json:
        emit(**asdict(serving))
        return
    tried = f", and on {serving.share:.0%} of the jobs by {serving.challenger}" if serving.challenger else ""
    say(f"{serving.model} ({serving.kind}) {verb} {shown(serving.champion)}{tried}")
    if not changed:
        note("it was so already: nothing has changed")
