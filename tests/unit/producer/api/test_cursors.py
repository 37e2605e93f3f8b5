import math

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from producer.api.cursors import cursor_of, moment_after, name_after

moments = st.floats(0, 1e11, allow_nan=False)
names = st.from_regex(r"[a-z0-9][a-z0-9-]{0,95}", fullmatch=True)


@given(moments, names)
def test_a_cursor_leads_back_to_its_place(moment: float, name: str):
    assert moment_after(cursor_of(moment, name)) == (moment, name)
    assert name_after(cursor_of(name)) == name


@given(st.text(max_size=100))
def test_any_other_text_is_a_cursor_or_refused_and_never_anything_else(text: str):
    for read in (moment_after, name_after):
        try:
            place = read(text)
        except RequestValidationError as error:
            place = error.errors()[0]["loc"]
        # A time and an id, an id, or the field that is wrong.
        assert place is None or isinstance(place, str) or len(place) == 2


def test_the_cursor_of_one_list_is_none_of_another():
    with pytest.raises(RequestValidationError):
        moment_after(cursor_of("job"))
    with pytest.raises(RequestValidationError):
        name_after(cursor_of(1.5, "campaign"))


def test_no_cursor_is_the_first_page():
    assert (moment_after(None), name_after(None)) == (None, "")


def test_a_moment_is_kept_to_the_last_bit():
    moment = math.nextafter(1764143278.5, math.inf)

    place = moment_after(cursor_of(moment, "a"))

    assert place
    assert place[0] == moment
