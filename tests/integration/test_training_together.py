"""Trainings in several processes: they meet, they share out each step, and where one dies others go on."""

import os
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from benchmarks.tiny_writer import LINES, brief_of, build_writer
from core.errors import ImpossibleWorkError
from schemas.campaigns import Kind
from schemas.learning import curriculum
from workers.models.tuning.protocol import Judged, Lesson, Place
from workers.models.tuning.together import MOST_DEATHS, TogetherTuner
from workers.models.tuning.tuners import Workplace, tuner_of

pytestmark = pytest.mark.timeout(300)
# Sums of float32 in another order differ in their last digits.
TOLERANCE = 1e-5
# So many that a crew is in the middle of them when it is disturbed.
EPOCHS, STEPS = 6, 12
LESSONS = [
    Lesson(f"product {product}", *(Judged(brief_of(product), LINES[place + step]) for step in (0, 60)), 1.0)
    for product in range(6)
    for place in range(4 * product, 4 * product + 4)
]


def workplace(model: Path, folder: Path) -> Workplace:
    changes = {"epochs": EPOCHS, "pairs_a_step": 12, "learning_rate": 3e-3, "warm_up_steps": 1}
    recipe = curriculum().recipes[Kind.COPY].model_copy(update=changes)
    place = Place("cpu", "float32", 2)
    return Workplace(kind=Kind.COPY, model=str(model), cache=folder, recipe=recipe, place=place)


def ignore(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
    """Watch nothing."""


def members() -> list[psutil.Process]:
    """Return the processes of a crew that this one has started."""
    return [one for one in psutil.Process().children() if "workers.models.tuning.member" in one.cmdline()]


class StopHereError(Exception):
    """Raised by a watch, as a worker that stops does."""


def test_whoever_stops_or_dies_in_a_step_others_go_on_to_the_version_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # A death after steps that none had taken before is not even the first one.
    monkeypatch.setattr("workers.models.tuning.together.MOST_DEATHS", 1)
    # A home as people name theirs.
    home = tmp_path / "Mes études %20"
    here = workplace(build_writer(tmp_path / "writer"), tmp_path)
    undisturbed = tuner_of(here).tune(None, LESSONS, tmp_path / "alone", ignore)
    told: dict[frozenset[int], list[int]] = {}
    rest: list[int] = []

    def stop_after_the_first(_step: int, _steps: int, _losses: Mapping[str, float]) -> None:
        raise StopHereError

    def kill_one_of_the_first_crew_and_stop_in_the_second(step: int, *_: object) -> None:
        crew = frozenset(one.pid for one in psutil.Process().children())
        told.setdefault(crew, []).append(step)
        if len(told) > 1:
            raise StopHereError
        if told[crew] == [step]:
            os.kill(members()[-1].pid, signal.SIGKILL)

    with pytest.raises(StopHereError):
        tuner_of(here).tune(None, LESSONS, home / "work", stop_after_the_first)
    with pytest.raises(StopHereError):
        TogetherTuner(here, 2).tune(None, LESSONS, home / "work", kill_one_of_the_first_crew_and_stop_in_the_second)
    assert members() == []
    version = tuner_of(here).tune(None, LESSONS, home / "work", lambda step, *_: rest.append(step))

    first, second = told.values()
    assert first[0] == 2
    # Those after it begin where a step was kept, and lose none of those that were told before a stop.
    assert 2 <= second[0] <= first[-1] + 1
    assert second[-1] < rest[0]
    assert rest == list(range(rest[0], STEPS + 1))
    alone, together = (load_file(one / "adapter_model.safetensors") for one in (undisturbed, version))
    assert max(float((alone[name] - together[name]).abs().max()) for name in alone) <= TOLERANCE
    assert all(torch.isfinite(weight).all() for weight in together.values())


def test_processes_that_die_each_time_are_told_of(tmp_path: Path):
    killed = []

    def kill_one() -> None:
        for one in members()[:1]:
            killed.append(one.pid)
            os.kill(one.pid, signal.SIGKILL)

    with pytest.raises(ImpossibleWorkError, match=r"died 3 times.*FACTORY_TRAIN_PROCESSES=2: .*memory too small"):
        TogetherTuner(workplace(tmp_path, tmp_path), 2).tune(None, LESSONS, tmp_path / "work", ignore, kill_one)

    assert len(set(killed)) >= MOST_DEATHS
    assert members() == []


def test_what_processes_died_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # A machine whose loopback has another name, and a network card that it does not have.
    monkeypatch.setattr("workers.models.tuning.together.LOOPBACK", "unknown")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "absent")
    monkeypatch.setattr("workers.models.tuning.together.MOST_DEATHS", 1)

    with pytest.raises(ImpossibleWorkError, match=r"died 1 times.*: RuntimeError: .*absent") as told:
        TogetherTuner(workplace(tmp_path, tmp_path), 2).tune(None, LESSONS, tmp_path / "work", ignore)

    assert "memory" not in str(told.value)
    assert members() == []


def test_what_a_process_refuses_is_told_as_it_is(tmp_path: Path):
    with pytest.raises(ImpossibleWorkError, match=f"^{re.escape(str(tmp_path))} cannot be trained"):
        TogetherTuner(workplace(tmp_path, tmp_path), 2).tune(None, LESSONS, tmp_path / "work", ignore)

    assert members() == []


@contextmanager
def room_for(files: int) -> Iterator[None]:
    """Let this process open so many files more, and no further ones."""
    before, opened = resource.getrlimit(resource.RLIMIT_NOFILE), [os.open(os.devnull, os.O_RDONLY)]
    highest = max(int(one.name) for one in Path("/proc/self/fd").iterdir())
    while opened[-1] < highest:
        opened.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened[-1] + 1 + files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for one in opened:
            os.close(one)


def test_a_crew_that_cannot_begin_whole_leaves_nobody_behind(tmp_path: Path):
    together = TogetherTuner(workplace(tmp_path, tmp_path), 2)

    # The lock, and the pipes of one process: two of those stay open, and the next one needs six again.
    with pytest.raises(OSError, match="Too many open files"), room_for(1 + 2 + 5):
        together.tune(None, LESSONS, tmp_path / "work", ignore)

    assert members() == []


def test_a_worker_that_stops_ends_its_crew(tmp_path: Path):
    def stop_at_once() -> None:
        if members():
            raise StopHereError

    with pytest.raises(StopHereError):
        TogetherTuner(workplace(tmp_path, tmp_path), 2).tune(None, LESSONS, tmp_path / "work", ignore, stop_at_once)

    assert members() == []
