"""Cron expressions: the moments at which they are due, by the clock of a time zone.

As Debian's cron has it where the clock is changed: a fixed time that is left out comes right after the gap, and of two
equal times the first one counts; what is due every so many minutes or hours goes on evenly.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from core.errors import ScheduleError
from core.windows import zone_problem

FIELDS = 5
MOST_CHARACTERS = 100
# Where there is no next moment within fifty years.
NEVER = 1e12
WAY_OUT = "write minute, hour, day of the month, month and day of the week, such as '0 6 * * 1'"


def check(cron: str, timezone: str) -> None:
    """Raise ScheduleError, which names the field, unless there is such a rule."""
    if problem := zone_problem(timezone):
        raise ScheduleError(f"timezone: {problem}")
    if len(cron) > MOST_CHARACTERS:
        raise ScheduleError(f"cron: has {len(cron)} characters; at most {MOST_CHARACTERS}")
    if len(cron.split()) != FIELDS:
        raise ScheduleError(f"cron: '{cron}' has not five fields; {WAY_OUT}")
    try:
        CronSim(cron, datetime.fromtimestamp(0, ZoneInfo(timezone)))
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise ScheduleError(f"cron: the {field} of '{cron}' is wrong; {WAY_OUT}") from error
    if next_after(cron, timezone, 0.0) == NEVER:
        raise ScheduleError(f"cron: '{cron}' is never due; {WAY_OUT}")


def moments_after(cron: str, timezone: str, at: float) -> Iterator[float]:
    """Yield the moments after that one at which a checked rule is due, each once and in their order."""
    last = at
    for moment in CronSim(cron, datetime.fromtimestamp(at, ZoneInfo(timezone))):
        found = moment.timestamp()
        # Where the clock was put back it may look back, and two times in a gap come at the same moment.
        if found > last:
            yield found
            last = found


def next_after(cron: str, timezone: str, at: float) -> float:
    """Return the first moment after that one at which a checked rule is due, or NEVER."""
    return next(moments_after(cron, timezone, at), NEVER)
