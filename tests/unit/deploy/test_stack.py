"""What `factory up` refuses before it starts anything."""

import sys
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings
from deploy import stack

from support.waiting import holding


def test_a_stack_that_cannot_send_the_traces_it_is_asked_for_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    settings = Settings(home=tmp_path / "home", traces_endpoint="http://127.0.0.1:9")

    with pytest.raises(SettingsError, match=r"FACTORY_TRACES_ENDPOINT .*content-factory\[traces\]"):
        stack.up(settings, print)

    assert list(tmp_path.iterdir()) == []


def test_a_usual_port_that_a_person_set_and_somebody_holds_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACTORY_API_PORT", "5580")
    with holding(5580), pytest.raises(SettingsError, match="FACTORY_API_PORT: 5580 is taken: set another one"):
        stack.up(Settings.load(), print)

    assert not (tmp_path / "home" / "factory.env").exists()
