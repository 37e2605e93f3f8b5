"""Pages out of templates: all that is put in is escaped, and no address leads away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.pages.render import html, own_path


def error(detail: str) -> str:
    texts = {"title": detail, "detail": detail, "faults": [{"field": detail, "message": detail}], "call": detail}
    return html("error.html", None, detail, status=500, may_try_again=True, **texts)


@given(st.text(min_size=1, max_size=100))
def test_no_text_can_add_an_element_to_a_page(text: str):
    plain, hostile = error("x"), error(text)

    assert hostile.count("<") == plain.count("<")
    assert hostile.count('"') == plain.count('"')


@given(st.text(max_size=60))
def test_a_path_of_ours_stays_and_anything_else_is_the_first_page(path: str):
    led = own_path(path)

    assert led.startswith("/")
    assert not led.startswith(("//", "/\\"))
    assert led in {path, "/campaigns"}


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/x/gallery?kind=copy", "/dead-letters"])
def test_our_own_paths_are_kept(path: str):
    assert own_path(path) == path
