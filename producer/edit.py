"""Mend the brief of a dead letter: assignments such as `product.description=...`, checked like a campaign."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from core.errors import ImpossibleWorkError
from producer.documents import UNPRINTABLE
from producer.problems import suggestion
from schemas.buckets import Bucket
from schemas.channels import channels
from schemas.jobs import Brief, Job
from schemas.rates import Rates


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
    spec = channels().get(brief.channel)
    if spec is None:
        raise ImpossibleWorkError(f"there is no channel '{brief.channel}'; {suggestion(brief.channel, channels())}")
    if spec.shape != bucket.shape:
        raise ImpossibleWorkError(
            f"{brief.channel} takes {spec.shape} lines and job {job.id} is one of {bucket.shape} lines: "
            "submit a campaign for that channel instead"
        )
    if not rates.writes(bucket.model, brief.locale):
        raise ImpossibleWorkError(f"the model '{bucket.model}' does not write '{brief.locale}'")
