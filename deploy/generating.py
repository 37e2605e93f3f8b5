"""The processes that generate: how many `factory up` starts here, and which share of the machine each of them gets.

One process makes with one device. Cards have a process each. A processor has several where the models are small: one
thread each gets more out of two cores than two threads that wait for each other at every layer (decision 3).
"""

import importlib.metadata
import os
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Self

from core.settings import Settings

FIRST = "generate"
NAMES = re.compile(rf"{FIRST}(-[0-9]+)?")
STARTER = "starter"
# Each holds models of its own, and broker, store and ledger compute as well.
MOST_ON_A_PROCESSOR = 4
DEVICES = Path("/dev")
CARD = re.compile(r"nvidia[0-9]+")
GIB = 1024**3
# With the starters: a process that generates takes 1.3 GiB, and everything else of the stack what is left of two.
GENERATING_BYTES, OTHERS_BYTES = 13 * GIB // 10, 7 * GIB // 10
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Machine:
    """What a machine computes with."""

    cores: int
    cards: int = 0
    memory_bytes: int = 1024 * GIB

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what processes with these settings find on this machine."""
        visible = settings.environment().get("CUDA_VISIBLE_DEVICES")
        return cls(count_cores(), count_cards(visible, DEVICES) if _takes_cards() else 0, memory_bytes())


@dataclass(frozen=True)
class Share:
    """A process that generates, and what of the machine is its own: settings that only it has."""

    name: str
    environment: tuple[tuple[str, str], ...] = ()


def count_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_cards(visible: str | None, devices: Path) -> int:
    """Return how many cards of NVIDIA there are; `visible` are those that CUDA may see, as its variable names them."""
    there = sum(CARD.fullmatch(path.name) is not None for path in devices.glob("nvidia*"))
    if visible is None:
        return there
    # CUDA stops at the first one that is none, such as -1.
    named = takewhile(lambda one: one and not one.startswith("-"), map(str.strip, visible.split(",")))
    return min(there, len(list(named)))


def memory_bytes() -> int:
    """Return the memory of this machine, or what its container may use of it."""
    import psutil  # noqa: PLC0415 - a producer does not have it

    text = CONTAINER_LIMIT.read_text(encoding="ascii").strip() if CONTAINER_LIMIT.is_file() else "max"
    total = int(psutil.virtual_memory().total)
    return min(total, int(text)) if text.isdigit() else total


def shares(settings: Settings, machine: Machine) -> list[Share]:
    """Return the processes that generate, in the order of their start."""
    processes = settings.generate_processes or _fitting(settings, machine)
    return [
        Share(FIRST if number == 1 else f"{FIRST}-{number}", _environment(settings, machine, number, processes))
        for number in range(1, processes + 1)
    ]


def is_generating(node: str) -> bool:
    """Tell whether a worker, by its name in Celery, is one of these."""
    return NAMES.fullmatch(node.partition("@")[0]) is not None


def _fitting(settings: Settings, machine: Machine) -> int:
    """Return how many processes fit: one a card; with small models one a core that the memory holds; else one."""
    if settings.device == "auto" and machine.cards:
        return machine.cards
    models = {settings.copy_model, settings.image_model, settings.music_model}
    if settings.device in {"auto", "cpu"} and models == {STARTER}:
        held = max(1, (machine.memory_bytes - OTHERS_BYTES) // GENERATING_BYTES)
        return min(machine.cores, MOST_ON_A_PROCESSOR, held)
    return 1


def _environment(settings: Settings, machine: Machine, number: int, processes: int) -> tuple[tuple[str, str], ...]:
    """Return what one of several processes takes of the machine; one alone takes what the settings say."""
    if processes == 1:
        return ()
    if settings.device == "auto" and machine.cards:
        return (("FACTORY_DEVICE", f"cuda:{(number - 1) % machine.cards}"),) if machine.cards > 1 else ()
    if settings.device in {"auto", "cpu"}:
        return (("FACTORY_THREADS", str(settings.threads or max(1, machine.cores // processes))),)
    return ()


def _takes_cards() -> bool:
    """Tell whether the torch that is installed can compute on a card; one for processors says so in its version."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
