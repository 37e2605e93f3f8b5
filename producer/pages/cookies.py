"""What a browser keeps for the pages: who has signed in, who rates, and whether names of models are hidden."""

from urllib.parse import quote, unquote, urlsplit

from fastapi import Request, Response

from core.ledger.sessions import SESSION_SECONDS

SESSION = "factory_session"
RATER = "factory_rater"
BLIND = "factory_blind"
YEAR_SECONDS = 365 * 86_400


def keep(request: Request, response: Response, name: str, value: str) -> None:
    """Have the browser keep a value: for these pages alone, and out of reach of anything that runs in them."""
    response.set_cookie(
        name,
        quote(value),
        max_age=SESSION_SECONDS if name == SESSION else YEAR_SECONDS,
        httponly=True,
        samesite="strict",
        # Whoever stands in front may speak TLS where we do not; the browser says what it sees.
        secure=urlsplit(request.headers.get("origin", "")).scheme == "https",
    )


def kept(request: Request, name: str) -> str:
    """Return what the browser keeps, empty when it is nothing."""
    return unquote(request.cookies.get(name, ""))


def drop(response: Response, name: str) -> None:
    """Have the browser forget it."""
    response.delete_cookie(name, httponly=True, samesite="strict")
