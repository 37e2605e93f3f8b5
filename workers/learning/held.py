"""A training in hand: a side thread renews its lease and writes down how far it is, for whoever looks on."""

import fcntl
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from core import traces
from core.errors import OutdatedError, TransientError
from core.ledger.trainings import Claim, Trainings

logger = logging.getLogger(__name__)

LONGEST_PAUSE_SECONDS = 5.0
LOCK_NAME = "lock"


class StoppedError(Exception):
    """The worker stops, or the training is somebody else's by now. Never leaves the learning."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder for this training alone; raises StoppedError while somebody else on this machine works in it.

    Whoever lost its lease, because the machine stood still for a while, notices only at its next step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoppedError("a former attempt still works in its folder") from error
        # Closing the file lets go of it, and so does the end of the process.
        yield


class Held:
    """Holds a claim while it is open: `with Held(...) as held`."""

    def __init__(self, trainings: Trainings, claim: Claim, stopping: threading.Event) -> None:
        self.claim = claim
        self._trainings, self._stopping = trainings, stopping
        self._lost, self._done = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._stage, self._step, self._steps = claim.training.stage, claim.training.step, claim.training.steps
        self._losses: dict[int, dict[str, float]] = {int(one["step"]): one for one in claim.training.losses}
        # The stage of a former attempt is not one of this.
        self._has_begun, self._stage_began = False, traces.now()
        self._thread = threading.Thread(target=self._run, name="training-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._trace_stage()
        self._done.set()
        self._thread.join()

    def begin(self, stage: str) -> None:
        """Say what is done now; raises StoppedError when it shall not be."""
        self._trace_stage()
        with self._lock:
            self._stage = stage
        self.end_if_stopped()
        self._tell()

    def _trace_stage(self) -> None:
        """Record the stage that ends now."""
        if self._has_begun:
            traces.passed(self._stage, self._stage_began)
        self._has_begun, self._stage_began = True, traces.now()

    def watch(self, step: int, steps: int, losses: Mapping[str, float]) -> None:
        """Take note of a step; raises StoppedError when there shall be no further one."""
        with self._lock:
            self._step, self._steps = step, steps
            self._losses[step] = {"step": step, **{name: round(value, 5) for name, value in losses.items()}}
        self.end_if_stopped()

    def end_if_stopped(self) -> None:
        """Raise StoppedError when the worker stops or the training was lost."""
        if self._lost.is_set():
            raise StoppedError("somebody else has taken the training up, or the ledger is of a newer version")
        if self._stopping.is_set():
            raise StoppedError("the worker stops")

    @property
    def losses(self) -> list[dict[str, float]]:
        """Return the losses of all steps, in their order."""
        with self._lock:
            return [self._losses[step] for step in sorted(self._losses)]

    def _run(self) -> None:
        while not self._done.wait(min(self._trainings.lease_seconds / 3, LONGEST_PAUSE_SECONDS)):
            self._tell()

    def _tell(self) -> None:
        losses = self.losses
        try:
            if not self._trainings.report(self.claim, self._stage, self._step, self._steps, losses):
                self._lost.set()
        except TransientError as error:
            # Should the lease end meanwhile, somebody else goes on from the checkpoint.
            logger.warning("training %s not renewed: %s", self.claim.training.id, error)
        except OutdatedError as error:
            # A newer worker goes on from the checkpoint.
            logger.warning("training %s is left: %s", self.claim.training.id, error)
            self._lost.set()
