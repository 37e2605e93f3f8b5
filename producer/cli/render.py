"""How answers look: tables and lines for people, one JSON object a line for programs, numbers with their units."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from pydantic import BaseModel, SecretStr

from core.errors import CampaignFileError
from schemas.campaigns import Kind

if TYPE_CHECKING:
    from rich.table import Table

# A file or a pipe has no width: nothing in it is cut or wrapped.
WIDTH_OF_A_PIPE = 10_000
NOUNS = {Kind.COPY: "line", Kind.IMAGE: "picture", Kind.CREATIVE: "advertisement", Kind.MUSIC: "music piece"}


def emit(**record: object) -> None:
    """Write one JSON object and nothing else as a line of standard output."""
    typer.echo(as_json(record))


def as_json(record: Mapping[str, object]) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(record, default=_plain, ensure_ascii=False)


def say(text: str) -> None:
    """Write a line of the answer."""
    typer.echo(text)


def note(text: str) -> None:
    """Write a line that is no part of the answer: it goes to standard error."""
    typer.echo(text, err=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = ()) -> None:
    """Write a table. Columns of numbers are set to the right; in a pipe nothing is cut."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH_OF_A_PIPE)
    console.print(table(columns, rows, numbers))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], numbers: Sequence[str] = ()) -> "Table":
    """Return a table without frames; square brackets in a cell stay what they are."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return made


def complain(error: Exception, *, is_json: bool) -> None:
    """Write an error to standard error: its text as it stands, or one JSON object with every problem found."""
    if not is_json:
        note(f"factory: {error}" if "\n" not in str(error) else str(error))
        return
    problems = [asdict(problem) for problem in error.problems] if isinstance(error, CampaignFileError) else []
    note(as_json({"error": str(error), "problems": problems}))


def duration(seconds: float | None) -> str:
    """Return a time span as people say it; '?' when nobody knows."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def rate(jobs_per_second: float | None) -> str:
    """Return a rate with the unit that makes it readable."""
    if jobs_per_second is None:
        return "nothing lately"
    return f"{jobs_per_second:.1f}/s" if jobs_per_second >= 1 else f"{jobs_per_second * 60:.1f}/min"


def money(amount: float) -> str:
    """Return an amount with two decimals, a small one with as many as say something."""
    return f"{amount:.2f}" if amount >= 1 else f"{amount:.2g}"


def moment(at: float | None) -> str:
    """Return a time in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else ""


def window_line(window: str, opens_at: float | None) -> str:
    """Return when a campaign is made, and when that begins."""
    return f"made {window}, {f'opens {moment(opens_at)}' if opens_at else 'open now'}"


def count(number: int, thing: str) -> str:
    """Return a number with its noun: '1 job', '2 jobs'."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def things(kinds: Mapping[Kind, int]) -> str:
    """Return how many of each kind there are: '96 lines, 12 pictures, 36 advertisements'."""
    return ", ".join(count(kinds[kind], noun) for kind, noun in NOUNS.items() if kinds.get(kind))


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    assert not isinstance(value, SecretStr), "a secret is never shown"
    raise TypeError(f"{type(value).__name__} is not JSON")
