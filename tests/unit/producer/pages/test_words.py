"""Numbers, times and names as people read them."""

import pytest

from producer.pages import words


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, words.UNKNOWN), (0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3661, "1 h 01 min")],
)
def test_a_time_span_is_told_with_the_units_that_matter(seconds: float | None, told: str):
    assert words.duration(seconds) == told


def test_numbers_are_told_with_their_thousands_apart_and_their_noun():
    assert [words.count(number, "job") for number in (0, 1, 2, 12_000)] == [
        "0 jobs",
        "1 job",
        "2 jobs",
        "12\u202f000 jobs",
    ]


def test_a_moment_is_told_in_utc():
    assert (words.moment(0), words.moment(None)) == ("1970-01-01 00:00", words.UNKNOWN)


def test_a_moment_is_told_by_the_clock_of_a_time_zone():
    midnight = 1_764_111_600.0

    assert [words.moment_in(midnight, zone) for zone in ("Europe/Berlin", "Asia/Tokyo")] == [
        *("2025-11-26 00:00", "2025-11-26 08:00")
    ]
    assert words.moment_in(None, "UTC") == words.UNKNOWN


@pytest.mark.parametrize(("amount", "told"), [(12.345, "12.35"), (1, "1.00"), (0.00492, "0.0049"), (0, "0")])
def test_money_is_told_with_as_many_decimals_as_say_something(amount: float, told: str):
    assert words.money(amount) == told


def test_channels_and_reasons_have_titles_and_those_that_left_their_list_keep_their_ids():
    assert [words.channel_title(one) for one in ("google_search.headline", "music.bumper", "fax.page")] == [
        *("Google Search headline", "Bumper ad", "fax.page")
    ]
    assert [words.reason_title(one) for one in ("ugly", "loud", None)] == [
        *("Is not good to look at", "loud", "no reason given")
    ]
