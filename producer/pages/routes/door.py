"""The door: signing in with a key and out again, the name under which somebody rates, and the blind mode."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from producer.api.opened import Factory
from producer.pages import cookies
from producer.pages.forms import Sent
from producer.pages.person import SEES, Visitor, rater_of, require_own_page, visitor_if_any
from producer.pages.render import go_to, own_path, page

public = APIRouter()
router = APIRouter(dependencies=[SEES])

Next = Annotated[str, Query(max_length=2000)]


@public.get("/")
def show_start() -> Response:
    """Lead to the campaigns."""
    return go_to("/campaigns")


@public.get("/sign-in")
def show_sign_in(request: Request, following: Annotated[str, Query(alias="next", max_length=2000)] = "") -> Response:
    """Show where a key is asked for; who is in already goes on."""
    if visitor_if_any(request) is not None:
        return go_to(own_path(following))
    return _sign_in(request, following)


@public.post("/sign-in")
def sign_in(factory: Factory, request: Request, form: Sent) -> Response:
    """Begin a session for a key."""
    require_own_page(request)
    address = request.client.host if request.client else ""
    if factory.wrong_keys.is_empty(address):
        raise HTTPException(429, "too many wrong keys from your address; wait a minute", {"Retry-After": "60"})
    key = factory.ledger.keys.find(form.get("key").strip())
    if key is None:
        factory.wrong_keys.take(address)
        return _sign_in(request, form.get("next"), told="This key is wrong or revoked.")
    answer = go_to(own_path(form.get("next")))
    cookies.keep(request, answer, cookies.SESSION, factory.ledger.sessions.open(key))
    return answer


@router.post("/sign-out")
def sign_out(factory: Factory, request: Request) -> Response:
    """End the session, here and in the ledger."""
    factory.ledger.sessions.close(cookies.kept(request, cookies.SESSION))
    answer = go_to("/sign-in")
    cookies.drop(answer, cookies.SESSION)
    return answer


@router.post("/name")
def set_name(request: Request, form: Sent) -> Response:
    """Keep the name under which this browser rates; with a key the name of the key counts."""
    answer = go_to(own_path(form.get("back")))
    cookies.keep(request, answer, cookies.RATER, rater_of(form.get("name")))
    return answer


@router.post("/blind")
def set_blind(request: Request, visitor: Visitor, form: Sent) -> Response:
    """Hide the names of models and versions, or show them again."""
    answer = go_to(own_path(form.get("back")))
    if visitor.is_blind:
        cookies.drop(answer, cookies.BLIND)
    else:
        cookies.keep(request, answer, cookies.BLIND, "1")
    return answer


def _sign_in(request: Request, following: str, told: str = "") -> HTMLResponse:
    return page(request, "sign_in.html", None, 401 if told else 200, following=own_path(following), told=told)
