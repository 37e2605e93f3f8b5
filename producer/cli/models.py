"""Commands about models: which there are, what they made and how fast, and training the house adapter."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import UnknownIdError
from producer.cli.doors import has_ledger, load_settings, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import duration, emit, moment, note, say, show_table
from producer.cli.stack import PASSES_ON, run_child
from schemas.access import DEFAULT_TENANT
from schemas.campaigns import Kind
from schemas.versions import Verdict

if TYPE_CHECKING:
    from core.ledger.progress import MadeBy
    from core.ledger.promotions import Serving
    from core.settings import Settings
    from producer.styles import StyleRecord

# The package of each starter model that is trained here, by the kind that it makes.
STARTERS: dict[str, str] = {Kind.IMAGE: "workers.models.miniature", Kind.MUSIC: "workers.models.music"}

commands = typer.Typer(no_args_is_help=True, help="Which models there are, what they made and how fast.")


@commands.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the models that are configured, known by name, or have made something."""
    records = _records(load_settings())
    if as_json:
        for record in records:
            emit(**record)
        return
    rows = [
        (r["model"], r["kind"], r["role"], _served(r), " ".join(r["locales"]), r["assets"], _speed(r)) for r in records
    ]
    columns = ("model", "makes", "role", "served by", "locales", "made", "device time each")
    show_table(columns, rows, numbers=("made",))


@commands.command("show")
def show_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name as `factory models list` has it.")],
    as_json: AsJson = False,
) -> None:
    """Show one model: languages, the versions that trainings made and where they stand, and what each made."""
    settings = load_settings()
    records = [record for record in _records(settings) if record["model"] == model]
    if not records:
        raise UnknownIdError(f"there is no model '{model}': `factory models list` shows all")
    trained = _trained(settings, model)
    for record in records:
        mine = [one for one in trained if one["kind"] == record["kind"]]
        if as_json:
            emit(**record, trained=mine)
        else:
            _show(record)
            show_versions(mine)


def _show(record: dict[str, Any]) -> None:
    say(f"{record['model']} ({record['kind']})  {record['role']}".rstrip())
    if record["kind"] == Kind.COPY:
        say(f"writes    {' '.join(record['locales']) or 'any language'}")
    rows = [(v["version"], v["shape"], v["assets"], duration(v["seconds_each"])) for v in record["versions"]]
    if rows:
        show_table(("version", "shape", "made", "device time each"), rows, numbers=("made", "device time each"))
    else:
        say("has made nothing here yet")


@commands.command("styles")
def styles_command(
    tenant: Annotated[str, typer.Option(help="Whose ratings: they choose for this tenant only.")] = DEFAULT_TENANT,
    as_json: AsJson = False,
) -> None:
    """Show what ratings say of the styles of lines, by channel and audience, and how often each is chosen next."""
    from producer.styles import styles_records

    settings = load_settings()
    with opened_ledger(settings) as ledger:
        records, _ = styles_records(ledger, tenant)
    if as_json:
        for record in records:
            emit(**record.model_dump())
        return
    if settings.bandit == "off":
        note("FACTORY_BANDIT is off: nothing is chosen by this")
    if not records:
        note("nobody has rated a line yet: every style is chosen as often as the others")
        return
    rows = [(one.model, one.channel, one.audience, *_of_style(style)) for one in records for style in one.styles]
    columns = ("model", "channel", "audience", "style", "answers", "liked", "95 %", "of the next")
    show_table(columns, rows, numbers=("answers", "liked", "of the next"))


def _of_style(one: "StyleRecord") -> tuple[str, ...]:
    interval = f"{one.low:.0%} to {one.high:.0%}"
    return one.style, f"{one.answers:.1f}", f"{one.mean:.0%}", interval, f"{one.share:.0%}"


@commands.command("train-house", context_settings=PASSES_ON)
def train_house_command(context: typer.Context) -> None:
    """Train the house adapter again from its seed lines; every argument goes to the training, --help too."""
    run_child([sys.executable, "-m", "workers.models.house.train", *context.args])


@commands.command("train-starter", context_settings=PASSES_ON)
def train_starter_command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind that it makes: image or music.")],
) -> None:
    """Train a starter model; it goes on from its last checkpoint. Every further argument goes to the training."""
    run_child([sys.executable, "-m", f"{_starter_of(context, kind)}.train", *(context.args or ["all"])])


@commands.command("sample-starter", context_settings=PASSES_ON)
def sample_starter_command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The kind that it makes: image or music.")],
) -> None:
    """Draw or play with a starter model, outside any campaign. Every further argument goes to it, --help too."""
    run_child([sys.executable, "-m", f"{_starter_of(context, kind)}.sample", *(context.args or ["--help"])])


def _starter_of(context: typer.Context, kind: str) -> str:
    """Return the package of the starter model of a kind; without a kind, the help is that of the command."""
    if kind == "--help":
        say(context.get_help())
        raise typer.Exit
    if kind not in STARTERS:
        raise typer.BadParameter(
            f"no starter of kind '{kind}' is trained here; known: {', '.join(STARTERS)}", param_hint="KIND"
        )
    return STARTERS[kind]


def _records(settings: "Settings") -> list[dict[str, Any]]:
    from producer.model_records import model_records

    made: list[MadeBy] = []
    served: list[Serving] = []
    if has_ledger(settings):
        with opened_ledger(settings) as ledger:
            made, served = ledger.progress.models(), ledger.promotions.all()
    return [record.model_dump() for record in model_records(settings, made, served)]


def _trained(settings: "Settings", model: str) -> list[dict[str, Any]]:
    from producer.versions import version_records

    if not has_ledger(settings):
        return []
    with opened_ledger(settings) as ledger:
        return [one.model_dump() for one in version_records(ledger, model)]


def show_versions(trained: list[dict[str, Any]]) -> None:
    """Show what trainings made of a model, if there is anything."""
    if trained:
        rows = [(one["version"], one["state"], moment(one["created_at"]), _found(one)) for one in trained]
        show_table(("trained version", "state", "trained", "what the gate found"), rows)


def _found(version: dict[str, Any]) -> str:
    """Return what speaks for and against a version, in words."""
    if version["fault"]:
        return str(version["fault"])
    verdict = Verdict.model_validate(version["verdict"])
    lost = [one.name for one in verdict.guardrails if not one.is_kept]
    weaker = f"at {verdict.strength:g} of its strength " if verdict.strength != 1 else ""
    agrees = f"{weaker}agrees with {verdict.challenger_agrees:.0%} of {verdict.preferences} preferences"
    told = f"{agrees}, the champion with {verdict.champion_agrees:.0%}; bound {verdict.bound:+.3f}"
    return f"{told}; lost: {', '.join(lost)}" if lost else told


def _served(record: dict[str, Any]) -> str:
    tried = f", {record['share']:.0%} by {record['challenger']}" if record["challenger"] else ""
    return f"{record['champion'] or 'shipped'}{tried}"


def _speed(record: dict[str, Any]) -> str:
    return duration(record["device_seconds"] / record["assets"]) if record["assets"] else ""
