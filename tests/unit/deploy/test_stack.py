"""What `factory up` refuses before it starts anything."""

import sys
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings
from deploy import stack


def test_a_stack_that_cannot_send_the_traces_it_is_asked_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    settings = Settings(home=tmp_path / "home", traces_endpoint="http://127.0.0.1:9")

    with pytest.raises(SettingsError, match=r"FACTORY_TRACES_ENDPOINT .*content-factory\[traces\]"):
        stack.up(settings, print)

    assert list(tmp_path.iterdir()) == []
