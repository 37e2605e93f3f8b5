"""The processes that generate: how many `factory up` starts here, and which share of the machine each of them gets.

One process makes with one device. Cards have a process each, or several where the models are small. So has a
processor: one thread each gets more out of two cores than two threads that wait for each other at every layer
(decision 3).
"""

import importlib.metadata
import math
import os
import re
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Self

from core.settings import Settings

FIRST = "generate"
NAMES = re.compile(rf"{FIRST}(-[0-9]+)?")
STARTER = "starter"
# Each holds models of its own, and broker, store and ledger compute as well.
MOST_ON_A_PROCESSOR = 4
# Small models leave a card idle most of the time, while Python decides what it shall do: on an H200 a line took 0.25 s.
STARTERS_ON_A_CARD = 3
DEVICES = Path("/dev")
CARD = re.compile(r"nvidia[0-9]+")
# How CUDA names cards and parts of them: by number or by UUID, which may be shortened.
CARD_NAME = re.compile(r"[0-9]+|(GPU|MIG)-[-/0-9A-Za-z]+")
# One file for all cards of AMD, and one for all that Windows lends to its Linux (WSL2): neither tells how many.
AMD_CARDS, WINDOWS_CARDS = "kfd", "dxg"
GIB = 1024**3
# With the starters: a process that generates takes 1.3 GiB, and everything else of the stack what is left of two.
GENERATING_BYTES, OTHERS_BYTES = 13 * GIB // 10, 7 * GIB // 10
# With a card, whose libraries take more of the host's memory than the models do: ample.
CUDA_BYTES = 4 * GIB
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")
CORES_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Machine:
    """What a machine computes with."""

    cores: int
    # As CUDA_VISIBLE_DEVICES names them.
    cards: tuple[str, ...] = ()
    # By default as much as anybody could want.
    memory_bytes: int = 1024 * GIB

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what processes with these settings find on this machine."""
        visible = settings.environment().get("CUDA_VISIBLE_DEVICES")
        return cls(count_cores(), find_cards(_torch_version(), visible, DEVICES), memory_bytes())


@dataclass(frozen=True)
class Share:
    """A process that generates, and what of the machine is its own: settings that only it has."""

    name: str
    environment: tuple[tuple[str, str], ...] = ()


def count_cores(limit: Path = CORES_LIMIT) -> int:
    """Return how many processors this process may use; of a container that may use a part of their time, that part."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = limit.read_text(encoding="ascii").strip().partition(" ") if limit.is_file() else ("max", "", "")
    return min(cores, max(1, math.ceil(int(quota) / int(period)))) if quota.isdigit() else cores


def find_cards(torch: str, visible: str | None, devices: Path) -> tuple[str, ...]:
    """Return the cards that this version of torch computes on; `visible` is what CUDA_VISIBLE_DEVICES says."""
    there = _count_cards(torch, devices)
    if visible is None:
        return tuple(map(str, range(there)))
    # CUDA stops at the first one that is none, such as -1.
    named = takewhile(CARD_NAME.fullmatch, map(str.strip, visible.split(",")))
    return tuple(islice(named, there))


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
    """Return how many processes fit: one a card, else one; with small models several, as cores and memory allow."""
    is_small = {settings.copy_model, settings.image_model, settings.music_model} == {STARTER}
    free_bytes = machine.memory_bytes - OTHERS_BYTES
    if settings.device == "auto" and machine.cards:
        cards = len(machine.cards)
        held = min(machine.cores, free_bytes // CUDA_BYTES)
        return cards * max(1, min(STARTERS_ON_A_CARD, held // cards)) if is_small else cards
    if settings.device in {"auto", "cpu"} and is_small:
        return max(1, min(machine.cores, MOST_ON_A_PROCESSOR, free_bytes // GENERATING_BYTES))
    return 1


def _environment(settings: Settings, machine: Machine, number: int, processes: int) -> tuple[tuple[str, str], ...]:
    """Return what one of several processes takes of the machine; one alone takes what the settings say."""
    if processes == 1:
        return ()
    if settings.device == "auto" and machine.cards:
        # The device stays `auto`: where the driver does not take this torch, each computes on the processor.
        card = machine.cards[(number - 1) % len(machine.cards)]
        return (("CUDA_VISIBLE_DEVICES", card),) if len(machine.cards) > 1 else ()
    if settings.device in {"auto", "cpu"}:
        return (("FACTORY_THREADS", str(settings.threads or max(1, machine.cores // processes))),)
    return ()


def _count_cards(torch: str, devices: Path) -> int:
    """Return how many cards there are, by their device files; one where these do not tell."""
    if not torch or torch.endswith("+cpu"):
        return 0
    if "+rocm" in torch:
        return int((devices / AMD_CARDS).exists())
    numbered = sum(CARD.fullmatch(path.name) is not None for path in devices.glob("nvidia*"))
    return numbered or int((devices / WINDOWS_CARDS).exists())


def _torch_version() -> str:
    """Return the version of the torch that is installed, which says what it computes on; empty where there is none."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""
