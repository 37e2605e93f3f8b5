"""Windows of the day by the clocks of time zones, also where these are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.windows import next_opening, opening_after, window_problem, written, zone_problem

BERLIN = "Europe/Berlin"
NIGHT = f"22:00-06:00 {BERLIN}"


def berlin(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-06-10 12:00", "2026-06-10 22:00", "2026-06-11 06:00"),
        ("2026-06-10 22:00", "2026-06-10 22:00", "2026-06-11 06:00"),
        ("2026-06-11 05:59", "2026-06-10 22:00", "2026-06-11 06:00"),
        ("2026-06-11 06:00", "2026-06-11 22:00", "2026-06-12 06:00"),
        ("2026-12-31 23:00", "2026-12-31 22:00", "2027-01-01 06:00"),
        ("2028-02-28 23:00", "2028-02-28 22:00", "2028-02-29 06:00"),
    ],
)
def test_a_window_that_goes_past_midnight_is_the_one_that_is_open_or_the_next(now: str, opens: str, closes: str):
    assert next_opening(NIGHT, berlin(now)) == (berlin(opens), berlin(closes))


@pytest.mark.parametrize(("evening", "hours"), [("2026-03-28 23:00", 7), ("2026-10-24 23:00", 9)])
def test_a_night_in_which_the_clock_is_changed_is_as_long_as_it_is(evening: str, hours: int):
    opens_at, closes_at = next_opening(NIGHT, berlin(evening))

    assert closes_at is not None
    assert closes_at - opens_at == hours * 3600


def test_a_window_within_the_hour_that_is_left_out_is_not_there_on_that_day():
    opens_at, _ = next_opening(f"02:30-03:00 {BERLIN}", berlin("2026-03-29 00:00"))

    assert opens_at == berlin("2026-03-30 02:30")


def test_without_a_window_a_campaign_is_open_for_ever():
    assert next_opening("", 1000.0) == (0.0, None)
    assert opening_after("", 1000.0) is None


def test_a_window_without_a_time_zone_goes_by_utc():
    assert written("22:00-06:00", None) == "22:00-06:00 UTC"
    assert written(None, BERLIN) == ""


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_a_window_lies_ahead_or_around_and_shows_its_times(start: int, length: int, moment: datetime, zone: str):
    now = moment.replace(tzinfo=UTC).timestamp()
    clock = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in (start, (start + length) % 1440)]

    opens_at, closes_at = next_opening(f"{clock[0]}-{clock[1]} {zone}", now)

    assert closes_at is not None
    assert now < closes_at
    assert 0 < closes_at - opens_at < timedelta(days=1, hours=1).total_seconds()
    assert opens_at - now < timedelta(days=3).total_seconds()
    shown, (hour, minute) = datetime.fromtimestamp(closes_at, ZoneInfo(zone)), map(int, clock[1].split(":"))
    # What is left out where the clock is put forward, by half an hour at Lord Howe, is shown as much later.
    assert (shown.hour * 60 + shown.minute - hour * 60 - minute) % 1440 in {0, 30, 60}


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("Europe/Berlin", None),
        ("UTC", None),
        ("europe/berlin", "did you mean 'Europe/Berlin'?"),
        ("Europe/Belrin", "did you mean 'Europe/Berlin'?"),
        ("Nowhere", "write it by its name, such as 'Europe/Berlin'"),
        ("../../etc/passwd", "there is no time zone"),
        ("/etc/passwd", "there is no time zone"),
        ("a\0b", "there is no time zone"),
    ],
)
def test_a_time_zone_that_there_is_not_is_told_with_the_way_out(zone: str, told: str | None):
    found = zone_problem(zone)

    assert (told is None and found is None) or (found is not None and told is not None and told in found)


def test_a_window_of_no_length_is_a_problem():
    assert window_problem("06:00-06:00") is not None
    assert window_problem("06:00-06:01") is None
