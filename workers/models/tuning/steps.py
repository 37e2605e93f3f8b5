"""One training of an adapter from its first step to a folder of files: watched, stopped in good order, gone on with."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.errors import ModelLoadError
from workers.models.training import Plan, Trainee, save, train
from workers.models.tuning.protocol import Watch

NAME = "preferences"
START_FOLDER, VERSION_FOLDER = "start", "version"
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
    """Take all steps, or those that are left; return the folder with what `write` wrote of the weights.

    What they began with is written beside it, so that the version can be weakened.
    """
    _write_whole(folder / START_FOLDER, write)
    _train(trainee, Plan(folder, NAME, trainee.steps), watch)
    trainee.use_masters()
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise ModelLoadError("the training ended with weights that are no numbers: lower `learning_rate`")
    return _write_whole(folder / VERSION_FOLDER, write)


def weakened(folder: Path, strength: float) -> Path:
    """Return the version that was trained in a folder, so far on the way from what it began with; 1 is all of it.

    Each of the two matrices of a layer is taken so far by itself: the rank stays, so that the next training can go on
    from it, and over so short a way their product moves in a line as good as straight.
    """
    version = folder / VERSION_FOLDER
    if strength == 1:
        return version

    def write(draft: Path) -> None:
        shutil.copytree(version, draft)
        for file in sorted(draft.glob("*.safetensors")):
            _write_between(folder / START_FOLDER / file.name, version / file.name, strength, file)

    return _write_whole(folder / f"{VERSION_FOLDER}-{strength}", write)


def _write_between(start: Path, end: Path, strength: float, file: Path) -> None:
    before, after = load_file(start), load_file(end)
    between = {
        name: torch.lerp(before[name].float(), weight.float(), strength).to(weight.dtype)
        for name, weight in after.items()
    }
    with safe_open(end, framework="pt") as written:
        save_file(between, file, metadata=written.metadata())


def _write_whole(folder: Path, write: Callable[[Path], None]) -> Path:
    """Have a folder written that is not there yet; a kill leaves nothing that could be taken for it."""
    if not folder.is_dir():
        draft = folder.parent / DRAFT_FOLDER
        shutil.rmtree(draft, ignore_errors=True)
        write(draft)
        draft.rename(folder)
    return folder


def _train(trainee: AdapterInTraining, plan: Plan, watch: Watch) -> None:
    watched = _Watched(trainee, watch)
    try:
        train(watched, plan)
    except Exception:
        # Whoever stops it in good order loses no step.
        if watched.taken:
            save(watched, plan.checkpoint, watched.taken)
        raise
