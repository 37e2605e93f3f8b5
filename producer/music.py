"""Music of a campaign: what is asked for, and what in it nobody could make, with its place in the file."""

from collections.abc import Iterator

from pydantic import ValidationError

from core.errors import ImpossibleWorkError, Problem, UnknownIdError
from core.music.forms import form_of
from core.music.instruments import DRUMS, INSTRUMENTS, unknown_instruments
from core.music.moods import MOODS, brief_of, key_of
from core.music.pieces import METERS
from producer.documents import Document, Loc
from producer.problems import problem_at, suggestion
from schemas.campaigns import Kind, MusicDeliverable
from schemas.jobs import MusicOrder
from schemas.music import music_channels

# A tempo that differs by less is heard as the one that was asked for.
NEAR_TEMPO = 0.1


def order_of(deliverable: MusicDeliverable) -> MusicOrder:
    """Return what a job is told of its music; its length is that of the channel where none is given."""
    return MusicOrder(
        mood=deliverable.mood,
        seconds=deliverable.seconds or music_channels()[deliverable.channel].seconds,
        energy=deliverable.energy,
        bpm=deliverable.bpm,
        meter=deliverable.meter,
        key=deliverable.key,
        instruments=deliverable.instruments,
        is_loop=deliverable.is_loop,
    )


def shape_of(order: MusicOrder) -> str:
    """Return what pieces of one batch have in common: how many bars are written for them."""
    return f"{form_of(brief_of(order)).written}-bars"


def wrong_length(channel: str, seconds: float) -> str:
    """Return what is wrong with the length of a piece for its channel; empty when nothing is."""
    spec = music_channels()[channel]
    if spec.least_seconds <= seconds <= spec.most_seconds:
        return ""
    return f"{channel} takes {spec.least_seconds:g} to {spec.most_seconds:g} seconds, not {seconds:g}"


def impossible(document: Document) -> list[Problem]:
    """Return what no band could play: unknown moods, keys, meters and instruments, and lengths that do not fit."""
    entries: list[Loc] = [("deliverables", i) for i in range(document.length("deliverables"))]
    ours = [loc for loc in entries if document.text((*loc, "kind")) == Kind.MUSIC]
    return [problem for loc in ours for problem in _impossible(document, loc)]


def _impossible(document: Document, loc: Loc) -> Iterator[Problem]:
    for field, known in (("mood", MOODS), ("meter", METERS)):
        name = document.text((*loc, field))
        if name and name not in known:
            yield problem_at(document, (*loc, field), f"unknown {field}; {suggestion(name, known)}")
    key = document.text((*loc, "key"))
    if key and (told := _wrong_key(key)):
        yield problem_at(document, (*loc, "key"), told)
    for place, name in _instruments(document, loc):
        if unknown_instruments([name]):
            yield problem_at(document, place, f"unknown instrument; {suggestion(name, [*INSTRUMENTS, DRUMS])}")
    yield from _wrong_time(document, loc)


def _wrong_key(key: str) -> str:
    try:
        key_of(key)
    except UnknownIdError as error:
        return str(error)
    return ""


def _instruments(document: Document, loc: Loc) -> Iterator[tuple[Loc, str]]:
    node = document.find((*loc, "instruments"))
    for i in range(len(node.value) if node and isinstance(node.value, list) else 0):
        place: Loc = (*loc, "instruments", i)
        yield place, document.text(place)


def _wrong_time(document: Document, loc: Loc) -> Iterator[Problem]:
    """Yield what is wrong with length and tempo; nothing while the deliverable is wrong in other ways."""
    node = document.find(loc)
    try:
        deliverable = MusicDeliverable.model_validate(node.plain() if node else None)
    except ValidationError:
        # What is wrong with it is told where all of the file is checked.
        return
    if deliverable.channel not in music_channels():
        return
    order = order_of(deliverable)
    if told := wrong_length(deliverable.channel, order.seconds):
        yield problem_at(document, (*loc, "seconds"), told)
    elif told := wrong_tempo(order):
        yield problem_at(document, (*loc, "bpm"), told)


def wrong_tempo(order: MusicOrder) -> str:
    """Return why a tempo cannot be had in so many seconds; empty when it can, or where something else is wrong."""
    try:
        form = form_of(brief_of(order))
    except (ImpossibleWorkError, UnknownIdError):
        # Told already, each with a place of its own.
        return ""
    if order.bpm is None or abs(form.bpm / order.bpm - 1) <= NEAR_TEMPO:
        return ""
    nearest = f"the nearest is {form.bpm:.0f}"
    return f"no whole bars of {order.bpm:g} beats a minute fill {order.seconds:g} seconds; {nearest}"
