"""Keep the logs of a stack small: within its supervisor, every few seconds, one that has grown is copied and emptied.

The processes write them (see launch.py) and never open them anew, so a log that was only renamed would take what comes
next with it. A line that is written between the last look at its end and its emptying is lost: as a rule nothing lies
between the two, but a process that has no processor at that moment waits for one there.
"""

import os
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from supervisor import events

# A log is copied whole, however much came since the last look; one that grew on while no supervisor ran is not.
MOST_COPIED = 2
MOST_LOOKS = 100


class Rotation:
    """What supervisord loads as one more interface; it has no calls."""

    def __init__(self, supervisord: Any, folder: str, megabytes: str, files: str) -> None:
        self._folder = Path(folder)
        self._most_bytes, self._files = int(megabytes) * 2**20, int(files)
        self._words = supervisord.options.logger
        # The supervisor's own log is rotated by itself.
        self._own = Path(supervisord.options.logfile).name
        events.subscribe(events.Tick5Event, self._look)
        events.subscribe(events.ProcessLogStdoutEvent, self._tell)

    def _tell(self, told: events.ProcessLogStdoutEvent) -> None:
        """Write down what a process says before it has a log: why it gets none."""
        words = told.data.decode(errors="replace") if isinstance(told.data, bytes) else told.data
        self._words.warn(f"{told.process.config.name}: {words.strip()}")

    def _look(self, _: object) -> None:
        for log in self._folder.glob("*.log"):
            try:
                if log.name != self._own and log.stat().st_size > self._most_bytes:
                    rotate(log, self._files, MOST_COPIED * self._most_bytes)
            except OSError as error:
                # An error that leaves here would end the supervisor.
                self._words.warn(f"{log.name} grows on: {error}")


def rotate(log: Path, files: int, most_bytes: int) -> None:
    """Move the end of a log into LOG.1, what was there into LOG.2, and so on; whoever writes to it writes on.

    It is emptied last: whoever is stopped in the middle of it leaves lines twice, and none in no file.
    """
    draft = log.with_name(f"{log.name}.0")
    try:
        with log.open("rb") as written, draft.open("wb") as copy:
            written.seek(max(0, log.stat().st_size - most_bytes))
            shutil.copyfileobj(written, copy)
            copy.flush()
            _shift(log, files)
            draft.replace(log.with_name(f"{log.name}.1"))
            # What came meanwhile, until nothing does: whoever writes without end shall not hold up the supervisor.
            for piece in islice(iter(written.read, b""), MOST_LOOKS):
                copy.write(piece)
                copy.flush()
            os.truncate(log, 0)
    finally:
        draft.unlink(missing_ok=True)


def _shift(log: Path, files: int) -> None:
    """Make room for LOG.1: a number that is free, since a rotation was stopped there, takes what comes before it."""
    older = [log.with_name(f"{log.name}.{number}") for number in range(1, files + 1)]
    free = next((place for place, one in enumerate(older) if not one.exists()), files - 1)
    for place in reversed(range(free)):
        older[place].replace(older[place + 1])
