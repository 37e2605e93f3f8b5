"""What the demo of the loop refuses before it starts anything: people beside simulated ones, and referees."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from producer.cli import run

from support.rated import a_rating, make_assets, rate


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give commands a home of their own, in which nothing is left running."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"
    run(["down"])


@pytest.mark.parametrize("options", [[], ["--keep"]])
def test_beside_people_nothing_is_started(home: Path, options: list[str], capsys: pytest.CaptureFixture[str]):
    home.mkdir()
    ledger = Ledger(Settings(home=home))
    make_assets(ledger, 1)
    rate(ledger, [a_rating(0, "ada", approves=True)])
    ledger.close()

    code = run(["demo-loop", *options])

    shown = capsys.readouterr()
    assert code == 1
    assert "people have rated in this home" in shown.err
    assert shown.out == ""
    assert not (home / "run").exists()


def test_a_factory_that_is_kept_must_have_no_referees(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FACTORY_REFEREES", "ada")

    code = run(["demo-loop", "--keep"])

    assert code == 1
    assert "FACTORY_REFEREES is set" in capsys.readouterr().err
    assert not home.exists()
