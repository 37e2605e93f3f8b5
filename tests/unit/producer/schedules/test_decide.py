"""What is done about moments that have come: in time, late, and after a long time without a scheduler."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.ledger.schedules import Schedule, ScheduleState
from producer.schedules.cron import NEVER, next_after
from producer.schedules.decide import MOST_MADE_UP_FOR, MOST_NOTED, ON_TIME_SECONDS, decide
from schemas.schedules import CatchUp

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def a_schedule(catch_up: CatchUp, next_at: float, cron: str = "0 * * * *") -> Schedule:
    return Schedule(
        id="sch_1",
        tenant="ann",
        name="hourly",
        state=ScheduleState.ACTIVE,
        cron=cron,
        timezone="Europe/Berlin",
        catch_up=catch_up,
        window="",
        priority=None,
        template_id="one",
        is_limited=False,
        next_at=next_at,
        created_at=0.0,
        created_by="ann",
    )


FIRST = at("2026-06-01 06:00")


@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("late", [0.0, 2.0, ON_TIME_SECONDS])
def test_what_comes_in_time_is_run_whatever_the_policy(catch_up: CatchUp, late: float):
    decision = decide(a_schedule(catch_up, FIRST), FIRST + late)

    assert (decision.runs, decision.skipped, decision.next_at) == ((FIRST,), (), FIRST + HOUR)


def test_skip_runs_nothing_that_was_missed_and_says_so():
    decision = decide(a_schedule(CatchUp.SKIP, FIRST), FIRST + 3.5 * HOUR)

    assert decision.runs == ()
    assert [moment for moment, _ in decision.skipped] == [FIRST + hours * HOUR for hours in range(4)]
    assert {why for _, why in decision.skipped} == {
        "missed: no scheduler was there, and catch-up is 'skip', which makes up for nothing"
    }
    assert decision.next_at == FIRST + 4 * HOUR


def test_skip_runs_the_one_that_comes_just_in_time():
    decision = decide(a_schedule(CatchUp.SKIP, FIRST), FIRST + 3 * HOUR + 1)

    assert decision.runs == (FIRST + 3 * HOUR,)
    assert len(decision.skipped) == 3


def test_one_runs_the_newest_however_late():
    decision = decide(a_schedule(CatchUp.ONE, FIRST), FIRST + 3.9 * HOUR)

    assert decision.runs == (FIRST + 3 * HOUR,)
    assert [moment for moment, _ in decision.skipped] == [FIRST, FIRST + HOUR, FIRST + 2 * HOUR]


def test_all_runs_ten_at_most_and_the_oldest_of_them_first():
    decision = decide(a_schedule(CatchUp.ALL, FIRST), FIRST + 14.5 * HOUR)

    assert decision.runs == tuple(FIRST + hours * HOUR for hours in range(5, 15))
    assert len(decision.skipped) == 5


def test_of_very_many_that_were_missed_the_oldest_are_counted():
    decision = decide(a_schedule(CatchUp.SKIP, FIRST, "* * * * *"), FIRST + 2 * 24 * HOUR + 30 * 60 + 20)

    assert decision.runs == (FIRST + 2 * 24 * HOUR + 30 * 60,)
    assert len(decision.skipped) == MOST_NOTED - 1
    assert decision.skipped[0][1].endswith(f"; {2 * 1440 + 31 - MOST_NOTED} more before it are not listed")


def test_a_night_in_which_the_clock_is_put_back_is_made_up_for_once():
    schedule = a_schedule(CatchUp.ALL, at("2026-10-24 02:30"), "30 2 * * *")

    decision = decide(schedule, at("2026-10-26 12:00"))

    assert decision.runs == (at("2026-10-24 02:30"), at("2026-10-25 02:30"), at("2026-10-26 02:30"))


@settings(max_examples=40)
@given(
    st.sampled_from(CatchUp),
    st.sampled_from(["0 * * * *", "30 2 * * *", "*/7 * * * *", "0 6 * * 1", "0 0 29 2 *"]),
    st.floats(0, 40 * 24 * HOUR),
)
def test_every_moment_up_to_now_is_decided_once_and_the_next_one_lies_ahead(catch_up: CatchUp, cron: str, later: float):
    start = at("2026-03-20 00:00")
    first = next_after(cron, "Europe/Berlin", start)
    now = start + later

    decision = decide(a_schedule(catch_up, first, cron), now)

    decided = sorted([*decision.runs, *(moment for moment, _ in decision.skipped)])
    assert len(set(decided)) == len(decided) <= MOST_NOTED
    assert all(moment <= now for moment in decided)
    assert now < decision.next_at < NEVER
    assert len(decision.runs) <= MOST_MADE_UP_FOR
    # Nothing lies between what was decided and what comes next.
    assert all(next_after(cron, "Europe/Berlin", one) in {*decided, decision.next_at} for one in decided)
