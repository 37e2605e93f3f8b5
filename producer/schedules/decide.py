"""What is done about the moments that have come: a pure function of the schedule and the time."""

from collections import deque
from itertools import chain

from core.ledger.runs import Decision
from core.ledger.schedules import Schedule
from producer.schedules.cron import NEVER, moments_after
from schemas.schedules import CatchUp

# A factory that is started again, or a ledger that was away for a moment, has missed nothing.
ON_TIME_SECONDS = 300.0
MOST_MADE_UP_FOR = 10
MADE_UP_FOR = {CatchUp.SKIP: "nothing", CatchUp.ONE: "the newest", CatchUp.ALL: f"the newest {MOST_MADE_UP_FOR}"}
# More than a person looks through: what was missed before is counted.
MOST_NOTED = 100


def decide(schedule: Schedule, now: float) -> Decision:
    """Return which of the moments up to now are run and which are not, and when it is due next."""
    come: deque[float] = deque(maxlen=MOST_NOTED)
    count, next_at = 0, NEVER
    for moment in chain([schedule.next_at], moments_after(schedule.cron, schedule.timezone, schedule.next_at)):
        if moment > now:
            next_at = moment
            break
        come.append(moment)
        count += 1
    moments = list(come)
    most = _most(schedule.catch_up, is_late=bool(moments) and now - moments[-1] > ON_TIME_SECONDS)
    runs = moments[max(0, len(moments) - most) :]
    missed = [(moment, _why(schedule.catch_up)) for moment in moments if moment not in runs]
    if missed and count > len(moments):
        missed[0] = (missed[0][0], f"{missed[0][1]}; {count - len(moments)} more before it are not listed")
    return Decision(tuple(runs), tuple(missed), next_at)


def _most(catch_up: CatchUp, *, is_late: bool) -> int:
    """Return how many of the newest moments are run; one that comes in time always is."""
    if catch_up is CatchUp.ALL:
        return MOST_MADE_UP_FOR
    return 0 if is_late and catch_up is CatchUp.SKIP else 1


def _why(catch_up: CatchUp) -> str:
    return f"missed: no scheduler was there, and catch-up is '{catch_up}', which makes up for {MADE_UP_FOR[catch_up]}"
