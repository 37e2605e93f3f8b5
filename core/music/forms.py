"""How many bars at which tempo fill exactly so many seconds, with a last chord that has time to fade."""

from dataclasses import dataclass

from core.errors import ImpossibleWorkError
from core.music.moods import TEMPI, Mood, MusicBrief, mood_of
from core.music.pieces import METERS
from schemas.music import LEAST_SECONDS, MOST_SECONDS

# Bars that tunes have; four are too few for more than a few seconds.
WRITTEN_BARS = (4, 6, 8, 10, 12, 16, 20, 24)
THIN = 4
THIN_UNTIL_SECONDS = 12
ODD_LENGTH, REPRISE, TOO_THIN, OUT_OF_RANGE = 0.04, 0.03, 0.15, 1.0
# A beat of three eighths feels slower.
COMPOUND = (0.72, 0.9)


@dataclass(frozen=True)
class Form:
    """`written` bars come from the network, `bars` are played: only the last ones, those again, or all twice."""

    written: int
    bars: int
    bpm: float
    tail_seconds: float


def form_of(brief: MusicBrief) -> Form:
    """Return the form of what a brief asks for; raises UnknownIdError and ImpossibleWorkError."""
    return form_for(mood_of(brief), brief.seconds, is_loop=brief.is_loop, wished_bpm=brief.bpm)


def form_for(mood: Mood, seconds: float, *, is_loop: bool = False, wished_bpm: float | None = None) -> Form:
    """Return the form whose tempo is nearest to that of the mood; raises ImpossibleWorkError for odd lengths."""
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise ImpossibleWorkError(f"music of {seconds} s is not made: ask for {LEAST_SECONDS} to {MOST_SECONDS} s")
    meter = METERS[mood.meter]
    tail = 0.0 if is_loop else min(1.8, 0.05 * seconds + 0.6)
    slowest, fastest = TEMPI[mood.manner]
    if meter.beat == 36:
        slowest, fastest = round(slowest * COMPOUND[0]), round(fastest * COMPOUND[1])
    if wished_bpm:
        slowest, fastest = round(wished_bpm * 0.9), round(wished_bpm * 1.1)
    wanted = min(max(mood.bpm, slowest), fastest)
    best: tuple[float, Form] | None = None
    for written in WRITTEN_BARS:
        for bars in _played(written):
            bpm = bars * meter.bar / meter.beat * 60 / (seconds - tail)
            badness = abs(bpm / wanted - 1) + (0 if slowest <= bpm <= fastest else OUT_OF_RANGE)
            badness += ODD_LENGTH * (written % 4 != 0) + REPRISE * (bars != written)
            badness += TOO_THIN * (written == THIN and seconds > THIN_UNTIL_SECONDS)
            if best is None or badness < best[0]:
                best = badness, Form(written, bars, bpm, tail)
    assert best
    return best[1]


def _played(written: int) -> set[int]:
    few = {2, 3} if written == THIN else set()
    return {written, written * 3 // 2, 2 * written} | few
