"""One training of an adapter from its first step to a folder of files: watched, stopped in good order, gone on with."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import torch

from core.errors import ModelLoadError
from workers.models.training import Plan, Trainee, save, train
from workers.models.tuning.protocol import Watch

NAME = "preferences"
VERSION_FOLDER = "version"
DRAFT_FOLDER = "draft"


class AdapterInTraining(Trainee, Protocol):
    """A trainee that knows how many steps it has, and that puts what it learnt into its model."""

    @property
    def steps(self) -> int:
        """Return how many steps the training has."""
        ...

    def use_masters(self) -> None:
        """Put what was learnt into the model."""
        ...


class _Watched:
    """A trainee that tells somebody of each step, and that can say where it stands."""

    def __init__(self, trainee: AdapterInTraining, watch: Watch) -> None:
        self._trainee, self._watch = trainee, watch
        self.modules, self.optimizers = trainee.modules, trainee.optimizers
        self.taken = 0

    def learn(self, step: int, steps: int) -> Mapping[str, float]:
        losses = self._trainee.learn(step, steps)
        self.taken = step + 1
        self._watch(self.taken, steps, losses)
        return losses


def learnt_before(folder: Path, threads: int) -> Path | None:
    """Return the version that a folder holds already; where it holds none, make ready for training it."""
    version = folder / VERSION_FOLDER
    if version.is_dir():
        return version
    if threads:
        torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    return None


def learn(
    trainee: AdapterInTraining,
    weights: Mapping[str, torch.Tensor],
    folder: Path,
    watch: Watch,
    write: Callable[[Path], None],
) -> Path:
    """Take all steps, or those that are left; return the folder with what `write` wrote of the weights."""
    _train(trainee, Plan(folder, NAME, trainee.steps), watch)
    trainee.use_masters()
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise ModelLoadError("the training ended with weights that are no numbers: lower `learning_rate`")
    draft, version = folder / DRAFT_FOLDER, folder / VERSION_FOLDER
    shutil.rmtree(draft, ignore_errors=True)
    write(draft)
    # Renamed when it is whole, so that a kill leaves nothing that could be taken for a version.
    draft.rename(version)
    return version


def _train(trainee: AdapterInTraining, plan: Plan, watch: Watch) -> None:
    watched = _Watched(trainee, watch)
    try:
        train(watched, plan)
    except Exception:
        # Whoever stops it in good order loses no step.
        if watched.taken:
            save(watched, plan.checkpoint, watched.taken)
        raise
