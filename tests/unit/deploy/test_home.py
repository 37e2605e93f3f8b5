from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings
from deploy.home import Home


def test_the_folders_are_made_for_this_user_alone(tmp_path: Path):
    home = Home.of(Settings(home=tmp_path / "home"))

    home.create()

    folders = (home.root, home.data, home.logs, home.run)
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700] * 4


def test_a_relative_home_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    assert Home.of(Settings(home=Path("here"))).root == tmp_path.resolve() / "here"


def test_a_path_too_long_for_a_socket_is_refused_with_the_surplus():
    with pytest.raises(SettingsError, match=r"FACTORY_HOME: .* is \d+ bytes too long"):
        Home.of(Settings(home=Path("/tmp") / ("x" * 100)))


def test_a_path_that_would_break_a_configuration_file_is_refused():
    with pytest.raises(SettingsError, match="contains % ;"):
        Home.of(Settings(home=Path("/tmp/50% off; now")))


def test_a_home_that_cannot_be_made_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="FACTORY_HOME: cannot make"):
        Home.of(Settings(home=tmp_path / "file" / "home")).create()
