"""Cron expressions by the clock of Berlin: on the days when it is changed, on leap days, over the end of a year."""

from datetime import datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ScheduleError
from producer.schedules.cron import NEVER, check, moments_after, next_after

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def due(cron: str, after: str, count: int) -> list[str]:
    moments = islice(moments_after(cron, "Europe/Berlin", at(after)), count)
    return [datetime.fromtimestamp(one, BERLIN).isoformat(timespec="minutes") for one in moments]


def test_monday_at_six_stays_at_six_when_the_clock_is_changed():
    assert due("0 6 * * 1", "2026-03-22 12:00", 3) == [
        "2026-03-23T06:00+01:00",
        "2026-03-30T06:00+02:00",
        "2026-04-06T06:00+02:00",
    ]
    assert due("0 6 * * 1", "2026-10-18 12:00", 2) == ["2026-10-19T06:00+02:00", "2026-10-26T06:00+01:00"]


def test_a_time_that_is_left_out_comes_right_after_the_gap():
    assert due("30 2 * * *", "2026-03-28 12:00", 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_two_times_that_are_left_out_are_one_moment():
    assert due("0,30 2 * * *", "2026-03-28 12:00", 2) == ["2026-03-29T03:00+02:00", "2026-03-30T02:00+02:00"]


def test_a_time_that_comes_twice_is_due_once():
    assert due("30 2 * * *", "2026-10-24 12:00", 2) == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]


def test_from_within_the_second_of_two_hours_nothing_is_due_that_lies_in_the_first():
    second_pass = datetime(2026, 10, 25, 2, 40, tzinfo=BERLIN, fold=1).timestamp()

    (found,) = islice(moments_after("45 2 * * *", "Europe/Berlin", second_pass), 1)

    assert found == at("2026-10-26 02:45")


def test_every_half_hour_goes_on_evenly_through_both_changes():
    for start in ("2026-03-29 00:10", "2026-10-25 00:10"):
        moments = list(islice(moments_after("*/30 * * * *", "Europe/Berlin", at(start)), 12))

        assert {later - earlier for earlier, later in pairwise(moments)} == {1800.0}


def test_a_leap_day_is_due_in_leap_years_and_a_year_ends_as_it_should():
    assert due("0 0 29 2 *", "2026-01-01 00:00", 2) == ["2028-02-29T00:00+01:00", "2032-02-29T00:00+01:00"]
    assert due("59 23 31 12 *", "2026-12-31 23:58", 2) == ["2026-12-31T23:59+01:00", "2027-12-31T23:59+01:00"]


@pytest.mark.parametrize(
    ("cron", "timezone", "told"),
    [
        ("", "UTC", "cron: '' has not five fields"),
        ("0 6 * *", "UTC", "has not five fields"),
        ("0 0 6 * * 1", "UTC", "has not five fields"),
        ("@daily", "UTC", "has not five fields"),
        ("61 * * * *", "UTC", "the minute of '61 * * * *' is wrong"),
        ("0 6 * * 8", "UTC", "the day-of-week of"),
        ("0 0 30 2 *", "UTC", "the day-of-month of"),
        ("0 0 1-1-1 * *", "UTC", "the day-of-month of"),
        ("*/0 * * * *", "UTC", "the minute of"),
        (f"{'0,' * 60}0 * * * *", "UTC", "at most 100"),
        ("0 6 * * 1", "Europe/Belrin", "timezone: there is no time zone 'Europe/Belrin'; did you mean"),
    ],
)
def test_a_rule_that_is_none_is_told_by_its_field(cron: str, timezone: str, told: str):
    with pytest.raises(ScheduleError) as raised:
        check(cron, timezone)

    assert told in str(raised.value)


@settings(max_examples=40)
@given(st.text(alphabet="0123456789*/,-L#W MONSU", max_size=30))
def test_whatever_is_written_is_a_rule_or_told_to_be_none(cron: str):
    told = ""
    try:
        check(cron, "Europe/Berlin")
    except ScheduleError as error:
        told = str(error)

    assert told.startswith("cron: ") or 0 < next_after(cron, "Europe/Berlin", 0.0) < NEVER


RULES = st.sampled_from(
    ["30 2 * * *", "*/20 * * * *", "0 */2 * * *", "15,45 1-3 * * *", "0 3 * * 0", "0 0 L * *", "5 2 25-31 3,10 *"]
)
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC"])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda one: one.replace(tzinfo=BERLIN))  # noqa: DTZ001 - made aware


@settings(max_examples=40)
@given(RULES, ZONES, MOMENTS)
def test_moments_come_in_order_and_a_walk_that_begins_anew_goes_on_where_it_was(cron: str, zone: str, start: datetime):
    moments = list(islice(moments_after(cron, zone, start.timestamp()), 12))

    assert moments == sorted(set(moments))
    assert moments[0] > start.timestamp()
    for number, moment in enumerate(moments[:-1]):
        assert next_after(cron, zone, moment) == moments[number + 1]


@settings(max_examples=40)
@given(MOMENTS)
def test_a_daily_rule_is_due_once_a_day_of_the_calendar(start: datetime):
    end = (start + timedelta(days=400)).timestamp()

    moments = takewhile(lambda one: one < end, moments_after("30 2 * * *", "Europe/Berlin", start.timestamp()))
    days = [datetime.fromtimestamp(one, BERLIN).date() for one in moments]

    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
