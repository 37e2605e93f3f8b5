"""Commands about models that pass their arguments on."""

from pathlib import Path

import pytest

from producer.cli import run


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in a home of their own."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    return tmp_path


def test_sampling_passes_every_argument_on(capfd: pytest.CaptureFixture[str]):
    code = run(["models", "sample-starter", "image", "between", "mug", "--count", "3"])

    assert code == 2
    assert "`between` wants the names of two concepts" in capfd.readouterr().err


def test_sampling_without_weights_says_where_they_are_missing_in_one_line(
    home: Path, capfd: pytest.CaptureFixture[str]
):
    code = run(["models", "sample-starter", "image", "gan", "--weights", str(home)])

    told = capfd.readouterr().err.splitlines()
    assert code == 1
    assert len(told) == 1
    assert str(home) in told[0]


def test_playing_without_weights_says_how_to_get_them_in_one_line(home: Path, capfd: pytest.CaptureFixture[str]):
    code = run(["models", "sample-starter", "music", "--mood", "calm", "--weights", str(home)])

    told = capfd.readouterr().err.splitlines()
    assert code == 1
    assert len(told) == 1
    assert "`factory models train-starter music`" in told[0]


@pytest.mark.parametrize("command", ["sample-starter", "train-starter"])
def test_only_pictures_and_music_have_a_starter_that_is_trained_here(command: str, capsys: pytest.CaptureFixture[str]):
    code = run(["models", command, "copy"])

    assert code == 2
    assert "known: image, music" in capsys.readouterr().err
