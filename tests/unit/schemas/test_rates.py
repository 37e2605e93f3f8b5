import pytest
from pydantic import ValidationError

from schemas.rates import rates


def test_a_rate_is_found_by_model_shape_and_family_of_devices():
    known = rates()

    assert known.device_seconds("copy/starter/short", "cpu") is not None
    assert known.device_seconds("copy/starter/long", "cuda:1") == known.device_seconds("copy/starter/long", "cuda")


def test_nothing_is_known_of_models_that_are_not_in_the_table():
    assert rates().device_seconds("copy/HuggingFaceTB/SmolLM2/short", "cpu") is None
    assert not rates().is_measured("copy/HuggingFaceTB/SmolLM2/short")


def test_what_was_measured_here_goes_before_the_table():
    here = rates({"copy/starter/short": 9.0, "copy/a/b/long": 4.0})

    assert here.device_seconds("copy/starter/short", "cpu") == 9.0
    assert here.device_seconds("copy/a/b/long", "cuda") == 4.0
    assert here.is_measured("copy/a/b/long")
    assert not here.is_measured("copy/starter/long")


def test_measuring_here_leaves_the_table_as_it_is():
    rates({"copy/starter/short": 9.0})

    assert rates().measured == {}


@pytest.mark.parametrize("locale", ["en", "en-GB", "en-US"])
def test_the_starter_writes_english_of_every_country(locale: str):
    assert rates().writes("starter", locale)


def test_the_starter_writes_english_only_and_other_models_may_write_anything():
    assert not rates().writes("starter", "de")
    assert rates().writes("./a-folder", "de")


def test_a_rate_that_is_not_above_zero_is_refused():
    with pytest.raises(ValidationError):
        type(rates()).model_validate({"version": 1, "models": [], "measured": {"copy/starter/short": 0}})
