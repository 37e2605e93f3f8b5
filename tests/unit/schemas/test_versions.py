"""What a version is called, and how an asset says which one made it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.versions import SHIPPED, Guardrail, Verdict, VersionFile, name_of_version, version_of

from support.versions import a_verdict, a_version, version_id


@given(st.text(max_size=60), st.sampled_from(["copy", "image", "music"]), st.integers(0, 2**32 - 1))
def test_an_asset_names_the_version_that_made_it_whatever_the_model_is_called(model: str, kind: str, number: int):
    version = version_id(number, kind)

    assert version_of(name_of_version(model, version)) == version


@pytest.mark.parametrize(
    "made_by", ["starter+house@0a1b2c3d", "layouts-0a1b2c3d", "starter", "", "x@copy-20261126-0a1b2c3d@0a1b2c3d"]
)
def test_what_a_model_ships_with_is_no_trained_version(made_by: str):
    assert version_of(made_by) == SHIPPED


@pytest.mark.parametrize("name", ["../a.json", "a/b.json", ".a.json", "weights.bin", "a.json.exe", "a.py", "a b.json"])
def test_a_file_that_could_run_or_lie_elsewhere_is_none_of_a_version(name: str):
    with pytest.raises(ValidationError):
        VersionFile.model_validate({"name": name, "sha256": "0" * 64, "length_bytes": 1}, strict=True)


@pytest.mark.parametrize(
    ("bound", "share", "is_passed"), [(0.01, 0.9, True), (0.0, 0.9, False), (0.01, 0.79, False), (0.01, 0.96, False)]
)
def test_the_gate_wants_a_bound_above_nothing_and_every_guardrail(bound: float, share: float, is_passed: bool):  # noqa: FBT001
    guardrail = Guardrail(name="length", champion=0.9, challenger=share, least=0.8, most=0.95)

    assert a_version(verdict=a_verdict(bound, guardrail)).verdict.is_passed is is_passed


def test_a_verdict_of_a_whole_challenger_is_written_as_it_was_before_weaker_ones_were_tried():
    whole = a_verdict(0.1)

    written = whole.model_dump_json()

    assert "strength" not in written
    assert "others" not in written
    assert Verdict.model_validate_json(written) == whole


def test_a_verdict_of_a_weaker_challenger_keeps_what_was_found_at_each_strength():
    whole = a_verdict(0.2, Guardrail(name="length", champion=0.9, challenger=0.7, least=0.8))
    weaker = a_verdict(0.1).model_copy(update={"strength": 0.67, "others": (whole,)})

    read = Verdict.model_validate_json(weaker.model_dump_json())

    assert read == weaker
    assert [(one.strength, one.is_passed) for one in read.tried] == [(1.0, False), (0.67, True)]
