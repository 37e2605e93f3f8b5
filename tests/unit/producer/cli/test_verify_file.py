import json
from pathlib import Path

import pytest

from core.provenance import Origin, Source
from core.settings import Settings
from producer.cli import run
from workers.signing.signer import Signer

from support.drawings import encoded, scene


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in a home of their own, without ledger, broker or store."""
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def marked(home: Path) -> bytes:
    return Signer(Settings(home=home)).mark(encoded(scene(), "JPEG"), Origin(Source.GENERATED, "miniature", "ab12"))


def test_verify_tells_what_made_a_picture(marked: bytes, capsys: pytest.CaptureFixture[str]):
    Path("ad.jpg").write_bytes(marked)

    code = run(["verify", "ad.jpg"])

    first, *rest = capsys.readouterr().out.splitlines()
    assert code == 0
    assert first.startswith("ad.jpg: trusted: signed by content-factory signer")
    assert "made as   trainedAlgorithmicMedia" in rest
    assert "model     miniature ab12" in rest


def test_verify_fails_for_a_picture_that_was_changed(marked: bytes, capsys: pytest.CaptureFixture[str]):
    Path("ad.jpg").write_bytes(marked[:-100] + b"x" + marked[-99:])

    code = run(["verify", "ad.jpg", "--json"])

    told = json.loads(capsys.readouterr().out)
    assert (code, told["validity"], told["file"]) == (1, "invalid", "ad.jpg")
    assert told["evidence"].startswith("changed after it was signed: assertion.dataHash.mismatch")


def test_verify_fails_for_a_picture_that_tells_nothing(capsys: pytest.CaptureFixture[str]):
    Path("ad.jpg").write_bytes(encoded(scene(), "JPEG"))

    assert run(["verify", "ad.jpg"]) == 1
    assert capsys.readouterr().out.startswith("ad.jpg: none: ")


def test_verify_of_another_file_is_one_line(capsys: pytest.CaptureFixture[str]):
    Path("feed.csv").write_text("sku\n")

    assert run(["verify", "feed.csv"]) == 1
    assert capsys.readouterr().err.startswith("factory: feed.csv: this is no PNG, JPEG, WebP")
