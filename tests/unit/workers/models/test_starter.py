"""The folder that the starter is converted into: made by one process at a time, whole, and where it may be."""

import errno
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ModelLoadError
from workers.models.starter import SUMS_NAME, draft_of, make_once, put_in_place, sha256_of

from support.lockless import refuse_locks

DEADLINE_SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models" / "starter"


def _make(folder: Path, text: str = "weights") -> None:
    draft = draft_of(folder)
    (draft / "model").write_text(text, encoding="utf-8")
    (draft / SUMS_NAME).write_text(json.dumps({"model": sha256_of(draft / "model")}), encoding="utf-8")
    put_in_place(draft, folder)


def test_a_home_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path):
    home = tmp_path / "home"
    home.write_text("a file in the place of the folder", encoding="utf-8")
    folder = home / "models" / "starter"

    for attempt in (lambda: draft_of(folder), lambda: make_once(folder, lambda: _make(folder))):
        with pytest.raises(ModelLoadError, match=rf"cannot keep a model in {home}/models .*FACTORY_HOME"):
            attempt()


def test_of_two_that_want_it_at_once_one_makes_it_and_the_other_waits(folder: Path):
    made: list[int] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def maker(number: int) -> Callable[[], None]:
        def make() -> None:
            made.append(number)
            has_begun.set()
            assert may_end.wait(DEADLINE_SECONDS)
            _make(folder)

        return make

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(make_once, folder, maker(1))
        assert has_begun.wait(DEADLINE_SECONDS)
        second = pool.submit(make_once, folder, maker(2))
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        may_end.set()
        first.result(DEADLINE_SECONDS)
        second.result(DEADLINE_SECONDS)

    assert made == [1]
    assert (folder / "model").read_text(encoding="utf-8") == "weights"


def test_what_is_there_and_whole_is_not_made_and_what_was_damaged_is(folder: Path):
    make_once(folder, lambda: _make(folder))
    make_once(folder, lambda: _make(folder, "others"))
    kept = (folder / "model").read_text(encoding="utf-8")

    (folder / "model").write_text("damaged", encoding="utf-8")
    make_once(folder, lambda: _make(folder, "others"))

    assert kept == "weights"
    assert (folder / "model").read_text(encoding="utf-8") == "others"


def test_one_that_is_whole_is_taken_where_nothing_can_be_written(folder: Path):
    _make(folder)
    before = set(folder.parent.iterdir())

    make_once(folder, lambda: pytest.fail("it was there"))

    # Not even the file of a lock: models may lie on a disk that is mounted to be read.
    assert set(folder.parent.iterdir()) == before


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_on_a_disk_that_keeps_no_locks_it_is_made_without(code: int, folder: Path, monkeypatch: pytest.MonkeyPatch):
    refuse_locks(monkeypatch, code)

    make_once(folder, lambda: _make(folder))

    assert (folder / "model").read_text(encoding="utf-8") == "weights"
