"""Answers a ticket of the queue `train`; or does one training here: `python -m workers.learning.train copy`."""

import argparse
import os
import signal
import socket
import sys
import threading

from core import traces
from core.errors import FactoryError
from core.learners import LEARNERS, model_of
from core.ledger import Ledger
from core.logs import configure_logs
from core.settings import Settings
from core.storage import Storage
from schemas.campaigns import Kind
from schemas.learning import Recipe
from workers.checks.safety import safety_checker
from workers.learning.examiners import CopyExaminer, Examiner
from workers.learning.registry import Registry
from workers.learning.rules import rules_of
from workers.learning.teacher import Outcome, Teacher, Tools
from workers.models.tuning.protocol import Place, Tuner

_importing = threading.Lock()


def make_teacher(settings: Settings, ledger: Ledger, worker: str, stopping: threading.Event) -> Teacher:
    """Return what does trainings with these settings."""
    storage = Storage(settings)
    home = settings.home.absolute()

    def tuner_of(kind: Kind, model: str, recipe: Recipe) -> Tuner:
        # transformers cannot be imported by two threads at once.
        with _importing:
            return _tuner(settings, kind, model, recipe)

    def examiner_of(kind: Kind) -> Examiner:
        with _importing:
            return _examiner(settings, kind)

    registry = Registry(ledger, storage, home / "models", settings.canary_share)
    folder, referees = home / "trainings", settings.referee_people
    tools = Tools(ledger, storage, registry, tuner_of, examiner_of, rules_of(settings), folder, referees)
    return Teacher(tools, worker, stopping)


def _tuner(settings: Settings, kind: Kind, model: str, recipe: Recipe) -> Tuner:
    """Return what trains a model; what it needs is loaded for its kind alone."""
    from workers.models.tuning.together import TogetherTuner  # noqa: PLC0415 - loads torch
    from workers.models.tuning.tuners import Workplace, tuner_of  # noqa: PLC0415 - loads torch

    workplace = Workplace(
        kind=kind,
        model=model,
        cache=settings.home.absolute() / "models",
        recipe=recipe,
        place=Place(settings.device, settings.dtype, settings.threads),
        steps=settings.image_steps,
        slicing=settings.image_slicing,
    )
    processes = settings.train_processes
    return TogetherTuner(workplace, processes) if processes > 1 else tuner_of(workplace)


def _examiner(settings: Settings, kind: Kind) -> Examiner:
    """Return what looks at candidates of a kind; raises SettingsError when the safety checker cannot be opened."""
    if kind == Kind.COPY:
        return CopyExaminer()
    from workers.learning.media_examiners import ImageExaminer, MusicExaminer  # noqa: PLC0415 - loads torch

    if kind == Kind.MUSIC:
        return MusicExaminer()
    return ImageExaminer(safety_checker(settings.image_safety_checker))


def train_now(settings: Settings, kind: Kind, actor: str) -> Outcome | None:
    """Do a training in this process, the open one if there is one; None when somebody else is at it."""
    model = model_of(settings, kind)
    ledger = Ledger(settings)
    try:
        ledger.trainings.ask(kind, model, f"{actor} asked for it")
        worker = f"retrain@{socket.gethostname()}#{os.getpid()}"
        with traces.span("train", {"factory.kind": kind.value}) as span:
            outcome = make_teacher(settings, ledger, worker, _stopping()).serve(kind, model)
            if outcome:
                span.note({"factory.training.state": outcome.state.value})
        return outcome
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
    parser.add_argument("kind", choices=[kind.value for kind in LEARNERS])
    parser.add_argument("--actor", default="somebody", help="who asked for it")
    given = parser.parse_args()
    try:
        settings = Settings.load()
        configure_logs(settings, "retrain")
        traces.begin(settings, "command")
        outcome = train_now(settings, Kind(given.kind), given.actor)
    except FactoryError as error:
        sys.exit(f"factory: {error}")
    finally:
        traces.end()
    if outcome is None:
        sys.exit("factory: the training goes on later, or another worker is at it: see `factory models trainings`")
    sys.stdout.write(f"{outcome.state}: {outcome.message}\n")


if __name__ == "__main__":
    main()
