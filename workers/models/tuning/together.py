"""A tuner that trains in several processes on this machine, each on a device of its own: a card, or part of the CPU.

Where one of them dies, all end, and others go on from the last checkpoint.
"""

import fcntl
import json
import logging
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch

from core.errors import ImpossibleWorkError
from workers.models.device import device_of
from workers.models.training import Plan
from workers.models.tuning.member import GRACE_SECONDS, folder_of
from workers.models.tuning.protocol import Contestant, EndIfStopped, Lesson, Tuner, Watch, never_stopped
from workers.models.tuning.steps import NAME, learnt_before
from workers.models.tuning.tuners import Errand, Workplace, tuner_of

logger = logging.getLogger(__name__)

# In a row: one that came further than all before does not count.
MOST_DEATHS = 3
POLL_SECONDS = 0.5
ERRAND_NAME, MEETING_NAME, LOCK_NAME = "errand.json", "meeting", "crew.lock"
LOOPBACK = "lo"


class _DiedError(Exception):
    """A process ended that had not done its share. Never leaves this module."""

    def __init__(self, why: str, furthest: int) -> None:
        super().__init__(why)
        # The last step that all took.
        self.furthest = furthest


class TogetherTuner:
    """Tunes as the tuner of the kind does, in as many processes as it is told."""

    def __init__(self, workplace: Workplace, processes: int) -> None:
        self._workplace, self._processes = workplace, processes
        self._alone: Tuner = tuner_of(workplace)

    def tune(
        self,
        parent: Path | None,
        lessons: Sequence[Lesson],
        folder: Path,
        watch: Watch,
        end_if_stopped: EndIfStopped = never_stopped,
    ) -> Path:
        """Train, or go on with what was begun; a version that is there already is returned as it is."""
        require_cards(device_of(self._workplace.place.device), self._processes, torch.cuda.device_count())
        workplace = _shared_out(self._workplace, self._processes)
        errand = Errand(workplace=workplace, parent=parent, lessons=tuple(lessons), folder=folder.absolute())
        deaths, furthest, why = 0, 0, ""
        while not (version := learnt_before(folder, self._workplace.place.threads)):
            if deaths == MOST_DEATHS:
                raise ImpossibleWorkError(
                    f"the processes of this training died {MOST_DEATHS} times without a step between, with "
                    f"FACTORY_TRAIN_PROCESSES={self._processes}: {why}; the worker's log says more"
                )
            deaths += 1
            try:
                with _only_crew(folder, end_if_stopped) as lock, Crew(errand, self._processes, lock) as crew:
                    crew.follow(watch, end_if_stopped)
            except _DiedError as error:
                deaths = 0 if error.furthest > furthest else deaths
                furthest, why = max(furthest, error.furthest), str(error)
                logger.warning("training in %s: %s; %d of %d deaths in a row", folder, why, deaths, MOST_DEATHS)
                end_if_stopped()
        return version

    def weakened(self, folder: Path, strength: float) -> Path:
        """Return the version that was trained in a folder, so far on the way that its training went."""
        return self._alone.weakened(folder, strength)

    def contestant(self, version: Path | None) -> Contestant:
        """Load the version of a folder, or the shipped one, on one device."""
        return self._alone.contestant(version)


class Crew:
    """The processes of one start, from the same checkpoint; none of them outlives it."""

    def __init__(self, errand: Errand, size: int, lock: int) -> None:
        self._errand, self._size, self._lock = errand, size, lock
        self._members: list[subprocess.Popen[bytes]] = []
        self._listeners: list[threading.Thread] = []
        # What they tell, line by line; nothing more to come is an empty one.
        self._news: queue.Queue[tuple[int, bytes]] = queue.Queue()
        # What a process said before it ended, and the last step that all took.
        self._last_words: dict[int, str] = {}
        self._furthest = 0

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            # Those that began already hold the lock: left alone, they would keep out whoever tries again.
            self._end(must_kill=True)
            raise
        return self

    def _begin(self) -> None:
        folder = self._errand.folder
        _share_checkpoint(folder, self._size)
        (folder / MEETING_NAME).unlink(missing_ok=True)
        (folder / ERRAND_NAME).write_text(self._errand.model_dump_json(), encoding="utf-8")
        for index in range(self._size):
            # They keep the lock, too: as long as one of them lives, nobody else begins here.
            member = subprocess.Popen(
                _command(self._errand, index, self._size),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[self._lock],
                start_new_session=True,
            )
            self._members.append(member)
            listener = threading.Thread(target=self._listen, args=(index, member), name=f"member-{index}", daemon=True)
            listener.start()
            self._listeners.append(listener)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._end(must_kill=kind is _DiedError or not self._furthest)

    def _end(self, *, must_kill: bool) -> None:
        """Let every process end its step and write its checkpoint; kill those that do not or need not."""
        for member in self._members:
            assert member.stdin is not None, "it was asked for"
            member.stdin.close()
            if must_kill:
                member.kill()
        for member in self._members:
            try:
                member.wait(GRACE_SECONDS + POLL_SECONDS)
            except subprocess.TimeoutExpired:
                member.kill()
                member.wait()
        for listener in self._listeners:
            listener.join()

    def follow(self, watch: Watch, end_if_stopped: EndIfStopped) -> None:
        """Hand on what the processes tell until all have ended; raises _DiedError when one of them could not."""
        at_work = set(range(self._size))
        while at_work:
            try:
                index, line = self._news.get(timeout=POLL_SECONDS)
            except queue.Empty:
                end_if_stopped()
                continue
            if line:
                self._hand_on(index, json.loads(line), watch)
                continue
            at_work.discard(index)
            # The first one to end is to blame: where one is gone, the others die of that.
            if code := self._members[index].wait():
                silent = f"process {index} of {self._size} ended with code {code}, is the memory too small for them?"
                raise _DiedError(self._last_words.get(index, silent), self._furthest)

    def _hand_on(self, index: int, told: dict[str, object], watch: Watch) -> None:
        if "refused" in told:
            raise ImpossibleWorkError(str(told["refused"]))
        if "died" in told:
            self._last_words[index] = str(told["died"])
            return
        step, steps, losses = told["step"], told["steps"], told["losses"]
        assert isinstance(step, int), "members tell whole steps"
        assert isinstance(steps, int), "members tell whole steps"
        assert isinstance(losses, dict), "members tell losses by name"
        self._furthest = step
        watch(step, steps, losses)

    def _listen(self, index: int, member: subprocess.Popen[bytes]) -> None:
        assert member.stdout is not None, "it was asked for"
        with member.stdout:
            for line in member.stdout:
                self._news.put((index, line))
        self._news.put((index, b""))


def require_cards(device: torch.device, processes: int, cards: int) -> None:
    """Raise ImpossibleWorkError where not every process gets a card of its own; on a CPU there is nothing to ask."""
    if device.type == "cpu":
        return
    if device.index is not None:
        raise ImpossibleWorkError(
            f"FACTORY_DEVICE={device} names one card, and each of FACTORY_TRAIN_PROCESSES={processes} takes one: set "
            "FACTORY_DEVICE=cuda (CUDA_VISIBLE_DEVICES says which cards there are), or FACTORY_TRAIN_PROCESSES=1"
        )
    if processes > cards:
        raise ImpossibleWorkError(
            f"each of FACTORY_TRAIN_PROCESSES={processes} takes a card, and {cards} are there: set "
            f"FACTORY_TRAIN_PROCESSES={cards}, or FACTORY_DEVICE=cpu"
        )


def _shared_out(workplace: Workplace, size: int) -> Workplace:
    """Return the workplace of each process: with its share of the threads."""
    threads = max(1, (workplace.place.threads or torch.get_num_threads()) // size)
    return workplace.model_copy(update={"place": replace(workplace.place, threads=threads)})


@contextmanager
def _only_crew(folder: Path, end_if_stopped: EndIfStopped) -> Iterator[int]:
    """Wait until no process of a former crew is at work in a folder; yield what keeps others out."""
    with (folder / LOCK_NAME).open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                end_if_stopped()
                threading.Event().wait(POLL_SECONDS)
        yield lock.fileno()


def _share_checkpoint(folder: Path, size: int) -> None:
    """Give every process what the first one knows: each writes its own checkpoints, at times of its own."""
    first = Plan(folder, NAME, 0).checkpoint
    for index in range(1, size):
        shutil.rmtree(folder_of(folder, index), ignore_errors=True)
        folder_of(folder, index).mkdir()
        if first.exists():
            shutil.copy(first, Plan(folder_of(folder, index), NAME, 0).checkpoint)


def _command(errand: Errand, index: int, size: int) -> list[str]:
    named = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    # They meet on this machine alone, and listen to nobody else.
    loopback = {"GLOO_SOCKET_IFNAME": LOOPBACK, "NCCL_SOCKET_IFNAME": LOOPBACK} if _has_loopback() else {}
    variables = {**named, **loopback, "OMP_NUM_THREADS": errand.workplace.place.threads}
    return [
        *("env", *(f"{name}={value}" for name, value in variables.items())),
        *(sys.executable, "-m", "workers.models.tuning.member", str(index), str(size)),
        *(str(errand.folder / ERRAND_NAME), str(errand.folder / MEETING_NAME)),
    ]


def _has_loopback() -> bool:
    return LOOPBACK in {name for _, name in socket.if_nameindex()}
