import pytest

from core.errors import QuotaError
from producer.api import limits
from producer.api.limits import Buckets, Places, whole_seconds


def test_a_bucket_gives_a_minutes_calls_and_says_when_there_is_one_again():
    calls = Buckets(2)

    waits = [calls.take("ann") for _ in range(3)]

    assert waits[:2] == [0.0, 0.0]
    assert 25 < waits[2] <= 30
    assert calls.take("bob") == 0.0


def test_calls_come_back_evenly(monkeypatch: pytest.MonkeyPatch):
    moment = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: moment[0])
    calls = Buckets(60)
    assert [calls.take("ann") for _ in range(60)] == [0.0] * 60
    assert calls.is_empty("ann")

    moment[0] = 1.5

    assert calls.take("ann") == 0.0
    assert calls.take("ann") == pytest.approx(0.5)


def test_no_more_callers_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MOST_BUCKETS", 2)
    calls = Buckets(1)
    for who in ("ann", "bob", "eve"):
        calls.take(who)

    # The first one is forgotten, and so begins anew; the others are not.
    assert calls.is_empty("eve")
    assert not calls.is_empty("ann")


def test_places_are_refused_when_all_are_taken_and_free_again_after_an_error():
    places = Places(1)

    with places.taken("exports"), pytest.raises(QuotaError, match="1 exports are under way"), places.taken("exports"):
        pass
    with pytest.raises(KeyError), places.taken("exports"):
        raise KeyError

    with places.taken("exports"):
        pass


def test_a_time_to_wait_is_never_nothing():
    assert [whole_seconds(seconds) for seconds in (0.01, 1.0, 1.2)] == [1, 1, 2]
