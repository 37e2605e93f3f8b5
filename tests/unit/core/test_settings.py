"""Settings: read once from the environment, with one clear line for whatever is wrong."""

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings


def test_the_environment_wins_over_the_file_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "factory.env").write_text("FACTORY_BATCH_SIZE=3\nFACTORY_S3_BUCKET=from-file\n")
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv("FACTORY_BATCH_SIZE", "5")

    settings = Settings.load()

    assert (settings.batch_size, settings.s3_bucket, settings.home) == (5, "from-file", tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("FACTORY_BATCH_SIZE", "many", "FACTORY_BATCH_SIZE: Input should be a valid integer"),
        ("FACTORY_BATCH_SIZE", "0", "FACTORY_BATCH_SIZE: Input should be greater than or equal to 1"),
        ("FACTORY_LEASE_SECONDS", "-1", "FACTORY_LEASE_SECONDS"),
        ("FACTORY_LOG_LEVEL", "loud", "FACTORY_LOG_LEVEL"),
        ("FACTORY_REFEREES", " , ", "FACTORY_REFEREES: .* names nobody somewhere: give NAME"),
        ("FACTORY_REFEREES", "ada, acme/", "FACTORY_REFEREES: .* names nobody somewhere"),
    ],
)
def test_a_wrong_value_names_its_variable(
    variable: str, value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=says):
        Settings.load()


def test_no_adapter_is_said_with_an_empty_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv("FACTORY_COPY_ADAPTER", "")

    assert Settings.load().copy_adapter is None


def test_secrets_are_never_shown(tmp_path: Path):
    settings = Settings(home=tmp_path, broker_url="redis://:hush@127.0.0.1/0", s3_secret_key="hush")

    assert "hush" not in repr(settings)
    assert "hush" not in str(settings.model_dump())
    assert settings.environment()["FACTORY_S3_SECRET_KEY"] == "hush"


def test_a_child_process_gets_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = Settings(home=tmp_path, batch_size=7, copy_adapter=None, s3_endpoint=None)

    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    assert Settings.load() == settings


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("", set()),
        ("ada", {("default", "ada")}),
        (" Ada Lovelace ,acme/bo, ", {("default", "Ada Lovelace"), ("acme", "bo")}),
        ("acme / bo/x", {("acme", "bo/x")}),
    ],
)
def test_referees_are_people_of_a_tenant(
    text: str, people: set[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path))
    monkeypatch.setenv("FACTORY_REFEREES", text)

    assert Settings.load().referee_people == people
