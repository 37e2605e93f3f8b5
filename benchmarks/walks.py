"""Walk up in steps until the gate lets a version pass: how much people must say before anything new serves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

PASSED = "passed"
COLUMNS = ("ratings", "outcome", "wins", "champion_agrees", "challenger_agrees", "bound", "cpu_minutes", "minutes")


def walk(steps: Sequence[int], learn: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """Learn from more and more until a version passes; return the figures of each step, and of the first pass."""
    found: list[Mapping[str, Any]] = []
    for step in steps:
        found.append(learn(step))
        Console(stderr=True).print(found[-1])
        if found[-1]["outcome"] == PASSED:
            break
    first = found[-1] if found and found[-1]["outcome"] == PASSED else None
    return {"steps": found, "ratings_to_first_pass": first and first["ratings"], "wins": first and first["wins"]}


def show(title: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """Print a row for each step."""
    table = Table(*COLUMNS, title=title)
    for step in steps:
        table.add_row(*(_shown(step.get(name)) for name in COLUMNS))
    Console(stderr=True).print(table)


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def numbers(text: str) -> list[int]:
    """Read numbers with commas between."""
    return [int(one) for one in text.split(",") if one]
