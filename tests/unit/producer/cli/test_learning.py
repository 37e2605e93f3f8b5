"""How a training looks while somebody waits for it, and what is shown of a verdict."""

from pathlib import Path

import pytest

from core.ledger.trainings import Training
from producer.cli import run
from producer.cli.learning import line_of, show_verdict
from schemas.campaigns import Kind
from schemas.learning import TrainingState
from schemas.versions import Guardrail, NewVersion, Verdict


def a_training(stage: str, step: int = 0, losses: tuple[dict[str, float], ...] = ()) -> Training:
    return Training(
        id="t",
        kind=Kind.COPY,
        model="starter+house",
        state=TrainingState.OPEN,
        cause="ada asked for it",
        stage=stage,
        message="",
        step=step,
        steps=12 if step else 0,
        losses=losses,
        snapshot=None,
        parent="",
        version=None,
        attempts=1,
        worker=None,
        created_at=0.0,
        finished_at=None,
    )


def a_version(bound: float, *guardrails: Guardrail) -> NewVersion:
    verdict = Verdict(
        preferences=50, challenger_agrees=0.7, champion_agrees=0.4, bound=bound, guardrails=tuple(guardrails)
    )
    return NewVersion(
        id="copy-20261126-0a1b2c3d",
        kind=Kind.COPY,
        model="starter+house",
        parent="",
        prefix="",
        files=(),
        snapshot_key="x",
        snapshot_sha256="0" * 64,
        code="0.1.0",
        metrics={},
        verdict=verdict,
        created_at=0.0,
    )


def test_before_its_first_step_a_training_says_what_is_done():
    assert line_of(a_training("snapshot")).strip() == "snapshot"


def test_the_newest_losses_are_shown():
    losses = ({"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5, "agrees": 0.75})

    assert line_of(a_training("training", 2, losses)).split() == (
        ["training", "2", "of", "12", "steps", "loss", "1.500", "agrees", "0.750"]
    )


def test_a_version_that_passed_is_shown_with_what_it_kept(capsys: pytest.CaptureFixture[str]):
    show_verdict(a_version(0.1, Guardrail(name="unsafe", champion=0.0, challenger=0.0, most=0.0)))

    shown = capsys.readouterr().out
    assert "passed the gate" in shown
    assert "bound +0.100" in shown
    assert "NO" not in shown


def test_what_a_refused_version_lost_is_marked(capsys: pytest.CaptureFixture[str]):
    show_verdict(a_version(0.1, Guardrail(name="pass_rate", champion=0.9, challenger=0.5, least=0.8)))

    shown = capsys.readouterr().out
    assert "REFUSED" in shown
    (lost,) = [line for line in shown.splitlines() if line.startswith("pass_rate")]
    assert lost.split() == ["pass_rate", "0.900", "0.500", "least", "0.800", "NO"]


def test_each_strength_that_was_tried_is_shown_with_its_figures(capsys: pytest.CaptureFixture[str]):
    version = a_version(0.1, Guardrail(name="pass_rate", champion=0.9, challenger=0.85, least=0.8))
    whole = a_version(0.2, Guardrail(name="pass_rate", champion=0.9, challenger=0.79, least=0.8)).verdict
    weaker = version.verdict.model_copy(update={"strength": 0.67, "others": (whole,)})

    show_verdict(version.model_copy(update={"verdict": weaker}))

    shown = capsys.readouterr().out.splitlines()
    assert shown[0].endswith("passed the gate")
    assert [line for line in shown if line.startswith("at ")] == [
        "at 1 of its strength: refused",
        "at 0.67 of its strength: passed",
    ]
    rates = [line.split() for line in shown if line.startswith("pass_rate")]
    assert [(rate[2], rate[-1]) for rate in rates] == [("0.790", "NO"), ("0.850", "yes")]


def test_a_taste_that_nobody_has_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]):
    assert run(["demo-loop", "--taste", "loud"]) == 2

    assert "long, short" in capsys.readouterr().err


def test_a_kind_that_does_not_learn_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]):
    assert run(["models", "retrain", "creative"]) == 2

    assert "copy, image, music do" in " ".join(capsys.readouterr().err.replace("\u2502", " ").split())


def test_a_model_that_cannot_learn_is_refused_before_a_training_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "config.json").write_text('{"model_type": "musicgen"}')
    monkeypatch.setenv("FACTORY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACTORY_MUSIC_MODEL", str(tmp_path / "sounds"))

    assert run(["models", "retrain", "music"]) == 1

    assert "musicgen, which does not learn from ratings" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
