"""One process of a crew: `python -m workers.models.tuning.member INDEX SIZE ERRAND MEETING`, started by `together`.

It tells of steps, refusals and what it dies of in lines of JSON, and ends when its input does: so nobody trains on
whose worker is gone.
"""

import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import torch

from core.errors import FactoryError
from workers.models.device import device_of
from workers.models.tuning.crew import Member, join, leave
from workers.models.tuning.protocol import Place
from workers.models.tuning.tuners import Errand, tuner_of

# From the end of its input on, it may take this long to end its step and write its checkpoint.
GRACE_SECONDS = 30.0
REFUSED = 2
MOST_LETTERS = 500


class _Stopped(Exception):  # noqa: N818 - ends a training in good order, and never leaves this process
    """The worker stops, or is gone."""


def folder_of(folder: Path, index: int) -> Path:
    """Return where a process keeps its state; the first one's is what counts."""
    return folder if index == 0 else folder / f"member-{index}"


def main() -> None:
    """Do this process's share of a training."""
    index, size = int(sys.argv[1]), int(sys.argv[2])
    # Libraries print what they like, and nobody shall take it for news.
    news = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    stopping = threading.Event()
    threading.Thread(target=_end_with_input, args=(stopping,), name="input", daemon=True).start()
    try:
        errand = Errand.model_validate_json(Path(sys.argv[3]).read_bytes())
        _train(errand, index, size, Path(sys.argv[4]), news, stopping)
    except FactoryError as error:
        news.write(json.dumps({"refused": str(error)}) + "\n")
        sys.exit(REFUSED)
    except _Stopped:
        return
    except Exception as error:
        # Nobody foresaw this, and another start may do better. The log gets all of it.
        news.write(json.dumps({"died": _in_a_line(error)}) + "\n")
        raise


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:MOST_LETTERS]


def _train(errand: Errand, index: int, size: int, meeting: Path, news: TextIO, stopping: threading.Event) -> None:
    place = _place_of(errand.workplace.place, index)
    member = join(index, size, meeting, on_cpu=place.device == "cpu")

    def watch(step: int, steps: int, losses: Mapping[str, float]) -> None:
        if index == 0:
            news.write(json.dumps({"step": step, "steps": steps, "losses": dict(losses)}) + "\n")
        # All stop after the same step, or none does: nobody is left waiting for another.
        if _anybody(member, stopping.is_set(), place.device):
            raise _Stopped

    def end_if_stopped() -> None:
        if stopping.is_set():
            raise _Stopped

    tuner = tuner_of(errand.workplace.model_copy(update={"place": place}), member)
    tuner.tune(errand.parent, errand.lessons, folder_of(errand.folder, index), watch, end_if_stopped)
    leave()


def _place_of(place: Place, index: int) -> Place:
    """Return the device of a process: a card of its own, or the processor."""
    if device_of(place.device).type == "cpu":
        return replace(place, device="cpu")
    device = f"cuda:{index}"
    device_of(device)
    return replace(place, device=device)


def _anybody(member: Member, is_so: bool, device: str) -> bool:  # noqa: FBT001 - what is counted
    return float(member.add_up(torch.tensor([float(is_so)], device=device))) > 0


def _end_with_input(stopping: threading.Event) -> None:
    # Past the buffer of Python, which a thread may not hold when the process ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    stopping.set()
    # Where another one is gone, this one waits for it in a sum that never comes.
    threading.Event().wait(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
