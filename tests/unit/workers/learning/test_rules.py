"""Rules of the learning in a file of one's own, and what is said of one that is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from core.errors import SettingsError
from core.settings import Settings
from schemas.learning import GateRules, curriculum
from workers.learning.rules import rules_of


def test_without_a_file_the_rules_are_those_that_it_comes_with(tmp_path: Path):
    assert rules_of(Settings(home=tmp_path)) == curriculum()


def test_a_file_takes_their_place(tmp_path: Path):
    rules = curriculum().model_dump(mode="json")
    rules["needs"]["opinions"] = 1234
    file = tmp_path / "rules.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(rules, stream)

    found = rules_of(Settings(home=tmp_path, curriculum=file))

    assert found.needs.opinions == 1234
    assert found.gate == curriculum().gate


@pytest.mark.parametrize(
    ("text", "says"),
    [("version: one", "needs: Field required"), ("version: [", "is no YAML"), (None, "cannot read")],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str | None, says: str):
    file = tmp_path / "rules.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=says) as raised:
        rules_of(Settings(home=tmp_path, curriculum=file))

    assert "FACTORY_CURRICULUM" in str(raised.value)
    assert str(file) in str(raised.value)


@pytest.mark.parametrize("strengths", [[], [0.5], [1, 1], [1, 0.33, 0.67], [1, 0]])
def test_strengths_fall_from_the_whole(strengths: list[float]):
    rules = curriculum().gate.model_dump(mode="json") | {"strengths": strengths}

    with pytest.raises(ValidationError, match="strengths"):
        GateRules.model_validate(rules)


def test_rules_that_are_older_than_strengths_take_a_challenger_whole():
    rules = curriculum().gate.model_dump(mode="json")
    del rules["strengths"]

    assert GateRules.model_validate(rules).strengths == (1.0,)
