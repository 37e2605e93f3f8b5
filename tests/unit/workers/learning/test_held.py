"""A folder of a training belongs to one attempt at a time."""

from pathlib import Path

import pytest

from workers.learning.held import StoppedError, alone_in


def test_a_second_attempt_waits_until_the_first_has_left_its_folder(tmp_path: Path):
    with alone_in(tmp_path / "one"), pytest.raises(StoppedError, match="still works"), alone_in(tmp_path / "one"):
        pass

    with alone_in(tmp_path / "one"), alone_in(tmp_path / "two"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
