"""Mend the brief of a dead letter: assignments such as `product.description=...`, checked like a campaign."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import ImpossibleWorkError, UnknownIdError
from core.music.instruments import INSTRUMENTS, unknown_instruments
from producer.documents import UNPRINTABLE
from producer.music import shape_of, wrong_length, wrong_tempo
from producer.problems import suggestion
from schemas.buckets import ANY_SHAPE, Bucket
from schemas.campaigns import Kind
from schemas.channels import channels
from schemas.jobs import Brief, Job, MusicOrder
from schemas.music import music_channels
from schemas.pictures import picture_channels
from schemas.rates import Rates

CHANNELS: dict[Kind, Callable[[], Mapping[str, object]]] = {
    Kind.COPY: channels,
    Kind.IMAGE: picture_channels,
    Kind.CREATIVE: picture_channels,
    Kind.MUSIC: music_channels,
}


def edited(job: Job, assignments: Sequence[str], rates: Rates) -> Brief:
    """Return the brief of a job with other values; an empty value takes a field away.

    Raises ImpossibleWorkError when a field is unknown, a value is wrong, or the job's bucket cannot serve the result.
    """
    plain = job.brief.model_dump(mode="json")
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise ImpossibleWorkError(f"'{assignment}' is no assignment: write field=value, e.g. product.name=Ember")
        if UNPRINTABLE.search(value):
            raise ImpossibleWorkError(f"the value of '{path}' has characters that are not text: remove them")
        _assign(plain, path.strip(), value)
    try:
        brief = Brief.model_validate(plain)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ImpossibleWorkError(f"the brief of job {job.id} cannot be that: {found}") from error
    _check_can_be_made(job, brief, rates)
    return brief


def _assign(plain: dict[str, Any], path: str, value: str) -> None:
    *parents, name = path.split(".")
    room = plain
    for parent in parents:
        inner = room.get(parent)
        if not isinstance(inner, dict):
            raise ImpossibleWorkError(f"a brief has no field '{path}'; {suggestion(parent, room)}")
        room = inner
    if name not in room:
        raise ImpossibleWorkError(f"a brief has no field '{path}'; {suggestion(name, room)}")
    if isinstance(room[name], dict):
        raise ImpossibleWorkError(f"'{path}' has fields of its own: {', '.join(f'{path}.{key}' for key in room[name])}")
    if not value:
        del room[name]
    else:
        room[name] = _list(path, value) if isinstance(room[name], list) else value


def _list(path: str, value: str) -> Any:
    """Return a list of texts, written as JSON."""
    try:
        return json.loads(value)
    except ValueError as error:
        raise ImpossibleWorkError(f"'{path}' is a list: write it as JSON, e.g. {path}=[\"cheap\"]") from error


def _check_can_be_made(job: Job, brief: Brief, rates: Rates) -> None:
    bucket = Bucket.parse(job.bucket)
    known = CHANNELS[job.kind]()
    if brief.channel not in known:
        raise ImpossibleWorkError(f"there is no channel '{brief.channel}'; {suggestion(brief.channel, known)}")
    shape = _shape(brief)
    if shape not in {bucket.shape, ANY_SHAPE}:
        noun = {Kind.COPY: "lines", Kind.MUSIC: "pieces"}.get(job.kind, "pictures")
        raise ImpossibleWorkError(
            f"{brief.channel} takes {shape} {noun} and job {job.id} is one of {bucket.shape} {noun}: "
            "submit a campaign for that channel instead"
        )
    if job.kind == Kind.COPY and not rates.writes(bucket.model, brief.locale):
        raise ImpossibleWorkError(f"the model '{bucket.model}' does not write '{brief.locale}'")


def _shape(brief: Brief) -> str:
    """Return the shape of the bucket that a brief belongs into."""
    if brief.music:
        return _shape_of_music(brief.channel, brief.music)
    if brief.creative:
        return ANY_SHAPE
    if brief.picture:
        channel = picture_channels()[brief.channel]
        return f"{channel.width}x{channel.height}"
    return channels()[brief.channel].shape


def _shape_of_music(channel: str, order: MusicOrder) -> str:
    try:
        shape = shape_of(order)
    except UnknownIdError as error:
        raise ImpossibleWorkError(str(error)) from error
    names = unknown_instruments(order.instruments)
    told = wrong_length(channel, order.seconds) or wrong_tempo(order)
    if names or told:
        raise ImpossibleWorkError(told or f"there is no instrument {names[0]!r}; {suggestion(names[0], INSTRUMENTS)}")
    return shape
