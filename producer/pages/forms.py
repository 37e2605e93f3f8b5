"""Forms as browsers send them: fields with texts, each once; files are never taken."""

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 200


class Form:
    """The fields of a form that was sent."""

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def get(self, name: str) -> str:
        """Return a field, empty when it was not sent. Lines end as on this side, not as browsers send them."""
        return self._fields.get(name, "").replace("\r\n", "\n")

    def beginning_with(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the fields whose names begin so, without that."""
        yield from ((name.removeprefix(prefix), self.get(name)) for name in self._fields if name.startswith(prefix))


async def _sent(request: Request) -> Form:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and content_type != FORM:
        raise HTTPException(415, "these pages take plain forms alone; programs use the API under /v1")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "the form is broken: load the page anew and send it again") from error
    return Form(dict(pairs))


Sent = Annotated[Form, Depends(_sent)]
