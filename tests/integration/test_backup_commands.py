"""`factory backup` and `factory restore` as a person runs them, and how they refuse."""

from pathlib import Path

import pytest

from core.ledger import Ledger
from core.settings import Settings
from core.storage import Storage

from support.commands import Factory, commands
from support.kept import keep_snapshot

PASSPHRASE = "four words of no meaning"


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands with the test's settings."""
    for key, value in settings.environment().items():
        if key.startswith("FACTORY_"):
            monkeypatch.setenv(key, value)


@pytest.fixture
def factory(own_ledger: Ledger, storage: Storage, capsys: pytest.CaptureFixture[str]) -> Factory:
    keep_snapshot(own_ledger, storage)
    return commands(capsys)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "factory.backup")


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A file with the passphrase, and more behind it."""
    path = tmp_path / "passphrase"
    path.write_text(f"{PASSPHRASE}\nnot this\n")
    return str(path)


def test_a_backup_is_written_checked_and_brought_back(
    factory: Factory, file: str, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    code, (taken,), _ = factory("backup", file, "--passphrase-file", secret, "--json")
    monkeypatch.setenv("FACTORY_BACKUP_PASSPHRASE", PASSPHRASE)
    checked = factory("restore", file, "--check", "--json")
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "elsewhere"))

    restored = factory("restore", file, "--json")

    assert code == 0
    assert (taken["rows"], taken["objects"], taken["missing"]) == ({"tenants": 1, "trainings": 1}, 1, 0)
    assert (checked[0], checked[1][0]["is_whole"], checked[1][0]["rows"]) == (0, True, taken["rows"])
    assert (restored[0], restored[1][0]["leases_ended"]) == (0, 0)
    assert factory("tenants", "list", "--json")[1][0]["tenant"] == "ann"


def test_people_are_told_what_was_done(factory: Factory, file: str, secret: str, settings: Settings):
    _, backup, _ = factory("backup", file, "--passphrase-file", secret)
    _, check, _ = factory("restore", file, "--check", "--passphrase-file", secret)

    size = Path(file).stat().st_size
    assert f"{file}: {size} bytes, sealed, whole" in backup
    assert "2 rows of 2 tables" in backup
    assert "without the assets of campaigns" in check
    assert f"{file}: whole, every byte as it was" in check
    assert settings.backup_passphrase is None
    assert PASSPHRASE not in backup + check


def test_what_the_store_lost_is_told_and_the_exit_code_says_so(
    factory: Factory, file: str, secret: str, storage: Storage
):
    storage.delete("snapshots/copy/1.jsonl")

    code, _, told = factory("backup", file, "--passphrase-file", secret)

    assert code == 1
    assert "the store has no snapshots/copy/1.jsonl" in told
    assert factory("restore", file, "--check", "--passphrase-file", secret)[0] == 0


def test_a_file_that_is_not_sealed_is_written_and_read_only_when_that_is_said(factory: Factory, file: str, secret: str):
    without, _, why = factory("backup", file)
    said, text, _ = factory("backup", file, "--unencrypted")

    assert (without, said) == (1, 0)
    assert "there is no passphrase: give --passphrase-file" in why
    assert "NOT sealed" in text
    assert factory("restore", file, "--check", "--unencrypted")[0] == 0
    assert "the archive is not sealed" in factory("restore", file, "--check", "--passphrase-file", secret)[2]
    assert factory("backup", file, "--unencrypted", "--passphrase-file", secret)[0] == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"short\n", "the passphrase has 5 characters: take 12 or more"),
        (b"\nsecond line\n", "is empty"),
        (b"\xff\xfe\xfd\n", "is no text in UTF-8"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_passphrase_that_is_none_is_refused(
    content: bytes | None, told: str, factory: Factory, file: str, tmp_path: Path
):
    path = tmp_path / "wrong"
    if content is not None:
        path.write_bytes(content)

    code, _, why = factory("backup", file, "--passphrase-file", str(path))

    assert code == 1
    assert told in why
    assert not Path(file).exists()


def test_a_file_that_is_not_there_or_cannot_be_written_is_one_line(factory: Factory, secret: str, tmp_path: Path):
    nowhere = str(tmp_path / "nowhere" / "b")

    read = factory("restore", nowhere, "--check", "--passphrase-file", secret)
    written = factory("backup", nowhere, "--passphrase-file", secret)

    assert (read[0], written[0]) == (1, 1)
    assert "cannot be read: No such file" in read[2]
    assert f"cannot write {nowhere}: No such file" in written[2]


def test_a_ledger_that_holds_something_is_not_written_over(factory: Factory, file: str, secret: str):
    factory("backup", file, "--passphrase-file", secret)

    code, _, why = factory("restore", file, "--passphrase-file", secret)

    assert code == 1
    assert "the ledger is not empty" in why
