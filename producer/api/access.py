"""Who calls, and whether they may: a key in the header Authorization, a role, and a limit of calls."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from producer.api.limits import whole_seconds
from producer.api.opened import Opened, opened_of
from producer.documents import UNPRINTABLE
from schemas.access import DEFAULT_TENANT, Role

CHANGELESS = {"GET", "HEAD", "OPTIONS"}
MOST_PATH_CHARACTERS = 300
# What deletes a name must not keep it in the record: only what its address looks like is recorded.
NAMELESS = {"forget_rater"}
BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="key",
    description="A key that `factory keys create` made. On 127.0.0.1 none is needed as long as there never was one.",
)


@dataclass(frozen=True)
class Caller:
    """Who calls: the key, or this machine while there are no keys."""

    id: str
    name: str
    tenant: str
    role: Role

    @property
    def actor(self) -> str:
        """Return who did it, as the ledger keeps it."""
        return f"{self.name} ({self.id})"


LOCAL = Caller("keyless", "this machine", DEFAULT_TENANT, Role.ADMIN)


class Access(ABC):
    """What a route asks of its caller: at least this role. Records every call that may change something."""

    def __init__(self, least: Role, *, is_counted: bool = True) -> None:
        self.least = least
        self._is_counted = is_counted

    @abstractmethod
    def caller(self, request: Request, opened: Opened) -> Caller:
        """Return who calls, or refuse."""

    def admitted(self, request: Request) -> Caller:
        """Return the caller if the call is within its limits and its role, and record it."""
        opened = opened_of(request)
        caller = self.caller(request, opened)
        wait = opened.calls.take(caller.id) if self._is_counted else 0.0
        if wait:
            per_minute = opened.settings.api_calls_per_minute
            raise HTTPException(
                429,
                f"more than {per_minute} calls in a minute; wait, or make one call for many things",
                {"Retry-After": str(whole_seconds(wait))},
            )
        request.state.caller = caller
        if request.method not in CHANGELESS:
            _record(request, opened, caller)
        if not caller.role.may(self.least):
            raise HTTPException(
                403, f"this needs a key with the role {self.least} or a better one; yours is {caller.role}"
            )
        return caller


class KeyAccess(Access):
    """What a route of the API asks of its caller: a key in the header Authorization."""

    def __call__(self, request: Request, _: Annotated[object, Depends(BEARER)]) -> Caller:
        """Return the caller, or refuse."""
        return self.admitted(request)

    def caller(self, request: Request, opened: Opened) -> Caller:
        """Return whose key the call has, or this machine while there are no keys."""
        headers = request.headers.getlist("authorization")
        if not headers and opened.is_keyless:
            return LOCAL
        address = request.client.host if request.client else ""
        if opened.wrong_keys.is_empty(address):
            raise HTTPException(429, "too many wrong keys from your address; wait a minute", {"Retry-After": "60"})
        scheme, _, text = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        key = opened.ledger.keys.find(text.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            opened.wrong_keys.take(address)
            told = "the key is wrong or revoked" if headers else "a key is needed"
            raise HTTPException(
                401,
                f"{told}: send one header 'Authorization: Bearer KEY'; `factory keys create` makes a key",
                {"WWW-Authenticate": "Bearer"},
            )
        return Caller(key.id, key.name, key.tenant, key.role)


def _record(request: Request, opened: Opened, caller: Caller) -> None:
    """Record the call before it does anything; the guard adds what came of it."""
    route = request.scope["route"]
    operation = str(route.name)
    called = route.path_format if operation in NAMELESS else request.url.path
    path = UNPRINTABLE.sub("?", called)[:MOST_PATH_CHARACTERS]
    address = request.client.host if request.client else ""
    request.state.call_id = opened.ledger.calls.begin(
        caller.tenant, caller.actor, operation, path, address, request.state.request_id
    )


VIEWER, RATER, PRODUCER, ADMIN = (Depends(KeyAccess(role)) for role in Role)


def caller_of(request: Request) -> Caller:
    """Return who calls; the route has asked for a role before."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


Me = Annotated[Caller, Depends(caller_of)]
