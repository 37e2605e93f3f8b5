"""Commands run in this process, and what they write."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from producer.cli import run

# Runs a command; returns its exit code, the objects or text it wrote, and what it told on standard error.
Factory = Callable[..., tuple[int, Any, str]]


def commands(capsys: pytest.CaptureFixture[str]) -> Factory:
    """Return what runs commands."""

    def command(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        code = run(list(arguments))
        written = capsys.readouterr()
        if "--json" in arguments:
            return code, [json.loads(line) for line in written.out.splitlines()], written.err
        return code, written.out, written.err

    return command
