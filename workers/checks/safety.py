"""Safety checkers: what looks on a picture for things that no advertisement shows. The settings name one, or none."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol

from PIL import Image

from workers.checks.nudity import NudityChecker


class SafetyChecker(Protocol):
    """Looks at finished pictures, those with alpha too. Several threads may ask at once."""

    def unsafe(self, image: Image.Image) -> str:
        """Return what makes the picture unsafe, in words; empty when nothing does."""
        ...


CHECKERS: Mapping[str, Callable[[], SafetyChecker]] = {"nudenet": NudityChecker}


@cache
def safety_checker(name: str) -> SafetyChecker | None:
    """Return the checker of this name, opened once a process, or nothing for `none`.

    Raises SettingsError when it cannot be opened: pictures that nobody looked at are never passed off as checked.
    """
    return CHECKERS[name]() if name in CHECKERS else None
