"""Errors as callers get them: problem details (RFC 9457) that name the field and the way out."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import (
    BrokerError,
    CampaignFileError,
    CorruptAssetError,
    FactoryError,
    FeedbackError,
    ImpossibleWorkError,
    LedgerError,
    Problem,
    QuotaError,
    ReusedKeyError,
    ScheduleError,
    StateError,
    StorageError,
    UnknownIdError,
)
from producer.problems import MAX_SHOWN, field_of
from schemas.frozen import Frozen

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
# What goes wrong inside is told to who runs the factory, in its log, and not to callers.
_AWAY = {
    LedgerError: "the ledger does not answer; nothing has changed that you were not told of, try again",
    StorageError: "the store does not answer; try again",
    BrokerError: "the broker does not answer; try again",
}
_STATUS: dict[type[FactoryError], int] = {
    CampaignFileError: 422,
    ImpossibleWorkError: 422,
    ReusedKeyError: 422,
    FeedbackError: 422,
    UnknownIdError: 404,
    StateError: 409,
    QuotaError: 429,
}
# What is said above the list of the fields that are wrong.
_TOLD: dict[type[FactoryError], str] = {
    CampaignFileError: "the campaign breaks the rules",
    ImpossibleWorkError: "this cannot be made here",
    FeedbackError: "this cannot be recorded",
    ScheduleError: "the schedule breaks the rules",
}
# How fields of a message of feedback are called in a call; what is wrong with all of it is wrong with the body.
_FEEDBACK_FIELDS = {"job_id": "job", "other_job_id": "other_job", "message": "body"}


class Fault(Frozen):
    """One thing wrong with a call: the field, what is wrong and the way out; in a campaign also where it stands."""

    field: str
    message: str
    line: int | None = None
    column: int | None = None


class ProblemDetails(Frozen):
    """Why a call was not answered as asked."""

    # `urn:content-factory:` and a word for programs; the title is the same for people.
    type: str
    title: str
    status: int
    detail: str
    # The id of the call, as in the header X-Request-Id and in the log.
    instance: str
    problems: tuple[Fault, ...] = ()


def problem(
    request_id: str,
    status: int,
    detail: str,
    faults: Sequence[Fault] = (),
    *,
    word: str = "",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer that tells of a problem."""
    title = HTTPStatus(status).phrase
    details = ProblemDetails(
        type=f"urn:content-factory:{word or title.lower().replace(' ', '-')}",
        title=title,
        status=status,
        detail=detail,
        instance=f"urn:uuid:{request_id}",
        problems=tuple(faults),
    )
    content = details.model_dump(mode="json", exclude_none=True)
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def of_error(error: FactoryError, request_id: str) -> JSONResponse:
    """Return the answer for an error that was raised on purpose."""
    word = _word(error)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    if faults := faults_of(error):
        told = next(told for kind, told in _TOLD.items() if isinstance(error, kind))
        return problem(request_id, 422, told, faults, word=word)
    if isinstance(error, QuotaError):
        headers = {"Retry-After": str(error.retry_after_seconds)}
        return problem(request_id, 429, str(error), word=word, headers=headers)
    if status is not None:
        return problem(request_id, status, str(error), word=word)
    logger.error("call %s: %s: %s", request_id, type(error).__name__, error)
    for kind, told in _AWAY.items():
        if isinstance(error, kind):
            return problem(request_id, 503, told, word=word, headers={"Retry-After": str(RETRY_SECONDS)})
    if isinstance(error, CorruptAssetError):
        return problem(request_id, 500, "stored bytes are lost or changed; whoever runs the factory is told", word=word)
    return problem(request_id, 500, "the factory is set up wrongly; whoever runs it finds why in its log", word=word)


def _word(error: FactoryError) -> str:
    """Return the name of an error as programs read it: `unknown-id`."""
    name = type(error).__name__.removesuffix("Error").removesuffix("File")
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


def faults_of(error: FactoryError) -> list[Fault]:
    """Return what is wrong with the fields of a call, if an error tells of them."""
    if isinstance(error, FeedbackError | ScheduleError):
        return [fault_of(str(error))]
    return list(map(_fault_of, error.problems)) if isinstance(error, CampaignFileError | ImpossibleWorkError) else []


def fault_of(told: str) -> Fault:
    """Return what is wrong with feedback or a schedule, told as `field: message`, by the field of the call."""
    field, _, message = told.partition(": ")
    return Fault(field=_FEEDBACK_FIELDS.get(field, field), message=message)


def _fault_of(one: Problem) -> Fault:
    # An order has no lines: its fields say it all.
    line, column = (one.line, one.column) if one.file else (None, None)
    return Fault(field=one.field, message=one.message, line=line, column=column)


def add_handlers(app: FastAPI) -> None:
    """Have the app answer every error as a problem."""
    app.add_exception_handler(FactoryError, _on_factory_error)
    app.add_exception_handler(RequestValidationError, _on_wrong_call)
    app.add_exception_handler(HTTPException, _on_refusal)


def _id_of(request: Request) -> str:
    return str(request.state.request_id)


async def _on_factory_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FactoryError)
    return of_error(error, _id_of(request))


async def _on_wrong_call(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(one) for one in error.errors()[:MAX_SHOWN]]
    return problem(_id_of(request), 422, "the call breaks the rules of this route", faults, word="call")


async def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            404: "there is nothing at this address; /openapi.json lists all there is",
            405: "this address knows other methods; the header Allow lists them",
        }.get(error.status_code, detail)
    return problem(_id_of(request), error.status_code, detail, headers=error.headers)


def _fault(error: Mapping[str, Any]) -> Fault:
    place, *path = error["loc"]
    # A position in a broken JSON text is no part of a path.
    field = "" if error["type"] == "json_invalid" else field_of(tuple(path))
    message = str(error["msg"])
    return Fault(field=field or str(place), message=f"{message[:1].lower()}{message[1:]}")


@contextmanager
def renamed(rename: Callable[[Problem], Problem]) -> Iterator[None]:
    """Tell what is wrong with a campaign in the words of who sent it: each of its problems is given another name."""
    try:
        yield
    except CampaignFileError as error:
        raise CampaignFileError(tuple(map(rename, error.problems))) from error
    except ImpossibleWorkError as error:
        if error.problems:
            raise ImpossibleWorkError.of(*map(rename, error.problems)) from error
        raise
