"""Keep the logs of a stack small: within its supervisor, every few seconds, one that has grown is copied and emptied.

The processes write them (see launch.py) and never open them anew, so a log that was only renamed would take what comes
next with it. A line that is written between the last look at the end and the emptying, some microseconds, is lost.
"""

import os
import shutil
from pathlib import Path
from typing import Any

from supervisor import events


class Rotation:
    """What supervisord loads as one more interface; it has no calls."""

    def __init__(self, supervisord: Any, folder: str, megabytes: str, files: str) -> None:
        self._folder = Path(folder)
        self._most_bytes, self._files = int(megabytes) * 2**20, int(files)
        self._words = supervisord.options.logger
        # The supervisor's own log is rotated by itself.
        self._own = Path(supervisord.options.logfile).name
        events.subscribe(events.Tick5Event, self._look)

    def _look(self, _: object) -> None:
        for log in self._folder.glob("*.log"):
            try:
                if log.name != self._own and log.stat().st_size > self._most_bytes:
                    rotate(log, self._files)
            except OSError as error:
                # An error that leaves here would end the supervisor.
                self._words.warn(f"{log.name} grows on: {error}")


def rotate(log: Path, files: int) -> None:
    """Move what is in a log into LOG.1, what was there into LOG.2, and so on; whoever writes to it writes on."""
    draft = log.with_name(f"{log.name}.0")
    with log.open("rb") as written, draft.open("wb") as copy:
        shutil.copyfileobj(written, copy)
        for number in reversed(range(1, files)):
            older = log.with_name(f"{log.name}.{number}")
            if older.exists():
                older.replace(log.with_name(f"{log.name}.{number + 1}"))
        # What came meanwhile.
        shutil.copyfileobj(written, copy)
        os.truncate(log, 0)
    draft.replace(log.with_name(f"{log.name}.1"))
