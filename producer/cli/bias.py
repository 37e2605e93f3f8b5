"""How a report on groups looks: who fares differently from the rest, for a person or for a program."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

from core.bias import Difference
from producer.cli.render import count, emit, note, say, show_table

if TYPE_CHECKING:
    from core.estimates import Estimate
    from core.ledger.bias import GroupReport

COLUMNS = ("jobs", "dead letters", "ratings", "answers", "accepted", "")
# Of a dimension with more groups, those that differ come first and the others are counted.
SHOWN_GROUPS = 20


def show_report(found: "Sequence[GroupReport]") -> None:
    """Show it to a person, a table for each kind and dimension."""
    for (kind, by), some in groupby(found, key=lambda one: (one.kind, one.by)):
        groups = sorted(some, key=lambda one: (not one.is_marked, -one.answers, one.name))
        rows = [(one.name, *_cells(one)) for one in groups[:SHOWN_GROUPS]]
        show_table((f"{kind} by {by}", *COLUMNS), rows, numbers=COLUMNS[:-1])
        if (hidden := len(groups) - SHOWN_GROUPS) > 0:
            say(f"and {count(hidden, 'group')} more: --json lists all")
        say("")
    say("Marked is what differs from the rest beyond doubt (of alike groups, one table in a hundred); 95 % intervals.")
    if any(one.acceptance_difference == Difference.TOO_FEW for one in found):
        note("too few: fewer than ten independent answers there or in the rest; several about one asset are no ten")


def emit_report(found: "Sequence[GroupReport]") -> None:
    """Write it for a program, an object a line."""
    for one in found:
        emit(**asdict(one), is_marked=one.is_marked)


def _cells(one: "GroupReport") -> tuple[object, ...]:
    marks = [
        f"{what} {found}"
        for what, found in (("accepted", one.acceptance_difference), ("dead letters", one.dead_difference))
        if found in {Difference.HIGHER, Difference.LOWER}
    ]
    told = f"<- {', '.join(marks)}" if marks else ""
    if not told and one.acceptance_difference == Difference.TOO_FEW:
        told = "too few"
    return (
        one.jobs,
        f"{one.dead_letters} {_percent(one.dead)}",
        one.ratings,
        one.answers,
        _percent(one.acceptance),
        told,
    )


def _percent(share: "Estimate | None") -> str:
    return f"{share.value:.0%} ({share.low * 100:.0f}-{share.high * 100:.0f})" if share else ""
