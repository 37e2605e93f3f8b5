"""What a message of feedback may say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.ratings import Comparison, Feedback, Rating, Results

RATING = {"type": "rating", "job_id": "spring-000001", "stars": 4}


def feedback(content: dict[str, object], **fields: object) -> Feedback:
    return Feedback.model_validate({"id": "message-1", "rater": "ada", "at": 1000.0, "content": content} | fields)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (RATING, Rating),
        ({"type": "rating", "job_id": "a-1", "approves": False, "reason": "untrue"}, Rating),
        ({"type": "comparison", "job_id": "a-1", "other_job_id": "a-2", "outcome": "tie"}, Comparison),
        ({"type": "results", "job_id": "a-1", "source": "meta", "day": "2026-02-28", "impressions": 3}, Results),
    ],
)
def test_a_message_comes_back_from_json_as_it_was(content: dict[str, object], kind: type):
    sent = feedback(content)

    assert isinstance(sent.content, kind)
    assert Feedback.model_validate_json(sent.model_dump_json(), strict=True) == sent


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"type": "rating", "job_id": "a-1"}, "a rating has stars, or approves or rejects"),
        (RATING | {"stars": 0}, "greater than or equal to 1"),
        (RATING | {"reason": "untrue"}, "a reason belongs to a rejection"),
        (RATING | {"approves": True, "reason": "untrue"}, "a reason belongs to a rejection"),
        (RATING | {"comment": "x" * 2001}, "at most 2000 characters"),
        (RATING | {"job_id": "../a"}, "should match pattern"),
        (RATING | {"score": 3}, "Extra inputs are not permitted"),
        ({"type": "opinion", "job_id": "a-1"}, "does not match any of the expected tags"),
        ({"type": "comparison", "job_id": "a-1", "other_job_id": "a-1", "outcome": "tie"}, "compared with itself"),
        ({"type": "results", "job_id": "a-1", "source": "m", "clicks": 1}, "clicks cannot be more than impressions"),
        ({"type": "results", "job_id": "a-1", "source": "m", "day": "2026-13-01"}, "should match pattern"),
        ({"type": "results", "job_id": "a-1", "source": "m", "conversions": float("inf")}, "finite number"),
    ],
)
def test_a_message_that_says_nothing_sensible_is_refused(content: dict[str, object], expected: str):
    with pytest.raises(ValidationError, match=expected):
        feedback(content)


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 2},
        {"id": "short"},
        {"rater": ""},
        {"rater": "a\nb"},
        {"at": -1.0},
        {"at": float("nan")},
        {"to": "x"},
    ],
)
def test_an_envelope_that_is_wrong_is_refused(fields: dict[str, object]):
    with pytest.raises(ValidationError):
        feedback(RATING, **fields)


@given(st.text(max_size=50))
def test_whatever_somebody_typed_is_kept_or_refused_and_never_changed(text: str):
    try:
        sent = feedback(RATING | {"comment": text})
    except ValidationError:
        assert any(ord(character) < 32 or character == "\x7f" for character in text)
    else:
        assert json.loads(sent.model_dump_json())["content"]["comment"] == text.strip()


@pytest.mark.parametrize(
    "said", [{"stars": 3}, {"approves": True}, {"approves": False, "reason": "ugly"}, {"comment": "x"}]
)
def test_a_rating_that_is_withdrawn_says_nothing_else(said: dict[str, object]):
    withdrawn = {"type": "rating", "job_id": "spring-000000", "is_withdrawn": True}

    assert feedback(withdrawn).content.is_withdrawn
    with pytest.raises(ValidationError, match="says nothing else"):
        feedback(withdrawn | said)
