"""A disk that keeps no locks, such as some behind a network, which no machine of tests has."""

import errno
import fcntl
import os

import pytest


def refuse_locks(monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOLCK):
    """Let every lock of a file be answered as such a disk answers it."""

    def refuse(_handle: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
