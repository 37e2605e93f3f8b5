"""A page out of its template: all that is put in is escaped, and nothing in it runs but our own script."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from producer.pages import words
from producer.pages.person import Person
from producer.schedules.decide import MADE_UP_FOR

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FILTERS: tuple[Callable[..., str], ...] = (
    *(words.duration, words.number, words.percent, words.moment, words.moment_in, words.money),
    *(words.channel_title, words.reason_title),
)
# Pico draws the marks of its fields with pictures that stand in its style.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # Without any referrer a browser would not say either that a form comes from a page of ours.
    "Referrer-Policy": "same-origin",
}


@cache
def static_files() -> Mapping[str, str]:
    """Return the start of the sha256 of each file that pages load, by its name: it is part of the address."""
    files = (path for path in STATIC.iterdir() if path.suffix in MEDIA_TYPES)
    return {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in files}


def static_url(name: str) -> str:
    """Return the address of a file that pages load; another content has another address."""
    return f"/static/{static_files()[name]}/{name}"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update({one.__name__: one for one in FILTERS})
    made.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False, default=str)
    made.globals.update(
        count=words.count,
        kind_titles=words.KIND_TITLES,
        kind_nouns=words.KIND_NOUNS,
        catch_up_words=MADE_UP_FOR,
        static_url=static_url,
    )
    return made


def html(template: str, person: Person | None, path: str, **content: object) -> str:
    """Return the text of a page; `path` is where a form on it comes back to."""
    return _environment().get_template(template).render(person=person, path=path, **content)


def page(
    request: Request, template: str, person: Person | None, status_code: int = 200, **content: object
) -> HTMLResponse:
    """Return a page."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return HTMLResponse(html(template, person, path, **content), status_code, headers=HEADERS)


def go_to(path: str) -> RedirectResponse:
    """Lead to a page of ours after a form was sent, so that loading it anew sends nothing again."""
    return RedirectResponse(path, status_code=303)


def own_path(path: str) -> str:
    """Return a path if it leads to a page of ours, and else the first page."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if is_own else "/campaigns"
