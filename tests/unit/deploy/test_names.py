"""A setting with a slip of the pen in its name is named, and so is what was meant."""

from pathlib import Path

import pytest

from core.settings import Settings
from deploy import processes
from deploy.embedded import Embedded, write
from deploy.names import unknown


def test_a_slip_of_the_pen_is_named_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    env_file = tmp_path / "factory.env"
    env_file.write_text("# FACTORY_OLD=1\nFACTORY_BATCH_SIZE=3\nexport FACTORY_LOG_LEVL=debug\nPATH=/bin\n\n")
    monkeypatch.setenv("FACTORY_GENERAT_PROCESSES", "1")
    monkeypatch.setenv("FACTORY_XYZ", "1")

    assert list(unknown(env_file)) == [
        (
            "FACTORY_GENERAT_PROCESSES in the environment is no setting, and does nothing",
            "did you mean FACTORY_GENERATE_PROCESSES?",
        ),
        (
            "FACTORY_XYZ in the environment is no setting, and does nothing",
            "docs/reference/settings.md has all of them",
        ),
        (
            f"FACTORY_LOG_LEVL in {env_file} is no setting, and does nothing",
            "did you mean FACTORY_LOG_LEVEL?",
        ),
    ]


def test_what_the_factory_sets_itself_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings(home=tmp_path)
    write(tmp_path / "factory.env", Embedded.choose(settings, None))
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(processes.MARK, str(tmp_path))
    monkeypatch.setenv(processes.PORTS, "1 2")

    assert list(unknown(tmp_path / "factory.env")) == []
