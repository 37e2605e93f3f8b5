"""A training that somebody looks at: done by a process of its own, its losses as they come, and what the gate found."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import StateError
from producer.cli.doors import actor
from producer.cli.render import say, show_table
from schemas.learning import TrainingState

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.ledger.trainings import Training
    from core.settings import Settings
    from schemas.campaigns import Kind
    from schemas.versions import NewVersion, Verdict

POLL_SECONDS = 0.5
LINE_SECONDS = 10.0
# A training that nobody is at for so long is left.
IDLE_SECONDS = 120.0
STOP_SECONDS = 60.0


def follow_training(settings: "Settings", ledger: "Ledger", kind: "Kind", model: str) -> "Training":
    """Have a model trained here and show its losses; return the training when it has ended.

    One that began by itself meanwhile is followed, and where it heard too little, there is another one.
    """
    while True:
        training, is_new = ledger.trainings.ask(kind, model, f"{actor()} asked for it")
        say(f"training {training.id}: {training.cause}")
        with _trained_here(settings, kind) as child:
            ended = _followed(ledger, training.id, child)
        if is_new or ended.state != TrainingState.SKIPPED:
            return ended


@contextmanager
def _trained_here(settings: "Settings", kind: "Kind") -> Iterator[subprocess.Popen[bytes]]:
    """Run the training in another process, so that this one loads no model; its log lies with the others."""
    command = [sys.executable, "-m", "workers.learning.train", kind, "--actor", actor()]
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "retrain.log").open("ab") as log,
        subprocess.Popen(command, env=settings.environment(), stdout=log, stderr=log) as child,
    ):
        try:
            yield child
            child.wait(STOP_SECONDS)
        finally:
            # It ends after the step in hand, and its checkpoint stays.
            child.terminate()


def _followed(ledger: "Ledger", training_id: str, child: subprocess.Popen[bytes]) -> "Training":
    pause, shown, shown_at, idle_since = threading.Event(), "", 0.0, time.monotonic()
    while True:
        training = ledger.trainings.of_id(training_id)
        line, now = line_of(training), time.monotonic()
        if line != shown and (now - shown_at >= LINE_SECONDS or training.stage not in shown):
            say(line)
            sys.stdout.flush()
            shown, shown_at = line, now
        if training.state != TrainingState.OPEN:
            return training
        if child.poll() is None or line != shown:
            idle_since = now
        if now - idle_since > IDLE_SECONDS:
            raise StateError(f"nobody goes on with training {training_id}: logs/retrain.log in the home says why")
        pause.wait(POLL_SECONDS)


def line_of(training: "Training") -> str:
    """Return how far a training is, with its newest losses."""
    steps = f" {training.step} of {training.steps} steps" if training.steps else ""
    newest = training.losses[-1] if training.losses else {}
    losses = "  ".join(f"{name} {value:.3f}" for name, value in newest.items() if name != "step")
    return f"  {training.stage or training.state}{steps}  {losses}".rstrip()


def show_verdict(version: "NewVersion") -> None:
    """Show what the gate found, at each strength that it tried: the preferences, and what may not be lost."""
    verdict = version.verdict
    say(f"{version.id}: {'passed the gate' if verdict.is_passed else 'REFUSED by the gate, it never serves'}")
    for one in verdict.tried:
        if verdict.others:
            say(f"at {one.strength:g} of its strength: {'passed' if one.is_passed else 'refused'}")
        _show_figures(one)


def _show_figures(verdict: "Verdict") -> None:
    agrees = ("held-out pairs ordered right", f"{verdict.champion_agrees:.3f}", f"{verdict.challenger_agrees:.3f}")
    rows = [(*agrees, f"bound {verdict.bound:+.3f}", "yes" if verdict.bound > 0 else "NO")]
    for one in verdict.guardrails:
        limits = [
            f"{word} {value:.3f}" for word, value in (("least", one.least), ("most", one.most)) if value is not None
        ]
        numbers = (f"{one.champion:.3f}", f"{one.challenger:.3f}")
        rows.append((one.name, *numbers, ", ".join(limits), "yes" if one.is_kept else "NO"))
    show_table(("", "champion", "challenger", "needs", "kept"), rows, ("champion", "challenger"))
