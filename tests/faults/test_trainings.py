"""SIGKILL of the worker that trains, at any point: one training, one snapshot, one version, as if nothing had been."""

import hashlib
import random
import signal
from pathlib import Path

import pytest

from benchmarks.tiny_writer import build_writer
from core.broker import TRAIN_QUEUE, make_app
from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage
from core.versions import MANIFEST
from schemas.campaigns import Kind
from schemas.learning import TrainingState
from workers.learning import snapshot
from workers.learning.materials import lessons_of, plain
from workers.learning.pairs import pairs_of
from workers.learning.triggers import Watch
from workers.models.tuning.copy import CopyTuner
from workers.models.tuning.protocol import Place

from support.heard import strict_rules
from support.learners import rated_world
from support.waiting import wait_until
from support.workers import Workers

pytestmark = pytest.mark.timeout(600)
STAGES = ("snapshot", "training", "training", "gate", "gate", "gate")


def test_a_training_that_is_killed_again_and_again_ends_once_with_the_version_of_one_that_was_not(
    settings: Settings, storage: Storage, tmp_path: Path
):
    writer = build_writer(tmp_path / "writer")
    changes: dict[str, object] = {"lease_seconds": 3.0, "copy_model": str(writer), "copy_adapter": None}
    rules = tmp_path / "rules.yaml"
    rules.write_text(strict_rules().model_dump_json(), encoding="utf-8")
    changes |= {"curriculum": rules, "device": "cpu", "dtype": "float32", "threads": 1}
    settings = settings.model_copy(update=changes)
    ledger, app, workers, dice = Ledger(settings), make_app(settings), Workers(settings, tmp_path), random.Random(4)
    rated_world(ledger, writer)
    training, _ = ledger.trainings.ask(Kind.COPY, str(writer), "ada asked for it")

    def is_at(stage: str) -> bool:
        """Do what beat does, and tell whether a worker is at this stage, or the training is over."""
        Watch(settings, ledger).look(app)
        now = ledger.trainings.of_id(training.id)
        return now.state != TrainingState.OPEN or (now.stage == stage and ledger.trainings.waiting() == [])

    killed = []
    for stage in STAGES:
        worker = workers.start("train", queues=TRAIN_QUEUE)
        wait_until(lambda stage=stage: is_at(stage), 180, f"the stage {stage}")
        signal.sigtimedwait([], dice.uniform(0, 2))
        killed += [stage] if ledger.trainings.of_id(training.id).state == TrainingState.OPEN else []
        worker.kill()
        worker.wait(10)
        # Until the lease of the dead one has ended, it would be taken for one that is at work.
        wait_until(lambda: ledger.trainings.waiting() or is_at("over"), 30, "the end of the lease")
    workers.start("train", queues=TRAIN_QUEUE)
    wait_until(lambda: is_at("over"), 240, "the end of the training")
    workers.end()

    (ended,) = ledger.trainings.newest()
    assert len(killed) >= len(STAGES) - 1
    # Taken whole it loses a guardrail, so what is registered is a weaker one.
    assert ended.state == TrainingState.PASSED, ended.message
    assert ended.version is not None
    assert ended.version.verdict.strength < 1
    assert ended.snapshot is not None
    assert [key for key, _ in storage.list("snapshots/")] == [ended.snapshot.key]
    names = [MANIFEST, *(file.name for file in ended.version.files)]
    assert {key for key, _ in storage.list("versions/")} == {f"{ended.version.prefix}{name}" for name in names}
    weights = next(file for file in ended.version.files if file.name.endswith(".safetensors"))
    assert weights.sha256 == undisturbed(storage, ended.snapshot, writer, tmp_path, ended.version.verdict.strength)
    ledger.close()


def undisturbed(storage: Storage, stored: snapshot.StoredSnapshot, writer: Path, folder: Path, strength: float) -> str:
    """Return the sha256 of the weights that a training on this snapshot gives without any interruption."""
    rules = strict_rules()
    taken = snapshot.fetch(storage, stored)
    tuner = CopyTuner(str(writer), folder / "models", rules.recipes[Kind.COPY], Place("cpu", "float32", 1))
    pairs = pairs_of(taken, rules.snapshot, held_out=False)
    lessons = lessons_of(pairs, plain(pairs))
    tuner.tune(None, lessons, folder / "undisturbed", lambda *_: None)
    version = tuner.weakened(folder / "undisturbed", strength)
    return hashlib.sha256((version / "adapter_model.safetensors").read_bytes()).hexdigest()
