"""A crew: the processes that train one version together. Each takes a share of every step, and all take the same step.

Gradients are added up, so all come to the weights that one process would come to, but for the order of the sums.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

Part = TypeVar("Part", bound=Sequence[object])


def _as_it_is(numbers: torch.Tensor) -> torch.Tensor:
    return numbers


@dataclass(frozen=True)
class Member:
    """A process of a crew, and how it adds up numbers with the others."""

    index: int = 0
    size: int = 1
    # Gives every process the same sums; each must call it as often as the others.
    add_up: Callable[[torch.Tensor], torch.Tensor] = _as_it_is

    def share_of(self, parts: Sequence[Part]) -> list[tuple[int, Part]]:
        """Return the parts of a step that are this process's, with their numbers; the largest are dealt out first."""
        numbered = sorted(enumerate(parts), key=lambda part: -len(part[1])) if self.size > 1 else list(enumerate(parts))
        return numbered[self.index :: self.size]


ALONE = Member()


def join(index: int, size: int, meeting: Path, *, on_cpu: bool) -> Member:
    """Meet the other processes, and return this one among them; the file is where they find each other."""
    from accelerate import PartialState  # noqa: PLC0415 - takes seconds, and who trains alone needs none of it
    from accelerate.utils import reduce  # noqa: PLC0415

    # Not by the address of the file: torch does not read what an address has to write for spaces and accents.
    store = torch.distributed.FileStore(str(meeting.absolute()), size)  # type: ignore[attr-defined]
    PartialState(cpu=on_cpu, store=store, rank=index, world_size=size)

    def add_up(numbers: torch.Tensor) -> torch.Tensor:
        sums: torch.Tensor = reduce(numbers, "sum")
        return sums

    return Member(index, size, add_up)


def leave() -> None:
    """Part from the others; all do so at the end."""
    from accelerate import PartialState  # noqa: PLC0415 - see above

    PartialState().destroy_process_group()
