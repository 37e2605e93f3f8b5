"""Windows: when a campaign that is made only at some times of the day opens and closes next.

Times are those of a clock on the wall. Where it is put forward, a time that it never shows is as much later; where it
is put back, the first of two equal times counts.
"""

from datetime import UTC, datetime, time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# A window that lies within the hour that is left out is not there on that day.
DAYS_AHEAD = 4
ALWAYS = 0.0


def zone_problem(name: str) -> str | None:
    """Return what is wrong with the name of a time zone, if anything is."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        by_lower = {known.lower(): known for known in available_timezones()}
        close = get_close_matches(name.lower(), by_lower, n=1)
        way_out = f"did you mean '{by_lower[close[0]]}'?" if close else "write it by its name, such as 'Europe/Berlin'"
        return f"there is no time zone '{name}'; {way_out}"
    return None


def window_problem(window: str) -> str | None:
    """Return what is wrong with a window that is written rightly, if anything is."""
    opens, _, closes = window.partition("-")
    return "opens and closes at the same time; leave it out for the whole day" if opens == closes else None


def written(window: str | None, timezone: str | None) -> str:
    """Return a window as the ledger keeps it, empty for none."""
    return f"{window} {timezone or 'UTC'}" if window else ""


def next_opening(window: str, now: float) -> tuple[float, float | None]:
    """Return when a window, as the ledger keeps it, opens and closes: the one that is open now, or the next one."""
    if not window:
        return ALWAYS, None
    hours, _, timezone = window.partition(" ")
    zone = ZoneInfo(timezone)
    opens, closes = (time.fromisoformat(one) for one in hours.split("-"))
    today = datetime.fromtimestamp(now, zone).date()
    for days in range(-1, DAYS_AHEAD):
        day = today + timedelta(days)
        opens_at = datetime.combine(day, opens, zone).timestamp()
        closes_at = datetime.combine(day + timedelta(closes < opens), closes, zone).timestamp()
        if max(now, opens_at) < closes_at:
            return opens_at, closes_at
    raise AssertionError(f"the window {window} never opens")


def opening_after(window: str, now: float) -> float | None:
    """Return when a window opens, nothing where it is open or there is none."""
    opens_at, _ = next_opening(window, now)
    return opens_at if opens_at > now else None


def day_and_time(at: float, timezone: str) -> datetime:
    """Return a moment as the clock of a time zone shows it."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(timezone))
