from pathlib import Path

import pytest

from core.errors import SettingsError, StateError
from deploy.waiting import exclusive, wait_until


def test_a_condition_that_never_comes_true_ends_the_wait():
    assert not wait_until(lambda: False, seconds=0.2)


def test_a_condition_is_asked_until_it_is_true():
    answers = iter([False, False, True])

    assert wait_until(lambda: next(answers), seconds=10)


def test_a_lock_is_held_by_one_at_a_time_and_names_its_holder(tmp_path: Path):
    with (
        exclusive(tmp_path / "lock", 1, "the first"),
        pytest.raises(StateError, match="the first is still at work"),
        exclusive(tmp_path / "lock", 0.2, "the first"),
    ):
        pass


def test_a_lock_is_free_again_after_its_holder_failed(tmp_path: Path):
    with pytest.raises(ValueError, match="oops"), exclusive(tmp_path / "lock", 1, "the first"):
        raise ValueError("oops")

    with exclusive(tmp_path / "lock", 0.2, "the second"):
        pass


def test_a_lock_that_cannot_be_made_is_one_clear_error(tmp_path: Path):
    with pytest.raises(SettingsError, match="cannot open"), exclusive(tmp_path / "no" / "lock", 1, "the first"):
        pass
