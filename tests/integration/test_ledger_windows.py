"""Windows in the ledger: jobs are claimed inside them alone, at no cost to others, and background work yields."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from core.ledger import Ledger
from core.ledger.turns import STARVED_SECONDS
from core.tables import campaigns
from schemas.campaigns import Campaign, Kind, Priority

from support.lines import line_campaign, line_jobs

BUCKET = "copy/starter/short"


def submit(ledger: Ledger, name: str, jobs: int = 4, **changes: object) -> Campaign:
    campaign = line_campaign(name, products=jobs, variants=1).model_copy(update=changes)
    ledger.campaigns.submit(name, campaign, line_jobs(name, campaign, "starter"))
    return campaign


def window(first_hours: float, last_hours: float) -> str:
    """Return a window that begins and ends so many hours from now, in UTC."""
    ends = (datetime.now(UTC) + timedelta(hours=hours) for hours in (first_hours, last_hours))
    return "-".join(f"{end:%H:%M}" for end in ends)


def claimed(ledger: Ledger, limit: int = 100) -> list[str]:
    """Claim a batch; return whose jobs are in it."""
    pick = ledger.leases.pick(list(Kind))
    lease = ledger.leases.claim(pick.bucket, limit, "w1") if pick else None
    return [job.campaign_id for job in lease.jobs] if lease else []


def set_times(ledger: Ledger, name: str, **times: float | str) -> None:
    with ledger.database.write() as connection:
        connection.execute(update(campaigns).where(campaigns.c.id == name).values(**times))


def test_a_campaign_is_served_inside_its_window_alone(ledger: Ledger):
    submit(ledger, "closed", window=window(2, 3))
    submit(ledger, "open", window=window(-1, 1))
    submit(ledger, "always")

    assert sorted(claimed(ledger)) == ["always"] * 4 + ["open"] * 4
    assert claimed(ledger) == []
    assert ledger.leases.sweep().waiting_kinds == ()


def test_a_status_says_when_a_window_opens(ledger: Ledger):
    submit(ledger, "closed", window=window(2, 3))
    submit(ledger, "open", window=window(-1, 1), timezone="UTC")
    submit(ledger, "always")

    closed, opened, always = (ledger.campaigns.status(name) for name in ("closed", "open", "always"))

    assert closed.opens_at is not None
    assert 6900 < closed.opens_at - time.time() <= 7200
    assert (opened.window.endswith(" UTC"), opened.opens_at) == (True, None)
    assert (always.window, always.opens_at) == ("", None)


def test_what_has_closed_is_not_served_before_and_after_the_sweep_that_moves_it_on(ledger: Ledger):
    submit(ledger, "night", window=window(2, 3))
    set_times(ledger, "night", opens_at=time.time() - 100, closes_at=time.time() - 1)

    before = claimed(ledger)
    ledger.leases.sweep()
    after = claimed(ledger)

    with ledger.database.read() as connection:
        opens_at, closes_at = connection.execute(select(campaigns.c.opens_at, campaigns.c.closes_at)).one()
    assert (before, after) == ([], [])
    assert 6900 < opens_at - time.time() <= 7200
    assert closes_at - opens_at == pytest.approx(3600, abs=61)


def test_a_window_by_a_clock_that_a_machine_does_not_know_stops_no_sweep(ledger: Ledger):
    submit(ledger, "elsewhere", window=window(2, 3))
    submit(ledger, "always")
    closed = {"opens_at": time.time() - 100, "closes_at": time.time() - 1}
    set_times(ledger, "elsewhere", **closed, time_window="01:00-02:00 Nowhere/Else")

    swept = ledger.leases.sweep()

    assert swept.waiting_kinds == (Kind.COPY,)
    assert set(claimed(ledger)) == {"always"}


def test_what_was_closed_is_served_from_its_opening_on(ledger: Ledger):
    submit(ledger, "night", window=window(-1, 1))
    set_times(ledger, "night", opens_at=time.time() - 100, closes_at=time.time() - 1)

    ledger.leases.sweep()

    assert claimed(ledger) == ["night"] * 4


def test_time_outside_of_a_window_is_no_starving(ledger: Ledger):
    submit(ledger, "night", window=window(-1, 1), priority=Priority.BACKGROUND)
    submit(ledger, "day", priority=Priority.NORMAL)
    set_times(ledger, "night", created_at=time.time() - STARVED_SECONDS * 2, opens_at=time.time() - 10)

    assert claimed(ledger, 4) == ["day"] * 4


def test_a_campaign_in_the_background_yields_between_its_batches(ledger: Ledger):
    submit(ledger, "background", jobs=12, priority=Priority.BACKGROUND)

    first = claimed(ledger, 4)
    submit(ledger, "urgent", jobs=2, priority=Priority.INTERACTIVE)
    submit(ledger, "normal", jobs=6)
    following = [claimed(ledger, 4) for _ in range(4)]

    assert first == ["background"] * 4
    assert following == [
        ["normal"] * 2 + ["urgent"] * 2,
        ["normal"] * 4,
        ["background"] * 4,
        ["background"] * 4,
    ]
