"""Answers a ticket of the queue `train`; or does one training here: `python -m workers.learning.train copy`."""

import argparse
import os
import signal
import socket
import sys
import threading

from core.errors import FactoryError, ImpossibleWorkError
from core.ledger import Ledger
from core.logs import configure_logs
from core.settings import Settings
from core.storage import Storage
from schemas.buckets import model_name
from schemas.campaigns import Kind
from schemas.learning import Recipe
from workers.learning.registry import Registry
from workers.learning.rules import rules_of
from workers.learning.teacher import Outcome, Teacher, Tools
from workers.models.tuning.protocol import Tuner

_importing = threading.Lock()


def make_teacher(settings: Settings, ledger: Ledger, worker: str, stopping: threading.Event) -> Teacher:
    """Return what does trainings with these settings."""
    storage = Storage(settings)
    home = settings.home.absolute()

    def tuner_of(kind: Kind, model: str, recipe: Recipe) -> Tuner:
        if kind != Kind.COPY:
            raise ImpossibleWorkError(f"models of kind {kind} do not learn from ratings yet")
        # transformers cannot be imported by two threads at once.
        with _importing:
            from workers.models.tuning.copy import CopyTuner, Place  # noqa: PLC0415 - loads torch
        return CopyTuner(model, home / "models", recipe, Place(settings.device, settings.dtype, settings.threads))

    registry = Registry(ledger, storage, home / "models", settings.canary_share)
    tools = Tools(ledger, storage, registry, tuner_of, rules_of(settings), home / "trainings")
    return Teacher(tools, worker, stopping)


def model_of(settings: Settings, kind: Kind) -> str:
    """Return the model of a kind that learns; raises ImpossibleWorkError for a kind that does not."""
    if kind != Kind.COPY:
        raise ImpossibleWorkError(f"models of kind {kind} do not learn from ratings yet; copy does")
    return model_name(settings.copy_model, settings.copy_adapter)


def train_now(settings: Settings, kind: Kind, actor: str) -> Outcome | None:
    """Do a training in this process, the open one if there is one; None when somebody else is at it."""
    model = model_of(settings, kind)
    ledger = Ledger(settings)
    try:
        ledger.trainings.ask(kind, model, f"{actor} asked for it")
        worker = f"retrain@{socket.gethostname()}#{os.getpid()}"
        return make_teacher(settings, ledger, worker, _stopping()).serve(kind, model)
    finally:
        ledger.close()


def _stopping() -> threading.Event:
    """Return what is set when this process is told to end: a training ends after its step and goes on another time."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Let a model learn from its ratings, here and now.")
    parser.add_argument("kind", choices=[Kind.COPY.value])
    parser.add_argument("--actor", default="somebody", help="who asked for it")
    given = parser.parse_args()
    try:
        settings = Settings.load()
        configure_logs(settings)
        outcome = train_now(settings, Kind(given.kind), given.actor)
    except FactoryError as error:
        sys.exit(f"factory: {error}")
    if outcome is None:
        sys.exit("factory: the training goes on later, or another worker is at it: see `factory models trainings`")
    sys.stdout.write(f"{outcome.state}: {outcome.message}\n")


if __name__ == "__main__":
    main()
