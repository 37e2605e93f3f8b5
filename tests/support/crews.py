"""Two members of a crew as two threads: they add up as processes do, and none has to be started."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from workers.models.tuning.crew import Member

Made = TypeVar("Made")
PATIENCE_SECONDS = 60.0


def by_two(work: Callable[[Member], Made]) -> tuple[Made, Made]:
    """Return what both members made of the same work.

    The second begins when the first waits for it: models are loaded one after the other, as libraries want it.
    """
    meeting, begun = threading.Barrier(2, timeout=PATIENCE_SECONDS), threading.Event()
    given: dict[int, torch.Tensor] = {}

    def member(index: int) -> Made:
        def add_up(numbers: torch.Tensor) -> torch.Tensor:
            given[index] = numbers.clone()
            begun.set()
            meeting.wait()
            sums = given[0] + given[1]
            meeting.wait()
            return sums

        if index:
            begun.wait(PATIENCE_SECONDS)
        return work(Member(index, 2, add_up))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(member, range(2))
    return first, second
