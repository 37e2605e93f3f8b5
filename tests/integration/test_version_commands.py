"""Commands about versions, in this process: history, promote, rollback, canary, check, and how they refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.ledger import Ledger
from core.ledger.promotions import Order
from core.settings import Settings
from core.storage import Storage
from core.versions import store
from schemas.campaigns import Kind
from schemas.versions import Guardrail

from support.commands import Factory, commands
from support.versions import MODEL, a_verdict, a_version, version_id

FIRST, SECOND, REFUSED = (version_id(number) for number in (1, 2, 3))


@pytest.fixture(autouse=True)
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run commands with the test's settings."""
    for key, value in settings.environment().items():
        if key.startswith("FACTORY_"):
            monkeypatch.setenv(key, value)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """A ledger with two versions that passed the gate, and one that lost a guardrail."""
    opened = Ledger(settings)
    opened.versions.register(a_version(1))
    opened.versions.register(a_version(2))
    lost = a_verdict(0.2, Guardrail(name="fits its channel", champion=0.9, challenger=0.5, least=0.85))
    opened.versions.register(a_version(3, verdict=lost))
    yield opened
    opened.close()


@pytest.fixture
def factory(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> Factory:
    assert ledger.versions.ids()
    return commands(capsys)


def test_a_version_is_promoted_tried_and_rolled_back(factory: Factory):
    promoted = factory("models", "promote", FIRST, "--why", "reads better")
    again = factory("models", "promote", FIRST, "--why", "reads better")
    tried = factory("models", "canary", SECOND, "--share", "0.25", "--why", "new", "--json")
    stopped = factory("models", "canary", "--stop", MODEL, "--why", "seen enough")
    back = factory("models", "rollback", MODEL, "--why", "reads worse", "--json")

    assert promoted == (0, f"{MODEL} (copy) is served by {FIRST}\n", "")
    assert (again[0], again[1], "nothing has changed" in again[2]) == (0, promoted[1], True)
    assert [(one["challenger"], one["share"], one["number"]) for one in tried[1]] == [(SECOND, 0.25, 2)]
    assert stopped[1] == promoted[1]
    assert [(one["champion"], one["number"]) for one in back[1]] == [("", 4)]


def test_what_was_weakened_is_listed_with_its_strength(factory: Factory, ledger: Ledger):
    whole = a_verdict(0.25, Guardrail(name="fits its channel", champion=0.9, challenger=0.5, least=0.85))
    weaker = a_verdict(0.125).model_copy(update={"strength": 0.67, "others": (whole,)})
    ledger.versions.register(a_version(4, verdict=weaker))

    shown = factory("models", "show", MODEL)[1]

    assert "at 0.67 of its strength agrees with 70%" in " ".join(shown.split())


def test_the_history_says_what_whence_who_and_why(factory: Factory, ledger: Ledger):
    empty = factory("models", "history")
    factory("models", "promote", FIRST, "--why", "[bold]reads better[/bold]")
    ledger.promotions.rollback(ledger.promotions.serving(Kind.COPY, MODEL), Order("w1", "damaged"))

    code, objects, _ = factory("models", "history", MODEL, "--json")
    shown = factory("models", "history")[1]

    assert (empty[0], empty[1], "nothing was ever changed" in empty[2]) == (0, "", True)
    assert code == 0
    newest = objects[0]
    assert (newest["action"], newest["before"], newest["after"], newest["actor"]) == ("rollback", FIRST, "", "w1")
    assert [one["number"] for one in objects] == [2, 1]
    # What people wrote is shown as they wrote it.
    assert "[bold]reads better[/bold]" in shown
    assert f"shipped -> {FIRST}" in shown


def test_models_say_what_serves_them_and_show_every_version(factory: Factory):
    factory("models", "promote", FIRST, "--why", "reads better")
    factory("models", "canary", SECOND)

    listed = factory("models", "list")[1]
    _, [shown], _ = factory("models", "show", MODEL, "--json")
    told = factory("models", "show", MODEL)[1]

    assert f"{FIRST}, 10% by {SECOND}" in listed
    assert [(one["version"], one["state"]) for one in shown["trained"]] == [
        (FIRST, "champion"),
        (SECOND, "challenger"),
        (REFUSED, "refused"),
    ]
    assert "lost: fits its channel" in told
    assert "agrees with 70% of 200 preferences, the champion with 50%; bound +0.100" in told


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("promote", REFUSED, "--why", "please"), 1, "did not pass the gate"),
        (("promote", REFUSED, "--why", "please", "--force"), 2, "No such option"),
        (("promote", version_id(9), "--why", "please"), 1, "there is no version"),
        (("promote", FIRST), 2, "--why"),
        (("promote", FIRST, "--why", "two\nlines"), 2, "one line of at most 500 characters"),
        (("rollback", MODEL, "--why", "please"), 1, "nothing to go back to"),
        (("rollback", "gpt", "--why", "please"), 1, "model 'gpt' has no version"),
        (("rollback", MODEL, "--kind", "music", "--why", "please"), 1, "no version of kind music"),
        (("canary", FIRST, "--share", "1.5"), 1, "share: must be between 0 and 1"),
        (("canary", REFUSED), 1, "did not pass the gate"),
        (("canary",), 2, "name the VERSION to try, or `--stop MODEL`"),
        (("canary", FIRST, "--stop", MODEL), 2, "name the VERSION to try, or `--stop MODEL`"),
        (("canary", "--stop", MODEL), 1, "no canary runs"),
        (("history", "gpt"), 1, "model 'gpt' has no version"),
        (("check", version_id(9)), 1, "there is no version"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_the_way_out(
    factory: Factory, ledger: Ledger, arguments: tuple[str, ...], code: int, words: str
):
    found, text, told = factory("models", *arguments)

    assert (found, text) == (code, "")
    assert words in told
    assert "Traceback" not in told
    assert ledger.promotions.history(Kind.COPY, MODEL) == []


def test_a_model_of_several_kinds_wants_one_named(factory: Factory, ledger: Ledger):
    for kind in (Kind.IMAGE, Kind.MUSIC):
        ledger.versions.register(a_version(1, model="starter", kind=kind))
        ledger.promotions.promote(version_id(1, kind), ledger.promotions.serving(kind, "starter"), Order("ada", ""))

    unclear = factory("models", "rollback", "starter", "--why", "x")
    clear = factory("models", "rollback", "starter", "--kind", "image", "--why", "x")

    assert (unclear[0], "several kinds: name one of image, music" in unclear[2]) == (1, True)
    assert clear[0] == 0
    assert ledger.promotions.serving(Kind.MUSIC, "starter").champion == version_id(1, Kind.MUSIC)


def test_a_broken_version_is_mended_by_its_bytes_alone(
    factory: Factory, ledger: Ledger, storage: Storage, tmp_path: Path
):
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    stored = store(storage, folder, a_version(4))
    ledger.versions.register(stored)
    storage.put(f"{stored.prefix}adapter_model.safetensors", b"damaged", "application/octet-stream")
    ledger.promotions.withdraw(stored.id, ledger.promotions.serving(Kind.COPY, MODEL), Order("w1", "damaged"))

    broken = factory("models", "check", stored.id)
    state = [one["state"] for one in factory("models", "show", MODEL, "--json")[1][0]["trained"]]
    storage.put(f"{stored.prefix}adapter_model.safetensors", b"weights", "application/octet-stream")
    mended = factory("models", "check", stored.id)

    assert (broken[0], "restore versions/copy/" in broken[2]) == (1, True)
    assert state[-1] == "broken"
    assert mended == (0, f"{stored.id}: 1 file whole\n", "")
    assert factory("models", "promote", stored.id, "--why", "whole again")[0] == 0


def test_files_that_nobody_registered_stay_for_a_day(factory: Factory, storage: Storage):
    storage.put("versions/copy/copy-20261126-000000ff/adapter_model.safetensors", b"x", "application/octet-stream")

    assert factory("models", "remove-orphans", "--json") == (0, [{"removed": []}], "")
    assert len(list(storage.list("versions/"))) == 1
