"""Who looks at the pages, and whether they may: a session that a key opened, or this machine while there are no keys.

A browser sends its cookies along with whatever some page makes it send, so a change must come from a page of ours.
"""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from core.ledger.gallery import Viewer
from producer.api.access import CHANGELESS, LOCAL, Access, Caller
from producer.api.opened import Opened, opened_of
from producer.pages import cookies
from schemas.access import Role
from schemas.ratings import Rater

# Under which name somebody rates who has typed none.
NOBODY_IN_PARTICULAR = "me"
_RATER: TypeAdapter[str] = TypeAdapter(Rater)


@dataclass(frozen=True)
class Person:
    """Who looks at a page, and how."""

    caller: Caller
    # Ratings are theirs who hold the key; without keys, of the name that somebody typed.
    rater: str
    # Names of models and versions are hidden, so that nobody judges by them.
    is_blind: bool

    @property
    def is_keyless(self) -> bool:
        """Tell whether nobody had to sign in."""
        return self.caller == LOCAL

    @property
    def viewer(self) -> Viewer:
        """Return whose ratings are told apart."""
        return Viewer(self.caller.tenant, self.rater)

    def may(self, role: str) -> bool:
        """Tell whether the person may do what needs at least this role."""
        return self.caller.role.may(Role(role))


class PageAccess(Access):
    """What a page asks of who looks at it. Whoever has not signed in is led to where that is done."""

    def __call__(self, request: Request) -> Caller:
        """Return who looks, or refuse."""
        require_own_page(request)
        return self.admitted(request)

    def caller(self, request: Request, opened: Opened) -> Caller:
        """Return who has signed in, or this machine."""
        session = cookies.kept(request, cookies.SESSION)
        key = opened.ledger.sessions.find(session) if session else None
        if key is not None:
            return Caller(key.id, key.name, key.tenant, key.role)
        if opened.is_keyless:
            return LOCAL
        raise _led_to_the_door(request)


def require_own_page(request: Request) -> None:
    """Raise unless a change comes from a page of ours; browsers say so, and other programs have the API."""
    if request.method in CHANGELESS:
        return
    # The guard has refused a foreign origin before; here one must be told.
    if "origin" not in request.headers and request.headers.get("sec-fetch-site") != "same-origin":
        raise HTTPException(403, "this form was not sent by a page of the factory; programs use the API under /v1")


def _led_to_the_door(request: Request) -> HTTPException:
    if "hx-request" in request.headers:
        # What is swapped into a page cannot lead anywhere; the whole page must.
        return HTTPException(401, "your session has ended: sign in again", {"HX-Redirect": "/sign-in"})
    if request.method not in CHANGELESS:
        return HTTPException(401, "your session has ended: sign in again, nothing was changed")
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return HTTPException(303, "sign in first", {"Location": f"/sign-in?{urlencode({'next': path})}"})


SEES, RATES, STEERS, RULES = (Depends(PageAccess(role)) for role in Role)

# A page of the gallery has half a hundred pictures, and who scrolls does not call too often.
VIEWS = Depends(PageAccess(Role.VIEWER, is_counted=False))


def person_of(request: Request) -> Person:
    """Return who looks; the route has asked for a role before."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    rater = rater_of(cookies.kept(request, cookies.RATER)) if caller == LOCAL else caller.name
    return Person(caller, rater, bool(cookies.kept(request, cookies.BLIND)))


def rater_of(name: str) -> str:
    """Return the name that was typed; the usual one where it cannot be one."""
    try:
        return _RATER.validate_python(name.strip())
    except ValidationError:
        return NOBODY_IN_PARTICULAR


Visitor = Annotated[Person, Depends(person_of)]


def visitor_if_any(request: Request) -> Person | None:
    """Return who looks at a page that is for everybody, if that is known; never refuses."""
    try:
        caller = PageAccess(Role.VIEWER).caller(request, opened_of(request))
    except HTTPException:
        return None
    request.state.caller = caller
    return person_of(request)
