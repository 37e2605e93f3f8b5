"""Commands about learning: begin a training, and see how trainings went and go."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import BrokerError
from producer.cli.doors import actor, celery_app, load_settings, opened_ledger
from producer.cli.options import AsJson
from producer.cli.render import emit, note, say, show_table
from producer.cli.stack import run_child
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from core.ledger.trainings import Training

SHOWN = 20

commands = typer.Typer()


@commands.command("retrain")
def retrain_command(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="The kind whose model shall learn: copy, image or music.")
    ],
    now: Annotated[bool, typer.Option("--now", help="Train here, and wait for it.")] = False,
) -> None:
    """Let the model of a kind learn from its ratings; the gate decides whether what comes of it may serve."""
    from core.learners import LEARNERS, model_of

    if kind not in LEARNERS:
        known = ", ".join(LEARNERS)
        raise typer.BadParameter(f"models of kind '{kind}' do not learn from ratings; {known} do", param_hint="KIND")
    settings = load_settings()
    model = model_of(settings, Kind(kind))
    if now:
        run_child([sys.executable, "-m", "workers.learning.train", kind, "--actor", actor()])
        return
    from core.broker import ring_training

    with opened_ledger(settings) as ledger:
        training, is_new = ledger.trainings.ask(Kind(kind), model, f"{actor()} asked for it")
    say(f"training {training.id} of {model} {'waits for a worker' if is_new else 'is under way already'}")
    try:
        ring_training(celery_app(settings), Kind(kind), model)
    except BrokerError as error:
        note(f"factory: {error}")


@commands.command("trainings")
def trainings_command(
    training: Annotated[str | None, typer.Argument(metavar="ID", help="One training, with its losses.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the newest trainings, or show one: why, how far, and what came of it."""
    with opened_ledger(load_settings()) as ledger:
        found = [ledger.trainings.of_id(training)] if training else ledger.trainings.newest(limit=SHOWN)
    if as_json:
        for one in found:
            emit(**_record(one), **({"losses": list(one.losses)} if training else {}))
    elif training:
        _show(found[0])
    else:
        rows = [(one.id, one.kind, one.model, one.state, _progress(one), one.cause) for one in found]
        show_table(("training", "kind", "model", "state", "progress", "why"), rows)


def _show(training: "Training") -> None:
    say(f"{training.id}  {training.kind} {training.model}  {training.state}  {_progress(training)}".rstrip())
    say(f"because   {training.cause}")
    if training.message:
        say(f"found     {training.message}")
    if training.version:
        say(f"version   {training.version.id}")
    for point in training.losses:
        say("  ".join(f"{name} {value:g}" for name, value in point.items()))


def _progress(training: "Training") -> str:
    if training.finished_at is None:
        return f"{training.stage} {training.step}/{training.steps}" if training.steps else training.stage
    return training.version.id if training.version else ""


def _record(training: "Training") -> dict[str, Any]:
    return {
        "id": training.id,
        "kind": training.kind,
        "model": training.model,
        "state": training.state,
        "cause": training.cause,
        "stage": training.stage,
        "message": training.message,
        "step": training.step,
        "steps": training.steps,
        "snapshot": training.snapshot.key if training.snapshot else None,
        "version": training.version.model_dump(mode="json") if training.version else None,
        "attempts": training.attempts,
        "created_at": training.created_at,
        "finished_at": training.finished_at,
    }
