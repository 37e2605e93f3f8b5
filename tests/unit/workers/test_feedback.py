"""What the feedback worker makes of a body before it asks the ledger."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FeedbackError, LedgerError
from core.ledger import Ledger
from schemas.ratings import Feedback
from workers.feedback import read_message, record_patiently

BODY = {
    "version": 1,
    "id": "message-1",
    "tenant": "default",
    "rater": "ada",
    "at": 1000.0,
    "content": {"type": "rating", "job_id": "spring-000001", "stars": 4},
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_message_is_read_as_it_was_sent():
    assert read_message(BODY) == Feedback.model_validate(BODY)


def test_a_newer_version_says_what_to_do():
    with pytest.raises(FeedbackError, match=r"version: 2 is newer than 1, .*: update the worker"):
        read_message(BODY | {"version": 2, "verse": "unknown to this worker"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rater": 7}, "rater: Input should be a valid string"),
        ({"version": "1"}, "version: "),
        ({"content": {"type": "rating", "job_id": "a-1", "stars": "4"}}, "content.rating.stars: "),
        ({"content": None}, "content: "),
        ({"rater": "\ud800"}, "message: "),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], expected: str):
    with pytest.raises(FeedbackError, match=expected):
        read_message(BODY | change)


def test_a_worker_that_stops_while_the_ledger_is_away_gives_the_message_back():
    stopping = threading.Event()

    def away() -> Ledger:
        stopping.set()
        raise LedgerError("the ledger does not answer")

    assert not record_patiently(away, BODY, stopping)


@given(ANYTHING)
def test_whatever_comes_is_one_clear_error(body: object):
    with pytest.raises(FeedbackError, match=r"^\S+: "):
        read_message(body)
