"""What is wrong with a file, in words that a person who is no programmer can act on."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from core.errors import CampaignFileError, Problem
from producer.documents import Document, Loc, Node
from schemas.styles import Style

# More than a person reads at once; the rest is counted.
MAX_SHOWN = 50

PATTERNS = {
    "^[a-z0-9][a-z0-9-]{0,62}$": "use lowercase letters, digits and hyphens (at most 63), such as 'spring-roast'",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "use letters, digits, '.', '_' and '-' (at most 64), such as 'NB-001'",
    "^#[0-9A-Fa-f]{6}$": "write a colour as '#' and six hexadecimal digits, in quotes, such as \"#1F3A2E\"",
    r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$": "write two times of day, such as '22:00-06:00'",
    "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$": "write a time zone by its name, such as 'Europe/Berlin'",
    "^[a-z]{2}(-[A-Z]{2})?$": "write a language, or language and country, such as 'en' or 'en-GB'",
    r"^https?://\S{3,2000}$": "write a whole address, such as 'https://example.com/coffee'",
    r"\.(csv|jsonl)$": "a feed is a .csv or .jsonl file",
    r"(?i)\.(png|jpe?g|webp)$": "a logo is a .png, .jpg or .webp file",
}


class Problems:
    """Collects problems: keeps the first fifty, counts the rest."""

    def __init__(self) -> None:
        self.shown: list[Problem] = []
        self.more = 0

    def add(self, *problems: Problem) -> None:
        """Take problems in the order in which they were found."""
        room = MAX_SHOWN - len(self.shown)
        self.shown.extend(problems[:room])
        self.more += len(problems[room:])

    def __bool__(self) -> bool:
        return bool(self.shown)

    def error(self) -> CampaignFileError:
        """Return all that was found as one error; its last entry says how many problems are not shown."""
        problems = tuple(self.shown)
        if self.more:
            last = problems[-1]
            message = f"and {self.more} more problems after this one are not shown"
            problems += (Problem(last.file, last.line, last.column, "", message),)
        return CampaignFileError(problems)


def explain(error: ValidationError, document: Document, keys_at: Callable[[Loc], tuple[str, ...]]) -> list[Problem]:
    """Return what pydantic found as problems with places, top to bottom; `keys_at` gives the keys known at a place."""
    found = []
    for details in error.errors(include_url=False, include_input=False):
        loc = _without_branches(details["loc"])
        if details["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            loc = (*loc, "kind")
        message = _message(details, loc, document, keys_at)
        if message is not None:
            found.append((document.place(loc, of_key=details["type"] == "extra_forbidden"), field_of(loc), message))
    return [Problem(document.file, *place, name, message) for place, name, message in sorted(dict.fromkeys(found))]


def problem_at(document: Document, loc: Loc, message: str) -> Problem:
    """Return what is wrong with a value, where it stands."""
    return Problem(document.file, *document.place(loc), field_of(loc), message)


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Return the known name that was probably meant, as a question, or the list of all."""
    names = list(known)
    close = get_close_matches(wrong.strip().lower()[:64], names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(names)}"


def shown(value: object) -> str:
    """Return a value as it may stand in a message: quoted, printable, and short."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[0]}"


def file_name(path: Path) -> str:
    """Return a path as it may stand in a message, whatever bytes its name has."""
    return str(path).encode(errors="replace").decode()


def field_of(loc: Loc) -> str:
    """Return the path of a value as a person writes it: `deliverables[0].channel`."""
    path = ""
    for key in loc:
        path += f"[{key}]" if isinstance(key, int) else f".{_bare(key)}"
    return path.removeprefix(".")


def _bare(key: str) -> str:
    return key if key.isprintable() and len(key) <= 60 else shown(key)


def _without_branches(loc: Loc) -> Loc:
    """Return the path without the names that pydantic gives to the members of a union."""
    if loc[:1] == ("products",) and len(loc) > 1 and isinstance(loc[1], str):
        return loc[:1] + loc[2:]
    if loc[:1] == ("deliverables",) and len(loc) > 2:
        loc = loc[:2] + loc[3:]
        return loc[:3] + loc[4:] if _is_styles(loc[:3]) else loc
    return loc


def _is_styles(loc: Loc) -> bool:
    return len(loc) == 3 and loc[0] == "deliverables" and loc[2] == "styles"


def _message(
    details: ErrorDetails, loc: Loc, document: Document, keys_at: Callable[[Loc], tuple[str, ...]]
) -> str | None:
    """Return what is wrong and the way out, or nothing for the echo of another problem."""
    node = document.find(loc)
    value = node.value if node else None
    kind = details["type"]
    if kind in {"missing", "union_tag_not_found"}:
        return "is missing"
    if kind == "extra_forbidden":
        return f"unknown key; {suggestion(str(loc[-1]), keys_at(loc[:-1]))}"
    if loc == ("products",) and not isinstance(value, list | dict):
        return "needs a list of products, or {file: products.csv}"
    if _is_echo(details, loc, value, document):
        return None
    if _is_styles(loc) and not isinstance(value, list):
        given = "" if isinstance(value, dict) else f"is {shown(value)}; "
        return f"{given}write auto, or a list of styles: {', '.join(Style)}"
    return _rule(details, node) or f"{details['msg'][0].lower()}{details['msg'][1:]}"


def _is_echo(details: ErrorDetails, loc: Loc, value: object, document: Document) -> bool:
    """Say whether an error only follows from another: the other member of a union, a list whose entries are wrong."""
    branch = details["loc"][1] if len(details["loc"]) > 1 and details["loc"][0] == "products" else None
    if isinstance(branch, str):
        products = document.find(("products",))
        is_list = products is not None and isinstance(products.value, list)
        if branch.startswith("tuple[") is not is_list:
            return True
    if _is_styles(loc) and isinstance(value, list) and details["type"] == "literal_error":
        return True
    return details["type"] == "too_short" and isinstance(value, list) and len(value) > 0


def _rule(details: ErrorDetails, node: Node | None) -> str | None:
    """Return the broken rule in words, or nothing when pydantic's own words will do."""
    value = node.value if node else None
    if node and node.value is None and details["loc"]:
        return "is empty; give it a value or remove the line"
    bounds = details.get("ctx", {})
    rules: dict[str, Callable[[], str]] = {
        "string_type": partial(_needs_text, node),
        "string_too_short": lambda: "is empty",
        "string_too_long": lambda: f"has {len(str(value).strip())} characters; at most {bounds['max_length']}",
        "string_pattern_mismatch": lambda: f"{shown(value)}: {PATTERNS[bounds['pattern']]}",
        "int_type": lambda: f"needs a whole number, not {shown(value)}",
        "float_type": lambda: f"needs a number, not {shown(value)}",
        "tuple_type": lambda: "needs a list; begin each entry with '- '",
        "model_type": lambda: "needs keys with values, such as 'name: ...'",
        "too_short": lambda: f"needs at least {bounds['min_length']} entry",
        "too_long": lambda: f"has too many entries; at most {bounds['max_length']}",
        "greater_than": lambda: f"is {shown(value)}; must be more than {bounds['gt']:g}",
        "greater_than_equal": lambda: f"is {shown(value)}; at least {bounds['ge']:g}",
        "less_than": lambda: f"is {shown(value)}; must be less than {bounds['lt']}",
        "less_than_equal": lambda: f"is {shown(value)}; at most {bounds['le']:g}",
        "enum": partial(_choices, value, str(bounds.get("expected"))),
        "union_tag_invalid": partial(_choices, value, str(bounds.get("expected_tags"))),
        "dict_type": lambda: "needs keys with values, such as 'kind: copy'",
        "literal_error": partial(_choices, value, str(bounds.get("expected"))),
    }
    rule = rules.get(details["type"])
    return rule() if rule else None


def _needs_text(node: Node | None) -> str:
    if node is None or isinstance(node.value, list | dict):
        return "needs text"
    return f'needs text; put it in quotes: "{node.source[:60]}"'


def _choices(value: object, expected: str) -> str:
    """Return which values are allowed, from pydantic's list of them."""
    # A member of an enumeration is listed as `<Kind.COPY: 'copy'>`: only its value is for people.
    names = [name.strip("<> ").rsplit(": ", 1)[-1].strip("'") for name in expected.replace(" or ", ", ").split(", ")]
    return f"is {shown(value)}; {suggestion(str(value), names)}"
