"""Long lists in pages: a cursor says after what to go on, so nothing is missed or repeated while rows are added."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError

MOST_ROWS = 200

Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=400, description="`next_cursor` of the page before; without it, the first page."),
]


def cursor_of(*place: str | float) -> str:
    """Return the cursor of the last row of a page."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def moment_after(cursor: str | None) -> tuple[float, str] | None:
    """Return time and id of a cursor of a list that is ordered by both."""
    if cursor is None:
        return None
    match _place(cursor):
        case [float() as at, str() as name]:
            return at, name
        case _:
            raise _wrong()


def name_after(cursor: str | None) -> str:
    """Return the id of a cursor of a list that is ordered by ids."""
    if cursor is None:
        return ""
    match _place(cursor):
        case [str() as name]:
            return name
        case _:
            raise _wrong()


def _place(cursor: str) -> object:
    try:
        place: object = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise _wrong() from None
    # What no list of ours can hold, a database may not even be asked for.
    if not isinstance(place, list) or not all(isinstance(one, float) or _is_plain(one) for one in place):
        raise _wrong()
    return place


def _is_plain(one: object) -> bool:
    return isinstance(one, str) and one.isascii() and one.isprintable()


def _wrong() -> RequestValidationError:
    message = "is no cursor of this list; take `next_cursor` of a page of it, or begin without"
    return RequestValidationError([{"type": "cursor", "loc": ("query", "cursor"), "msg": message}])
