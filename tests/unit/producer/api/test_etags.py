import pytest

from producer.api.etags import matches

TAG = '"abc"'


@pytest.mark.parametrize("known", [TAG, f"W/{TAG}", f'"x", {TAG}', "*", f' {TAG} ,"y"'])
def test_a_tag_that_is_named_matches(known: str):
    assert matches(known, TAG)


@pytest.mark.parametrize("known", ["", "abc", '"ab"', '"abcd"', 'w/"abc"', '"abc', ","])
def test_any_other_tag_does_not(known: str):
    assert not matches(known, TAG)
