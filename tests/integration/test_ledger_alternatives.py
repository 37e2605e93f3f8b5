"""Jobs that name several others for one role: the first that is not lost counts."""

import pytest

from core.ledger import Ledger
from schemas.campaigns import Kind
from schemas.jobs import JobState

from support.inputs import (
    AD,
    HEADLINE,
    PICTURE,
    claim,
    end,
    headline_of_the_ad,
    is_sound,
    make,
    state,
    submit,
    with_headlines,
)


@pytest.mark.parametrize(
    ("fates", "chosen"),
    [
        ({"0": True}, "0"),
        ({"0": False, "1": True}, "1"),
        ({"2": True, "1": True, "0": False}, "1"),
        ({"1": False, "2": True, "0": False}, "2"),
        ({"1": True, "2": False, "0": True}, "0"),
    ],
)
def test_of_several_jobs_for_a_role_the_first_that_is_not_lost_counts(
    fates: dict[str, bool], chosen: str, ledger: Ledger
):
    submit(ledger, with_headlines(3))
    make(ledger, Kind.IMAGE)

    end(ledger, {f"{HEADLINE}{number}": fate for number, fate in fates.items()})

    assert headline_of_the_ad(ledger) == [f"{HEADLINE}{chosen}"]
    lease = claim(ledger, Kind.CREATIVE)
    assert [one.job_id for one in lease.jobs[0].inputs] == [f"{HEADLINE}{chosen}", PICTURE]
    assert is_sound(ledger)


def test_a_job_waits_for_the_first_of_a_role_while_later_ones_are_done(ledger: Ledger):
    submit(ledger, with_headlines(3))
    make(ledger, Kind.IMAGE)

    end(ledger, {f"{HEADLINE}1": True, f"{HEADLINE}2": True})

    assert claim(ledger, Kind.CREATIVE) is None
    assert len(headline_of_the_ad(ledger)) == 3
    assert is_sound(ledger)


def test_a_job_fails_when_all_of_a_role_are_lost_and_waits_again_with_any_of_them(ledger: Ledger):
    submit(ledger, with_headlines(2))
    make(ledger, Kind.IMAGE)

    end(ledger, {f"{HEADLINE}0": False, f"{HEADLINE}1": False})

    assert state(ledger, AD) == JobState.FAILED
    assert f"its headline {HEADLINE}0 failed" in ledger.jobs.status(AD).error
    ledger.jobs.retry([f"{HEADLINE}1"], "me")
    assert state(ledger, AD) == JobState.WAITING
    end(ledger, {f"{HEADLINE}1": True})
    assert headline_of_the_ad(ledger) == [f"{HEADLINE}1"]
    assert claim(ledger, Kind.CREATIVE)
    assert is_sound(ledger)


def test_what_a_released_job_is_made_of_stays_when_a_better_one_is_tried_again(ledger: Ledger):
    submit(ledger, with_headlines(2))
    make(ledger, Kind.IMAGE)
    end(ledger, {f"{HEADLINE}0": False, f"{HEADLINE}1": True})

    ledger.jobs.retry([f"{HEADLINE}0"], "me")
    make(ledger, Kind.COPY)

    assert headline_of_the_ad(ledger) == [f"{HEADLINE}1"]
    make(ledger, Kind.CREATIVE)
    assert is_sound(ledger)
