"""A tiny model that writes lines of two words, see benchmarks/tiny_writer.py."""

from pathlib import Path

import pytest

from benchmarks.tiny_writer import build_writer


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return its folder."""
    return build_writer(tmp_path_factory.mktemp("writer"))
