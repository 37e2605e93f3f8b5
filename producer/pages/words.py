"""Numbers, times and names as people read them on a page."""

from datetime import UTC, datetime

from core.windows import day_and_time
from schemas.campaigns import Kind
from schemas.channels import channels
from schemas.music import music_channels
from schemas.pictures import picture_channels
from schemas.reasons import reasons

# An en dash.
UNKNOWN = "\u2013"
KIND_TITLES = {Kind.COPY: "Copy", Kind.IMAGE: "Pictures", Kind.CREATIVE: "Advertisements", Kind.MUSIC: "Music"}
KIND_NOUNS = {Kind.COPY: "line", Kind.IMAGE: "picture", Kind.CREATIVE: "advertisement", Kind.MUSIC: "piece of music"}


def duration(seconds: float | None) -> str:
    """Return a time span with the two units that matter; a dash when nobody knows."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def number(value: float) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,.0f}".replace(",", "\u202f")


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return f"{share:.0%}"


def moment(at: float | None) -> str:
    """Return a time in UTC to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") if at is not None else UNKNOWN


def moment_in(at: float | None, timezone: str) -> str:
    """Return a time to the minute as the clock of a time zone shows it."""
    return day_and_time(at, timezone).strftime("%Y-%m-%d %H:%M") if at is not None else UNKNOWN


def money(amount: float) -> str:
    """Return an amount with two decimals, a small one with as many as say something."""
    return f"{amount:.2f}" if amount >= 1 else f"{amount:.2g}"


def count(value: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2 jobs`."""
    return f"{number(value)} {noun if value == 1 else f'{noun}s'}"


def channel_title(channel: str) -> str:
    """Return what people call a channel; its id where nobody knows any more."""
    for known in (channels(), picture_channels(), music_channels()):
        if channel in known:
            return str(known[channel].title)
    return channel


def reason_title(reason: str | None) -> str:
    """Return what a reason says; its id where it has left the list."""
    if reason is None:
        return "no reason given"
    known = reasons()
    return known[reason].title if reason in known else reason
